import { html } from '../../vendor/lit-3.3.3.min.js';
import { price } from '../format.js';
import { texts } from './texts.js';
import { Card, define, picture } from './base.js';
import { rating } from './tile.js';
import { fact } from './words.js';

const SHOWN_ABOVE = ['price', 'rating'];

class Comparison extends Card {
  view({ items, rows }) {
    return html`
      <div role="group" class="card stack" aria-label=${texts.comparison}>
        <h2 tabindex="-1">${texts.comparison}</h2>
        <div class="scroll" tabindex="0" role="group" aria-label=${texts.comparison}>
          <table>
            <thead>
              <tr><td></td>${items.map((item) => html`<th scope="col">${picture(item.image)}${item.title}</th>`)}</tr>
            </thead>
            <tbody>
              ${this.#row(texts.price, items.map((item) => html`<strong class="num">${price(item.price)}</strong>`))}
              ${this.#row(texts.rating, items.map((item) => rating(item.rating, item.rating_count)))}
              ${rows.filter((row) => !SHOWN_ABOVE.includes(row.name)).map((row) => this.#fact(row))}
              <tr>
                <td></td>
                ${items.map(
                  (item) => html`
                    <td>
                      <button
                        type="button"
                        class="plain"
                        aria-label="${texts.details}: ${item.title}"
                        @click=${() => this.act('view_product', { product_id: item.id })}
                      >${texts.details}</button>
                    </td>
                  `,
                )}
              </tr>
            </tbody>
          </table>
        </div>
      </div>
    `;
  }

  #fact({ name, values }) {
    const facts = values.map((value) => fact(name, value));
    const label = facts.find((_, index) => values[index])?.[0] ?? fact(name, '')[0];
    return this.#row(label, facts.map(([, value]) => value || '–'));
  }

  #row(name, values) {
    return html`<tr><th scope="row">${name}</th>${values.map((value) => html`<td>${value}</td>`)}</tr>`;
  }
}

define('ic-comparison', Comparison);
