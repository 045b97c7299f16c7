// <ic-order-panel>: who the shopper is, what they bought, and the order in focus with all that can be done to it.
// `target = {order_id?, shopper_id?, thread_id?, case_id?}` (or the attributes case-id, order-id, thread-id); says `ic-changed`
// once something was done. Everything it knows, and everything that is allowed, comes from `/v1/staff/panel`.
import { get, post } from './api.js';
import { Said, keep, kept } from './drafts.js';
import { act } from './order-acts.js';
import { el, moment, money, toast } from './shell.js';

const NAMES = ['order_id', 'shopper_id', 'thread_id', 'case_id'];
const GOOD = new Set(['paid', 'delivered', 'closed', 'captured', 'succeeded', 'applied', 'approved', 'exchanged']);
const WARN = new Set(['on_hold', 'backordered', 'disputed', 'partially_refunded', 'pending', 'lost', 'exception', 'requested', 'failed', 'authorized']);

export const words = (code) => String(code ?? '').replaceAll('_', ' ').replace(/^./, (first) => first.toUpperCase());
export const price = (amount) => money(amount.amount, amount.currency);
export const chip = (code) => el('span', { class: `st-chip ${GOOD.has(code) ? 'good' : WARN.has(code) ? 'warn' : ''}` }, words(code));

export class OrderPanel extends HTMLElement {
  static observedAttributes = NAMES.map((name) => name.replace('_', '-'));
  #target = {};
  #given = null;
  #shown = null;
  #asked = 0;
  #full = false;
  #noting = new Map(); // by order: its note's form, which stays the same one however often the panel is drawn

