import { html, nothing } from '../../vendor/lit-3.3.3.min.js';
import { money } from '../format.js';
import { texts } from '../texts.js';
import { Card, define } from './base.js';
import { facts, goods, totals } from './parts.js';
import { address } from './words.js';

/** A checkout being filled in. Paying needs the confirmation card: here one can only ask for it. */
class Checkout extends Card {
  view(session) {
    const { currency, missing = [], problems = [], fulfillment_options: ways } = session;
    const open = !['completed', 'canceled', 'expired'].includes(session.status);
    return html`
      <div role="group" class="card stack" aria-label=${texts.checkoutTitle}>
        <h2 tabindex="-1">${texts.checkoutTitle}</h2>
        ${problems.map((problem) => html`<p class="notice">${problem}</p>`)}
        <ul class="lines">${session.lines.map((line) => goods(line, line.quantity, money(line.base_amount, currency)))}</ul>
        ${facts([
          [texts.shipTo, session.ship_to && address(session.ship_to).join(', ')],
          [texts.payWith, session.payment_method?.label],
          [texts.receiptTo, session.buyer?.email],
        ])}
        ${open && ways.length > 1
          ? html`<div class="ways" role="group" aria-label=${texts.delivery}>${ways.map((way) => this.#way(way, currency))}</div>`
          : nothing}
        ${totals(session.totals, currency)}
        ${open ? this.#next(missing, problems) : nothing}
      </div>
    `;
  }

  #next(missing, problems) {
    if (missing.length) {
      const words = missing.map((part) => texts.missing[part] ?? part).join(', ');
      return html`<p class="small"><strong>${texts.missingLead}</strong> ${words}</p>`;
    }
    if (problems.length) return nothing;
    return html`
      <div class="bar">
        <button type="button" class="main" @click=${() => this.act('request_confirmation')}>${texts.review}</button>
      </div>
    `;
  }

  #way(way, currency) {
    const cost = way.amount ? money(way.amount, currency) : texts.free;
    return html`
      <button
        type="button"
        class="way"
        aria-pressed=${way.selected}
        @click=${() => way.selected || this.act('say', { text: texts.sayShipping(way.title) })}
      >
        <span class="grow">
          ${way.title} <span class="muted small">${way.carrier}, ${texts.days(way.min_days, way.max_days)}</span>
        </span>
        <span class="num">${cost}</span>
      </button>
    `;
  }
}

define('ic-checkout', Checkout);
