import { html, nothing, repeat } from '../../vendor/lit-3.3.3.min.js';
import { options, price } from '../format.js';
import { items, say, texts } from '../texts.js';
import { Card, define, otherwise, picture } from './base.js';

/** The cart. `data.past` marks a picture of an earlier moment in the conversation: one line, nothing to press. */
class Cart extends Card {
  view(cart) {
    const count = cart.item_count ?? cart.lines.reduce((sum, line) => sum + line.quantity, 0);
    if (cart.past) return html`<p class="muted small">${say(texts.cartNow, { items: items(count), total: price(cart.total) })}</p>`;
    if (!cart.lines.length) return this.#empty();
    return html`
      <div role="group" class="card stack" aria-label=${texts.cart}>
        <h2 tabindex="-1">${texts.cart}</h2>
        ${(cart.notices ?? []).map((notice) => html`<p class="notice">${notice}</p>`)}
        <ul class="lines">
          ${repeat(cart.lines, (line) => line.variant_id, (line) => this.#line(line))}
        </ul>
        ${cart.discount_codes?.length
          ? html`<p class="small"><span class="muted">${texts.codes}:</span> ${cart.discount_codes.join(', ')}</p>`
          : nothing}
        <div class="totals">
          <p class="row"><strong>${texts.subtotal}</strong><strong class="num">${price(cart.total)}</strong></p>
          <p class="muted small">${texts.cartNote}</p>
        </div>
        <button type="button" class="main wide" @click=${() => this.act('say', { text: texts.said.checkout })}>
          ${texts.checkout}
        </button>
      </div>
    `;
  }

  #line(line) {
    const to = (quantity) => this.act('update_cart_line', { variant_id: line.variant_id, quantity });
    return html`
      <li class="line">
        ${picture(line.image)}
        <span class="grow">
          <span class="name">${line.title}</span>
          <span class="muted small">${options(line.options)}</span> ${otherwise(line.compare_at)}
        </span>
        <span class="num">${line.line_total ? price(line.line_total) : nothing}</span>
        <span class="amount">
          <span class="step" role="group" aria-label="${texts.quantity}: ${line.title}">
            <button type="button" aria-label=${line.quantity > 1 ? texts.fewer : texts.remove} @click=${() => to(line.quantity - 1)}>−</button>
            <b class="num">${line.quantity}</b>
            <button
              type="button"
              aria-label=${texts.more}
              ?disabled=${line.quantity >= (line.available ?? Infinity)}
              @click=${() => to(line.quantity + 1)}
            >+</button>
          </span>
          <button type="button" class="plain" aria-label="${texts.remove}: ${line.title}" @click=${() => to(0)}>${texts.remove}</button>
        </span>
      </li>
    `;
  }

  #empty() {
    return html`
      <div role="group" class="card empty" aria-label=${texts.cart}>
        <h2 tabindex="-1">${texts.cartEmpty}</h2>
        <p class="muted small">${texts.cartEmptyHint}</p>
      </div>
    `;
  }
}

define('ic-cart', Cart);
