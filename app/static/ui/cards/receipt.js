import { html } from '../../vendor/lit-3.3.3.min.js';
import { money, price } from '../format.js';
import { say, texts } from './texts.js';
import { Card, define } from './base.js';
import { facts, goesTo, goods, totals } from './parts.js';
import { moment } from './words.js';

class Receipt extends Card {
  view(order) {
    const { currency } = order.total;
    return html`
      <div role="group" class="card stack" aria-label=${texts.receipt}>
        <div class="head">
          <svg viewBox="0 0 40 40" aria-hidden="true"><circle cx="20" cy="20" r="20" /><path d="M12 20.5l5.5 5.5L28.5 15" /></svg>
          <div class="grow">
            <h2 tabindex="-1">${texts.receipt}</h2>
            <p class="muted small">${say(texts.order, order)} · ${moment(order.created_at)}</p>
          </div>
          <strong class="num">${price(order.total)}</strong>
        </div>
        <ul class="lines">
          ${order.lines.map((line) => goods(line, line.ordered, money(line.unit_price.amount * line.ordered, currency)))}
        </ul>
        ${totals(order.totals, currency)}
        ${facts([
          goesTo(order.fulfillment, order.ship_to, (rows) => rows.map((row) => html`<div>${row}</div>`)),
          ...order.lines.filter((line) => line.way && order.fulfillment?.type !== 'digital').map((line) => [line.title, line.way]),
          ...(order.tenders ?? []).map((part) => [part.label, money(part.amount, currency)]),
          [order.payment_status === 'authorized' ? texts.chargedLater : texts.paidWith, order.payment_method?.label],
          [texts.email, order.email],
        ])}
        <div class="bar">
          <button type="button" @click=${() => this.act('say', { text: say(texts.said.track, order) })}>${texts.track}</button>
        </div>
      </div>
    `;
  }
}

define('ic-receipt', Receipt);
