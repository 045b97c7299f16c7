import { html, nothing } from '../../vendor/lit-3.3.3.min.js';
import { money, price } from '../format.js';
import { say, texts } from './texts.js';
import { define } from './base.js';
import { Asked, LAST_MINUTE_MS } from './asked.js';
import { carriage, facts, goesApart, goesTo, goods, totals } from './parts.js';
import { clock } from './words.js';

/**
 * The only thing in the page that pays. `data` is the confirmation activity, and from the host: `decision`
 * {approved, error} once pressed here, `outcome` "paid" or "failed" once the log tells.
 */
class Confirm extends Asked {
  get phase() {
    const { status, decision, outcome } = this.data;
    if (status === 'superseded' && outcome === 'failed') return outcome;
    if (['declined', 'expired', 'superseded'].includes(status)) return status;
    if (status !== 'open') return outcome ?? 'processing';
    if (decision && !decision.error) return decision.approved ? 'processing' : 'declining';
    return this.left <= 0 ? 'expired' : 'open';
  }

  view(data) {
    return this.phase === 'open' ? this.#open(data) : this.#over(data);
  }

  #open({ checkout, decision }) {
    const due = price(checkout.due ?? checkout.total);
    const owed = (checkout.due ?? checkout.total).amount;
    const label = !owed ? texts.placeOrder : decision?.error ? say(texts.payAgain, { total: due }) : say(texts.pay, { total: due });
    const held = this.pressed ? 'true' : 'false';
    return html`
      <div role="group" class="card stack" aria-label=${texts.confirmTitle}>
        <div>
          <h2 tabindex="-1">${texts.confirmTitle}</h2>
          <p class="muted small">${texts.soldBy} ${checkout.merchant}</p>
        </div>
        ${this.#content(checkout, true)}
        ${decision?.error ? html`<p class="notice" role="alert">${decision.error}</p>` : nothing}
        <div class="hold">
          <p class=${this.left <= LAST_MINUTE_MS ? 'small soon' : 'small muted'} role="timer">${say(texts.expiresIn, { clock: clock(this.left) })}</p>
          <span class="sr" role="status">${this.left <= LAST_MINUTE_MS ? texts.oneMinute : ''}</span>
          <div class="bar">
            <button type="button" class="main pay" aria-disabled=${held} @click=${() => this.press(true)}>${label}</button>
            <button type="button" class="later" aria-disabled=${held} @click=${() => this.press(false)}>${texts.notNow}</button>
          </div>
        </div>
      </div>
    `;
  }

  #content(checkout, payable) {
    const { lines, fulfillment, payment_method: method, total } = checkout;
    const other = method && html`
      ${method.label}
      ${payable
        ? html`<br /><button type="button" class="plain other" @click=${() => this.act('enter_card')}>${texts.otherCard}</button>`
        : nothing}
    `;
    return html`
      <ul class="lines">${lines.map((line) => goods(line, line.quantity, money(line.base_amount, total.currency)))}</ul>
      ${totals(checkout.totals, total.currency, { fulfillment: carriage(fulfillment) })}
      ${waits(checkout) ? html`<p class="muted small">${texts.setAside}</p>` : nothing}
      ${facts([
        ...(checkout.tenders ?? []).map((part) => [part.label, money(part.amount, total.currency)]),
        [texts.payWith, other],
        goesTo(fulfillment, checkout.ship_to, (rows) => rows.map((row) => html`<div>${row}</div>`)),
        ...goesApart(checkout.ways, fulfillment, lines),
        [texts.email, checkout.buyer?.email],
      ])}
    `;
  }

  #over({ checkout, reason }) {
    const phase = this.phase;
    const busy = ['processing', 'declining'].includes(phase);
    const hint = (['failed', 'declined'].includes(phase) && reason) || texts[`${phase}Hint`];
    return html`
      <div role="group" class="card over stack" aria-label=${texts.confirmTitle}>
        <div class="done">
          ${busy ? html`<span class="spin" aria-hidden="true"></span>` : nothing}
          <div class="grow" role="status">
            <h2 tabindex="-1" class=${phase === 'paid' ? 'good' : ''}>${phase === 'paid' && waits(checkout) ? texts.ordered : texts[phase]}</h2>
            ${hint ? html`<p class="muted small">${hint}</p>` : nothing}
          </div>
          <strong class="num">${price(checkout.total)}</strong>
        </div>
        ${phase === 'expired'
          ? html`<div class="bar"><button type="button" class="main" @click=${() => this.act('request_confirmation')}>${texts.freshCard}</button></div>`
          : nothing}
        <details><summary>${texts.wasOnIt}</summary><div class="stack">${this.#content(checkout, false)}</div></details>
      </div>
    `;
  }
}

/** Whether some of it ships later: then nothing is taken yet. */
const waits = ({ lines, total, due }) => (due ?? total).amount > 0 && lines.some((line) => line.notice);

define('ic-confirm', Confirm);
