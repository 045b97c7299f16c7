import { html, nothing } from '../../vendor/lit-3.3.3.min.js';
import { options, price } from '../format.js';
import { say, texts } from './texts.js';
import { define } from './base.js';
import { Asked, LAST_MINUTE_MS } from './asked.js';
import { facts, totals } from './parts.js';
import { address, clock, day } from './words.js';

const SOON_MS = 3_600_000;

/** A question about what is bought already. `data` is the activity, and from the host `decision` and `problem`. */
class Question extends Asked {
  get phase() {
    const { status, decision, problem } = this.data;
    if (['declined', 'expired', 'superseded'].includes(status)) return status;
    if (status !== 'open') return this.ended(this.data) ?? (problem ? 'failed' : 'processing');
    if (decision && !decision.error) return decision.approved ? 'processing' : 'declining';
    return this.left <= 0 ? 'expired' : 'open';
  }

  view(data) {
    return this.phase === 'open' ? this.#open(data) : this.#over(data);
  }

  #open(data) {
    const { decision } = data;
    const soon = this.left <= LAST_MINUTE_MS;
    const until = this.left <= SOON_MS ? say(texts.askedFor, { clock: clock(this.left) }) : say(texts.askedUntil, { date: day(data.expires_at) });
    return html`
      <div role="group" class="card stack" aria-label=${this.heading(data)}>
        <div>
          <h2 tabindex="-1">${this.heading(data)}</h2>
          <p class="muted small">${this.lead(data)}</p>
        </div>
        ${data.reason && data.reason !== data.change?.reason ? html`<p class="notice">${data.reason}</p>` : nothing}
        ${this.content(data)}
        ${decision?.error ? html`<p class="notice" role="alert">${decision.error}</p>` : nothing}
        <div class="hold">
          <p class=${soon ? 'small soon' : 'small muted'} role="timer">${until}</p>
          <span class="sr" role="status">${soon ? texts.oneMinute : ''}</span>
          <div class="bar">${this.answers(data, this.pressed ? 'true' : 'false')}</div>
        </div>
      </div>
    `;
  }

  answers(data, held) {
    return html`
      <button type="button" class="main pay" aria-disabled=${held} @click=${() => this.press(true)}>${this.yes(data)}</button>
      <button type="button" class="later" aria-disabled=${held} @click=${() => this.press(false)}>${texts.askedNo}</button>
    `;
  }

  #over(data) {
    const phase = this.phase;
    const busy = ['processing', 'declining'].includes(phase);
    return html`
      <div role="group" class="card over stack" aria-label=${this.heading(data)}>
        <div class="done">
          ${busy ? html`<span class="spin" aria-hidden="true"></span>` : nothing}
          <div class="grow" role="status">
            <h2 tabindex="-1" class=${phase === 'done' ? 'good' : ''}>${texts.asked[phase]}</h2>
            <p class="muted small">${this.result(data) || texts.askedHint[phase]}</p>
          </div>
        </div>
        ${phase === 'expired'
          ? html`<div class="bar"><button type="button" class="main" @click=${() => this.act('ask_again', { card: data.id })}>${texts.askAgain}</button></div>`
          : nothing}
        <details><summary>${texts.wasOnIt}</summary><div class="stack">${this.content(data)}</div></details>
      </div>
    `;
  }

  result() {
    return '';
  }
}

/** An order is changed: what goes, what comes, what it costs or gives back. */
class Change extends Question {
  ended({ change }) {
    return { applied: 'done', requested: 'requested', failed: 'failed', refused: 'refused' }[change.status] ?? null;
  }

  heading({ change }) {
    return texts.changes[change.kind] ?? texts.changeTitle;
  }

  lead({ change }) {
    return say(texts.order, { number: change.order_number });
  }

  yes({ change }) {
    const verb = texts.changeYes[change.kind];
    return change.charge.amount ? `${verb} · ${price(change.charge)}` : verb;
  }

  result({ change }) {
    return ['done', 'requested', 'refused', 'failed'].includes(this.phase) ? change.message : '';
  }

