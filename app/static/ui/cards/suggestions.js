import { html } from '../../vendor/lit-3.3.3.min.js';
import { texts } from './texts.js';
import { Card, define } from './base.js';

class Suggestions extends Card {
  view({ items }) {
    return html`
      <div class="bar" role="group" aria-label=${texts.suggestions}>
        ${items.slice(0, 4).map((text) => html`<button type="button" @click=${() => this.act('say', { text })}>${text}</button>`)}
      </div>
    `;
  }
}

define('ic-suggestions', Suggestions);
