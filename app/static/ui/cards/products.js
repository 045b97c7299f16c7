import { html, nothing, repeat } from '../../vendor/lit-3.3.3.min.js';
import { say, texts } from './texts.js';
import { Card, define } from './base.js';
import './tile.js';

class Products extends Card {
  willUpdate(changed) {
    // Numbers let the shopper say "the second one".
    if (changed.has('data')) this.tiles = this.data.items.map((item, index) => ({ ...item, number: index + 1 }));
  }

  view({ title, items, next_cursor: cursor }) {
    return html`
      <div role="group" class="stack" aria-label=${title ? say(texts.productsFor, { title }) : texts.products}>
        <div class="row">
          <h2 tabindex="-1">${title ? say(texts.productsFor, { title }) : texts.products}</h2>
          <span class="muted small num">${say(texts.productCount, { count: items.length })}</span>
        </div>
        <ul class="grid">
          ${repeat(this.tiles, (tile) => tile.id, (tile) => html`<li><ic-tile .data=${tile}></ic-tile></li>`)}
        </ul>
        ${cursor
          ? html`<div class="bar"><button type="button" @click=${() => this.act('show_more', { cursor })}>${texts.showMore}</button></div>`
          : nothing}
      </div>
    `;
  }
}

define('ic-products', Products);
