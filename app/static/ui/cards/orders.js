import { html, nothing } from '../../vendor/lit-3.3.3.min.js';
import { money, price } from '../format.js';
import { say, texts } from './texts.js';
import { Card, define } from './base.js';
import { facts, goesTo, goods, tracked } from './parts.js';
import { day, days, moment, returnTitle, sentence, status } from './words.js';

class Orders extends Card {
  view({ items }) {
    return html`
      <div role="group" class="card stack" aria-label=${texts.orders}>
        <h2 tabindex="-1">${texts.orders}</h2>
        ${items.length ? nothing : html`<p class="muted">${texts.noOrders}</p>`}
        <ul class="stack">${items.map((order) => this.#order(order))}</ul>
      </div>
    `;
  }

  #order(order) {
    return html`
      <li class="order">
        <div class="row"><h3>${say(texts.order, order)}</h3><strong class="num">${price(order.total)}</strong></div>
        <p class="muted small">${order.lines.map((line) => `${line.ordered} × ${line.title}`).join(', ')}</p>
        <div class="row bar">
          <span class="small">
            <span class="pill">${status(order.fulfillment_status)}</span>
            <span class="muted">${status(order.payment_status)} · ${say(texts.placed, { date: day(order.created_at) })}</span>
          </span>
          <button
            type="button"
            class="plain"
            aria-label="${texts.track}: ${order.number}"
            @click=${() => this.act('say', { text: say(texts.said.track, order) })}
          >${texts.track}</button>
        </div>
      </li>
    `;
  }
}

/** How far an order is: a bar of four steps, then each parcel and each refund as a lane of its own. */
class Timeline extends Card {
  view(order) {
    return html`
      <div role="group" class="card stack" aria-label=${say(texts.timeline, order)}>
        <div class="row"><h2 tabindex="-1">${say(texts.timeline, order)}</h2><strong class="num">${price(order.total)}</strong></div>
        <p class="bar small">
          <span class="pill">${status(order.fulfillment_status)}</span>
          <span class="muted">${status(order.payment_status)} · ${say(texts.placed, { date: day(order.created_at) })}</span>
        </p>
        ${order.status === 'canceled' ? nothing : this.#steps(order)}
        <ul class="lines">
          ${order.lines.map((line) => goods(line, line.ordered, money(line.unit_price.amount * line.ordered, order.total.currency)))}
        </ul>
        ${order.shipments.length || order.status === 'canceled' ? nothing : html`<p class="muted small">${texts.noShipments}</p>`}
        <div class="lanes">
          ${order.shipments.map((parcel, index) => this.#parcel(parcel, index + 1, order.shipments.length))}
          ${(order.returns ?? []).map((one) => this.#return(one))}
          ${order.adjustments.map((one) => this.#adjustment(one, order.total.currency))}
        </div>
        ${facts([goesTo(order.fulfillment, order.ship_to, (rows) => rows.join(', '))])}
      </div>
    `;
  }

  #steps({ payment_status: paid, fulfillment_status: sent }) {
    const shipped = !['unfulfilled', 'canceled'].includes(sent);
    const arrived = ['delivered', 'returned', 'partially_returned'].includes(sent);
    const reached = [true, paid !== 'unpaid', shipped, arrived];
    return html`
      <ol class="steps">
        ${Object.values(texts.steps).map(
          (step, index) => html`<li class=${reached[index] ? 'reached' : ''} aria-current=${reached[index] && !reached[index + 1] ? 'step' : nothing}>${step}</li>`,
        )}
      </ol>
    `;
  }

  #parcel(parcel, index, count) {
    const title = count > 1 ? say(texts.parcelOf, { index, count }) : texts.parcel;
    return lane(title, parcel, parcel.events, html`
      ${parcel.expected_on ? html`<p class="small"><strong>${say(texts.expected, { day: days(parcel.expected_on, parcel.expected_on) })}</strong></p>` : nothing}
    `);
  }

  #return(one) {
    return lane(returnTitle(one), one, one.parcel, nothing);
  }

  #adjustment(one, currency) {
    return html`
      <section class="lane">
        <div class="row"><h3>${one.type === 'refund' ? texts.refundLane : texts.adjustmentLane}</h3><strong class="num">${money(one.amount, currency)}</strong></div>
        <p class="small muted">${status(one.status)} · ${moment(one.occurred_at)}${one.reason ? ` · ${sentence(one.reason)}` : ''}</p>
      </section>
    `;
  }
}

/** What goes one way together: what it is, who carries it, and every sign of it, the newest first, in the shopper's time. */
const lane = (title, one, signs, more) => html`
  <section class="lane" aria-label=${title}>
    <div class="row"><h3>${title}</h3><span class="pill">${status(one.status)}</span></div>
    <p class="small muted">${one.lines.map((line) => `${line.quantity} × ${line.title}`).join(', ')}</p>
    ${one.tracking_number ? html`<p class="small">${tracked(one)}</p>` : nothing} ${more}
    <ol class="events">
      ${[...signs]
        .sort((a, b) => Date.parse(b.at) - Date.parse(a.at))
        .map((sign) => html`<li><span class="name">${sign.text || status(sign.status)}</span><time class="muted small" datetime=${sign.at}>${moment(sign.at)}</time></li>`)}
    </ol>
  </section>
`;

define('ic-orders', Orders);
define('ic-timeline', Timeline);
