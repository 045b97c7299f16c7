// One product as the shopper sees it in a list; `ic-product` shows the same parts at length.
import { html, nothing, svg } from '../../vendor/lit-3.3.3.min.js';
import { price } from '../format.js';
import { say, texts } from './texts.js';
import { Card, define, otherwise, picture } from './base.js';
import { firstChoice, optionPickers } from './variants.js';
import { stars } from './words.js';

const FEW = 5;
const ADDING_MS = 1500;
const STAR = 'M10 1.6l2.5 5.3 5.8.8-4.2 4 1 5.8L10 14.7l-5.1 2.8 1-5.8-4.2-4 5.8-.8z';
const FIVE_STARS = [0, 20, 40, 60, 80].map((x) => svg`<path d=${STAR} transform="translate(${x})" />`);

export const rating = (tenths, count) =>
  tenths
    ? html`
        <span class="rating small" role="img" aria-label=${say(texts.rated, { stars: stars(tenths), count })}>
          <svg viewBox="0 0 100 20" width="75" height="15" aria-hidden="true">
            <g class="off">${FIVE_STARS}</g>
            <svg class="on" width=${tenths * 2} height="20">${FIVE_STARS}</svg>
          </svg>
          <span class="muted" aria-hidden="true">${stars(tenths)} (${count})</span>
        </span>
      `
    : nothing;

/** Choosing a variant and putting it in the cart: shared by the tile and the full card. */
export class ProductCard extends Card {
  static properties = { variant: { state: true }, adding: { state: true } };

  willUpdate(changed) {
    if (!changed.has('data') || !this.data) return;
    const same = this.data.variants.find((one) => one.id === this.variant?.id);
    this.variant = same ?? firstChoice(this.data);
  }

  pickers(options) {
    return this.variant && optionPickers(this.data, this.variant, (variant) => (this.variant = variant), options);
  }

  stock() {
    const left = this.variant?.available ?? 0;
    if (left === 0) return html`<span class="bad small">${texts.soldOut}</span>`;
    if (left <= FEW) return html`<span class="warn small">${say(texts.fewLeft, { count: left })}</span>`;
    return html`<span class="good small">${texts.inStock}</span>`;
  }

  addButton() {
    const off = !this.variant?.available || this.adding;
    const label = this.adding ? texts.adding : this.variant?.available ? texts.add : texts.soldOut;
    return html`
      <button type="button" class="main add" aria-label="${label}: ${this.data.title}" aria-disabled=${off ? 'true' : 'false'} @click=${this.add}>
        ${label}
      </button>
    `;
  }

  add() {
    if (!this.variant?.available || this.adding) return;
    this.adding = true;
    setTimeout(() => (this.adding = false), ADDING_MS);
    this.act('add_to_cart', { variant_id: this.variant.id, quantity: 1 });
  }
}

class Tile extends ProductCard {
  view(product) {
    return html`
      <article class="tile">
        <a class="frame" href="/products/${product.id}">
          ${picture(product.image, product.title)}
          ${product.number ? html`<span class="number" aria-hidden="true">${product.number}</span>` : nothing}
        </a>
        <div class="about">
          <h3>${product.number ? html`<span class="sr">${product.number}. </span>` : nothing}${product.title}</h3>
          <span class="muted small">${product.brand}</span>
          ${rating(product.rating, product.rating_count)}
          <p class="row">
            <span><strong class="num price">${price(this.variant?.price ?? product.price)}</strong> ${otherwise(this.variant?.compare_at)}</span>
            ${this.stock()}
          </p>
        </div>
        <div class="choose">${this.pickers({ compact: true })}</div>
        <div class="bar">
          ${this.addButton()}
          <button
            type="button"
            class="plain"
            aria-label="${texts.details}: ${product.title}"
            @click=${() => this.act('view_product', { product_id: product.id })}
          >${texts.details}</button>
        </div>
      </article>
    `;
  }
}

define('ic-tile', Tile);