  content({ change }) {
    const { ended, returned, added, charge, refund, terms, set_aside: aside, kept_fee: kept } = change;
    const gone = [...ended, ...returned];
    const back = terms ? terms.refund : refund;
    const target = change.refund_label || texts.refundTo[change.refund_to];
    return html`
      ${gone.length ? html`<h3 class="small muted">${returned.length ? texts.comesBack : texts.goes}</h3>${lines(gone)}` : nothing}
      ${added.length ? html`<h3 class="small muted">${texts.comes}</h3>${lines(added)}` : nothing}
      <dl class="totals">
        ${row(texts.charged, charge, change.payment_method?.label)} ${row(texts.asideNow, aside, change.payment_method?.label)}
        ${row(texts.givenBack, back, back.amount ? target : '')} ${row(texts.keptFee, terms?.fee ?? kept, '', 'row')}
        ${charge.amount || back.amount || aside.amount ? nothing : html`<div class="row grand"><dt>${texts.noMoney}</dt></div>`}
      </dl>
      ${terms && !terms.keep ? html`<p class="muted small">${say(texts.sendWithin, { count: terms.send_within_days })} ${texts.refundAt[terms.refund_at]}</p>` : nothing}
      ${terms?.reviewed ? html`<p class="muted small">${texts.reviewedFirst}</p>` : nothing}
      ${change.needs_partner ? html`<p class="muted small">${texts.partnerFirst}</p>` : nothing}
      ${facts([
        [texts.shipTo, change.ship_to && address(change.ship_to).map((part) => html`<div>${part}</div>`)],
        [texts.payWith, change.kind === 'payment_method' && change.payment_method?.label],
      ])}
      ${change.totals.length && !terms
        ? html`<details><summary>${texts.orderAfter}</summary>${totals(change.totals, change.charge.currency)}</details>`
        : nothing}
    `;
  }
}

/** What the shop offers for a claim: one press chooses. It is not declined; it waits. */
class ClaimChoice extends Question {
  ended({ choice }) {
    return choice ? 'done' : null;
  }

  heading() {
    return texts.claimTitle;
  }

  lead({ claim }) {
    return `${claim.title} · ${claim.number}`;
  }

  result({ choice }) {
    return choice ? texts.chosen[choice] : '';
  }

  content({ offers }) {
    return html`<ul class="lines">${offers.map((one) => html`<li class="row"><span>${texts.offer[one.resolution]}</span>${one.refund ? html`<strong class="num">${price(one.refund)}</strong>` : nothing}</li>`)}</ul>`;
  }

  answers({ offers }, held) {
    return offers.map(
      ({ resolution, refund }) => html`
        <button type="button" class="pay" aria-disabled=${held} @click=${() => this.press(true, resolution)}>
          ${texts.chooseOffer[resolution]}${refund ? ` · ${price(refund)}` : ''}
        </button>
      `,
    );
  }
}

/** A return that is not sent after all. */
class ReturnCancel extends Question {
  ended({ status }) {
    return status === 'claimed' ? 'done' : null;
  }

  heading({ return_cancel: told }) {
    return texts.giveUp[told.kind];
  }

  lead({ return_cancel: told }) {
    return `${told.number} · ${say(texts.order, { number: told.order_number })}`;
  }

  yes() {
    return texts.giveUpYes;
  }

  content({ return_cancel: told }) {
    return html`
      <ul class="lines">${told.lines.map((line) => html`<li>${line.quantity} × ${line.title}</li>`)}</ul>
      <dl class="totals">${told.refund.amount ? row(texts.givenBack, told.refund, texts.refundTo.original) : html`<div class="row"><dt>${texts.noMoney}</dt></div>`}</dl>
    `;
  }
}

/** Where things go from now on. */
class DefaultAddress extends Question {
  ended({ status }) {
    return status === 'claimed' ? 'done' : null;
  }

  heading() {
    return texts.newAddress;
  }

  lead() {
    return texts.newAddressLead;
  }

  content({ default_address: told }) {
    return html`${address(told.ship_to).map((part) => html`<div>${part}</div>`)}`;
  }
}

/** Something that one of the shop's own people is asked to agree to. */
class StaffAct extends Question {
  ended({ status }) {
    return status === 'claimed' ? 'done' : null;
  }

  heading({ title }) {
    return title;
  }

  lead() {
    return texts.actLead;
  }

  yes() {
    return texts.actYes;
  }

  result({ outcome }) {
    return outcome;
  }

  content({ words }) {
    return html`<ul class="lines">${words.map((one) => html`<li>${one}</li>`)}</ul>`;
  }
}

const lines = (all) => html`
  <ul class="lines">
    ${all.map(
      (one) => html`
        <li class="row">
          <span class="grow">
            <span class="name">${one.quantity} × ${one.title}</span>
            <span class="muted small">${options(one.options)}</span>
            ${one.notice ? html`<br /><span class="small">${one.notice}</span>` : nothing}
          </span>
          <span class="num">${price(one.total)}</span>
        </li>
      `,
    )}
  </ul>
`;

const row = (name, amount, note = '', look = 'row grand') =>
  amount?.amount
    ? html`<div class=${look}><dt>${name}${note ? html` <span class="muted small">${note}</span>` : nothing}</dt><dd class="num">${price(amount)}</dd></div>`
    : nothing;

define('ic-change', Change);
define('ic-claim-choice', ClaimChoice);
define('ic-return-cancel', ReturnCancel);
define('ic-default-address', DefaultAddress);
define('ic-staff-act', StaffAct);