  get target() { return this.#target; }

  /** The same object again is no news: whoever draws with Lit gives it at every drawing. */
  set target(wanted) {
    if (wanted && wanted === this.#given) return;
    this.#given = wanted;
    this.#target = Object.fromEntries(NAMES.map((name) => [name, wanted?.[name]]).filter(([, value]) => value));
    if (this.isConnected) this.load();
  }

  connectedCallback() {
    this.#full = this.hasAttribute('full');
    if (NAMES.some((name) => this.#target[name])) this.load();
  }

  attributeChangedCallback(name, _before, value) {
    this.target = { ...this.#target, [name.replace('-', '_')]: value };
  }

  /** Reads it again; the newest question wins. */
  async load() {
    const number = (this.#asked += 1);
    if (!NAMES.some((name) => this.#target[name])) return;
    this.setAttribute('aria-busy', 'true');
    if (!this.#shown) this.replaceChildren(el('div', { class: 'st-state', 'data-state': 'loading' }, 'Loading'));
    try {
      const shown = await get(`/v1/staff/panel?${new URLSearchParams(this.#target)}`);
      if (number !== this.#asked) return;
      this.#shown = shown;
      this.#draw();
    } catch (problem) {
      if (number === this.#asked) this.#failed(problem);
    } finally {
      if (number === this.#asked) this.removeAttribute('aria-busy');
    }
  }

  #failed(problem) {
    const again = el('button', { type: 'button', onclick: () => this.load() }, 'Try again');
    this.replaceChildren(el('div', { class: 'op-empty' }, el('p', { class: 'st-problem', role: 'alert' }, problem.message), again));
  }

  #draw() {
    const { shopper, orders, focus, cards } = this.#shown;
    const held = this.#remember();
    this.replaceChildren(
      ...[
        shopper && this.#shopper(shopper, focus),
        cards.length > 0 && section('Cards open in this conversation', el('ul', { class: 'op-list' }, ...cards.map(openCard))),
        orders.length > 1 && this.#orders(orders, focus),
        focus ? this.#order(focus) : el('p', { class: 'op-empty muted' }, 'Nothing was bought yet.'),
      ].filter(Boolean),
    );
    held();
  }

  /** What was open stays open, and the focus stays where it was, when the panel is drawn again. */
  #remember() {
    const open = new Set([...this.querySelectorAll('details[open]')].map((one) => one.dataset.name));
    const held = this.contains(document.activeElement) ? document.activeElement : null;
    const at = held?.dataset.act;
    return () => {
      for (const one of this.querySelectorAll('details[data-name]')) one.open ||= open.has(one.dataset.name);
      if (held?.isConnected) held.focus({ preventScroll: true });
      if (at) this.querySelector(`[data-act="${CSS.escape(at)}"]`)?.focus();
    };
  }

  #shopper(who, focus) {
    const known = who.level === 'verified';
    const sums = who.sums.flatMap((sum) => [
      ['Paid in all', price(sum.paid)],
      ['Given back', price(sum.refunded)],
    ]);
    const count = who.sums.reduce((all, sum) => all + sum.orders, 0);
    const facts = [
      ['Orders', count],
      ...sums,
      ['Returns', who.returns],
      ['Claims', who.claims],
      ['Open cases', who.cases && focus ? el('a', { href: `/staff?q=${encodeURIComponent(focus.row.number)}` }, String(who.cases)) : who.cases],
      ...(known ? [['Points', who.points]] : []),
    ];
    return el(
      'section',
      { class: 'op-part', 'aria-label': 'The shopper' },
      el(
        'div',
        { class: 'op-who' },
        el('h2', {}, who.name || 'A guest'),
        el('span', { class: `st-chip ${known ? 'good' : 'warn'}` }, known ? 'Verified e-mail' : 'Guest'),
      ),
      who.email && el('p', { class: 'op-mail' }, who.email, !known && el('span', { class: 'muted small' }, ' as typed, not proven')),
      el('dl', { class: 'op-sums' }, ...facts.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', { class: 'num' }, value instanceof Node ? value : String(value))))),
    );
  }

  #orders(orders, focus) {
    const rows = orders.map((one) => {
      const here = one.id === focus?.row.id;
      return el(
        'li',
        {},
        el(
          'button',
          { type: 'button', class: 'op-order', 'aria-current': here ? 'true' : null, 'data-act': one.id, onclick: () => { this.target = { ...this.#target, order_id: one.id }; } },
          el('span', {}, el('strong', {}, one.number), ' ', el('span', { class: 'muted small' }, moment(one.placed_at))),
          el('span', { class: 'num' }, price(one.total)),
          el('span', { class: 'muted small' }, `${words(one.payment_status)}, ${words(one.fulfillment_status).toLowerCase()}`),
        ),
      );
    });
    return fold('orders', `Their orders (${orders.length})`, el('ul', { class: 'op-orders' }, ...rows), !this.#full);
  }

  #order(focus) {
    const { row, order } = focus;
    const title = this.#full ? `Order ${row.number}` : el('a', { href: `/staff/orders/${row.number}` }, `Order ${row.number}`);
    return el(
      'section',
      { class: 'op-focus', 'aria-label': `Order ${row.number}` },
      el('div', { class: 'op-who' }, el('h2', {}, title), chip(row.status), chip(row.payment_status), chip(row.fulfillment_status)),
      el('p', { class: 'muted small' }, `Placed ${moment(row.placed_at)}`, row.origin && ` · ${words(row.origin)} for another order`),
      order.hold_reason && el('p', { class: 'op-note warn' }, `On hold: ${order.hold_reason}`),
      this.#waiting(focus),
      this.#acts(focus),
      section('Lines', el('ul', { class: 'op-list' }, ...order.lines.map(line))),
      section('Money', moneyOf(focus), el('ul', { class: 'op-list' }, ...focus.payments.map(payment), ...focus.refunds.map(refund), ...focus.disputes.map(dispute))),
      this.#lanes(focus),
      order.changes.length > 0 && fold('changes', `Changes (${order.changes.length})`, el('ul', { class: 'op-list' }, ...order.changes.map((one) => change(one, row.total.currency)))),
      focus.claims.length > 0 && section('Warranty claims', el('ul', { class: 'op-list' }, ...focus.claims.map(claim))),
      order.ship_to && section('Goes to', el('p', {}, address(order.ship_to)), order.fulfillment && el('p', { class: 'muted small' }, order.fulfillment.title)),
      this.#notes(order),
    );
  }

  #waiting({ cards, approvals }) {
    if (!cards.length && !approvals.length) return null;
    const rows = [
      ...cards.map(openCard),
      ...approvals.map((one) => el(
        'li',
        { class: 'op-row' },
        el('span', {}, el('strong', {}, `${words(one.kind)} of ${price(one.amount)}`), ' waits for an approval'),
        el('a', { href: `/staff/approvals#${one.id}` }, 'Look'),
      )),
    ];
    return el('section', { class: 'op-note warn', 'aria-label': 'Waiting' }, el('ul', { class: 'op-list' }, ...rows));
  }

  #acts(focus) {
    const allowed = focus.actions.filter((one) => one.allowed);
    const not = focus.actions.filter((one) => !one.allowed);
    const buttons = allowed.map((one) => el('button', { type: 'button', 'data-act': one.action, onclick: () => this.#act(focus, one) }, one.title));
    const why = el('dl', { class: 'op-why' }, ...not.map((one) => el('div', {}, el('dt', {}, one.title), el('dd', {}, one.why_not))));
    return wide('What you can do', el('div', { class: 'op-acts' }, ...buttons), not.length > 0 && fold('why', `Not now (${not.length})`, why));
  }

  async #act(focus, action) {
    const where = { thread_id: this.#shown.thread_id, case_id: this.#shown.case_id };
    const done = await act(focus, action, where);
    if (!done) return;
    toast(done.words);
    await this.load();
    this.dispatchEvent(new CustomEvent('ic-changed', { bubbles: true, composed: true, detail: { order_id: focus.row.id, action: action.action, status: done.status } }));
  }

  #lanes(focus) {
    const lanes = [...focus.order.shipments.map((one) => parcel(one)), ...focus.returns.map((one) => comingBack(one))];
    return lanes.length > 0 && wide('Parcels and returns', el('div', { class: 'op-lanes' }, ...lanes));
  }

  #notes(order) {
    const rows = order.notes.map((note) => el(
      'li',
      { class: 'op-said' },
      el('p', {}, note.text),
      el('p', { class: 'muted small' }, `${note.audience === 'staff' ? 'For staff' : 'For the shopper too'}, ${moment(note.created_at)}`),
    ));
    const form = this.#noteForm(order.id);
    const begun = form.elements.text.value !== '';
    return fold('notes', `Notes (${order.notes.length})`, el('div', { class: 'op-notes' }, rows.length > 0 && el('ul', { class: 'op-list' }, ...rows), form), begun);
  }

  #noteForm(id) {
    if (this.#noting.has(id)) return this.#noting.get(id);
    const field = el('textarea', { id: `op-note-${id}`, rows: 2, maxlength: 2000, required: true, name: 'text', oninput: () => keep(id, field.value) });
    field.value = kept(id);
    const said = new Said();
    const form = el(
      'form',
      { class: 'st-form', onsubmit: (event) => { event.preventDefault(); this.#note(id, form, said); } },
      el('label', { for: field.id }, 'A note for the shop’s people'),
      field,
      el('button', {}, 'Keep the note'),
    );
    this.#noting.set(id, form);
    return form;
  }

  async #note(id, form, said) {
    const { text } = form.elements;
    const button = form.querySelector('button');
    const words = text.value;
    button.disabled = true;
    try {
      await post(`/v1/orders/${id}/notes`, { text: words, audience: 'staff' }, said.keyOf(words));
      said.answered();
      if (text.value === words) text.value = ''; // else what was written since stays
      keep(id, text.value);
      toast('The note is kept.');
      await this.load();
    } catch (problem) {
      toast(problem.message, 'bad');
    }
    button.disabled = false;
  }
}

export const section = (title, ...parts) => el('section', { class: 'op-part' }, el('h3', {}, title), ...parts);

function wide(...parts) {
  const made = section(...parts);
  made.classList.add('op-wide');
  return made;
}

function fold(name, title, body, open = false) {
  return el('details', { class: 'op-fold', 'data-name': name, open }, el('summary', {}, title), body);
}

function openCard(one) {
  return el('li', { class: 'op-row' }, el('span', {}, one.message), el('span', { class: 'muted small' }, `Waits for the shopper until ${moment(one.expires_at)}`));
}

function line(one) {
  const kept = one.ordered - one.canceled;
  const states = [
    [kept, 'kept'],
    [one.canceled, 'canceled'],
    [kept - one.allocated, 'waiting for stock'],
    [one.released - one.shipped, 'being packed'],
    [one.shipped - one.delivered, 'on the way'],
    [one.delivered - one.returned, 'delivered'],
    [one.returned, 'returned'],
  ];
  const told = states.slice(1).filter(([units]) => units > 0).map(([units, said]) => `${units} ${said}`);
  const detail = [one.sku, ...Object.values(one.options)].filter(Boolean).join(' · ');
  return el(
    'li',
    { class: 'op-line' },
    el('img', { src: one.image, alt: '', width: 44, height: 44, loading: 'lazy' }),
    el('div', {}, el('p', {}, el('strong', {}, `${one.ordered} × ${one.title}`)), el('p', { class: 'muted small' }, detail), el('p', { class: 'small' }, told.join(', ') || 'Not sent yet')),
    el('span', { class: 'num' }, price(one.unit_price)),
  );
}

function moneyOf({ money: sums }) {
  const rows = [
    ['Total', sums.total, true],
    ['Due now', sums.due, sums.due.amount !== sums.total.amount],
    ['Paid', sums.paid, true],
    ['Set aside', sums.held, sums.held.amount],
    ['Given back', sums.refunded, sums.refunded.amount],
    ['On its way back', sums.refunding, sums.refunding.amount],
    ['Still open', sums.balance, sums.balance.amount && !sums.held.amount],
  ];
  return el('dl', { class: 'st-facts' }, ...rows.filter(([, , shown]) => shown).map(([name, amount]) => el('div', {}, el('dt', {}, name), el('dd', { class: 'num' }, price(amount)))));
}

const row = (title, detail, state, amount) => el(
  'li',
  { class: 'op-row' },
  el('span', {}, el('strong', {}, title), detail && el('span', { class: 'muted small' }, ` ${detail}`)),
  el('span', { class: 'op-end' }, state && chip(state), amount && el('span', { class: 'num' }, amount)),
);

const payment = (one) => row(one.method.label || words(one.tender), `up to ${price(one.refundable)} can go back`, one.status, price(one.captured.amount ? one.captured : one.amount));
const refund = (one) => row(`Refund${one.destination === 'original' ? '' : ' to store credit'}`, one.reason, one.status, `−${price(one.amount)}`);
const dispute = (one) => row('Dispute', one.reason, one.status, price(one.amount));
const change = (one, currency) => row(words(one.kind), one.message, one.status, one.difference ? money(one.difference, currency) : '');
const claim = (one) => row(`Claim ${one.number}`, one.product_title ?? '', one.status, '');

function parcel(one) {
  const what = one.lines.map((part) => `${part.quantity} × ${part.title}`).join(', ');
  return lane(`Parcel by ${one.carrier}`, one.tracking_number, one.status, what, one.events);
}

function comingBack(one) {
  const what = one.lines.map((part) => `${part.quantity} × ${part.title}`).join(', ');
  const label = one.label && el('a', { href: `/v1/returns/${one.id}/label.pdf?as=staff`, target: '_blank', rel: 'noopener' }, 'Label to print');
  return lane(`${words(one.kind)} ${one.number}`, one.tracking_number ?? '', one.status, what, one.parcel, label);
}

function lane(title, number, state, what, events, more = null) {
  const steps = [...events].reverse().slice(0, 6).map((event) => el('li', {}, el('time', { datetime: event.at, class: 'muted small' }, moment(event.at)), ' ', event.text || words(event.status)));
  return el(
    'section',
    { class: 'op-lane' },
    el('div', { class: 'op-row' }, el('h4', {}, title), chip(state)),
    number && el('p', { class: 'num small' }, number),
    el('p', { class: 'small' }, what),
    steps.length > 0 && el('ol', { class: 'op-steps' }, ...steps),
    more && el('p', { class: 'op-more' }, more),
  );
}

export function address(one) {
  return [one.name, one.line_one, one.line_two, [one.city, one.state, one.postal_code].filter(Boolean).join(' '), one.country].filter(Boolean).join(', ');
}

customElements.define('ic-order-panel', OrderPanel);
