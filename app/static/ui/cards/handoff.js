import { html } from '../../vendor/lit-3.3.3.min.js';
import { texts } from './texts.js';
import { Card, define } from './base.js';
import { facts } from './parts.js';

class Handoff extends Card {
  view({ mode, reference, hours }) {
    return html`
      <div role="group" class="card stack" aria-label=${texts.handoff[mode]}>
        <div>
          <h2 tabindex="-1">${texts.handoff[mode] ?? texts.talkToPerson}</h2>
          ${mode === 'agent' ? '' : html`<p class="muted small">${texts.handoffHint}</p>`}
        </div>
        ${facts([[texts.reference, reference], [texts.hours, hours]])}
      </div>
    `;
  }
}

define('ic-handoff', Handoff);
