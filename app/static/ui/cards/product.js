import { html, nothing } from '../../vendor/lit-3.3.3.min.js';
import { price } from '../format.js';
import { texts } from './texts.js';
import { define, otherwise, picture } from './base.js';
import { facts } from './parts.js';
import { ProductCard, rating } from './tile.js';
import { fact, term, weight } from './words.js';

class Product extends ProductCard {
  view(product) {
    return html`
      <article class="card stack">
        <div class="top">
          ${picture(product.image, product.title)}
          <div class="stack">
            <div>
              <h2 tabindex="-1">${product.title}</h2>
              <span class="muted small">${product.brand}</span>
              <div>${rating(product.rating, product.rating_count)}</div>
            </div>
            <p class="row">
              <span><strong class="num price">${price(this.variant?.price ?? product.price)}</strong> ${otherwise(this.variant?.compare_at)}</span>
              ${this.stock()}
            </p>
            <div class="choose">${this.pickers()}</div>
            <div class="bar">${this.addButton()}</div>
          </div>
        </div>
        <p>${product.description}</p>
        <div class="more stack">
          ${Object.keys(texts.facts).map((part) => this.#list(texts.facts[part], product[part]))}
        </div>
        ${facts(this.#facts(product))}
      </article>
    `;
  }

  #list(title, rows) {
    if (!rows?.length) return nothing;
    return html`<section><h3>${title}</h3><ul>${rows.map((row) => html`<li>${row}</li>`)}</ul></section>`;
  }

  #facts(product) {
    const attributes = Object.entries(product.attributes ?? {}).map(([name, value]) => fact(name, plain(value)));
    return [
      ...attributes,
      [texts.weight, product.weight_g && weight(product.weight_g)],
      [texts.warranty, product.warranty_months && term(product.warranty_months)],
      [texts.care, product.care],
    ];
  }
}

const plain = (value) => {
  if (typeof value === 'boolean') return value ? texts.yes : texts.no;
  return Array.isArray(value) ? value.join(', ') : String(value);
};

define('ic-product', Product);
