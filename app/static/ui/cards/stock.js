import { html } from '../../vendor/lit-3.3.3.min.js';
import { texts } from './texts.js';
import { Card, define } from './base.js';

/** Stock by location, for staff. */
class Stock extends Card {
  view({ items }) {
    return html`
      <div role="group" class="card stack" aria-label=${texts.stock}>
        <h2 tabindex="-1">${texts.stock}</h2>
        <div class="scroll stack" tabindex="0" role="group" aria-label=${texts.stock}>${items.map((item) => this.#table(item))}</div>
      </div>
    `;
  }

  #table({ sku, title, locations, available }) {
    return html`
      <table>
        <caption>${title} <span class="muted">${sku} · ${available}</span></caption>
        <thead><tr>${Object.values(texts.stockColumns).map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
        <tbody>
          ${locations.map(
            (place) => html`
              <tr>
                <th scope="row">${place.name} <span class="muted">${place.code}</span></th>
                <td class="num">${place.on_hand}</td>
                <td class="num">${place.reserved}</td>
                <td class="num">${place.available}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    `;
  }
}

define('ic-stock', Stock);
