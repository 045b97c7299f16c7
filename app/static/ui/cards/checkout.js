import { html, nothing } from '../../vendor/lit-3.3.3.min.js';
import { money } from '../format.js';
import { items, say, texts } from './texts.js';
import { Card, define } from './base.js';
import { carriage, facts, goesApart, goesTo, goods, totals } from './parts.js';

/**
 * A checkout being filled in. Paying needs the confirmation card: here one can only ask for it. `data.past` marks one
 * that is over, `data.confirming` one whose confirmation card is open: that shows all but the other ways to ship.
 */
class Checkout extends Card {
  view(session) {
    const { currency, missing = [], problems = [], fulfillment_options: ways } = session;
    if (session.past) return this.#past(session);
    const told = (session.notices ?? []).map((words) => html`<p class="notice">${words}</p>`);
    if (session.confirming) {
      if (ways.length < 2 && !told.length) return nothing;
      return html`<div class="card stack">${told}${ways.length > 1 ? this.#ways(ways, currency, true) : nothing}</div>`;
    }
    const open = !['completed', 'canceled', 'expired'].includes(session.status);
    return html`
      <div role="group" class="card stack" aria-label=${texts.checkoutTitle}>
        <h2 tabindex="-1">${texts.checkoutTitle}</h2>
        ${problems.map((problem) => html`<p class="notice">${problem}</p>`)}${told}
        <ul class="lines">${session.lines.map((line) => goods(line, line.quantity, money(line.base_amount, currency)))}</ul>
        ${facts([
          goesTo(ways.find((way) => way.selected), session.ship_to, (rows) => rows.join(', ')),
          ...goesApart(session.ways, ways.find((way) => way.selected), session.lines),
          ...(session.tenders ?? []).map((part) => [part.label, money(part.amount, currency)]),
          [texts.payWith, session.payment_method?.label],
          [texts.email, session.buyer?.email],
        ])}
        ${open && ways.length > 1 ? this.#ways(ways, currency) : nothing}
        ${totals(soFar(session), currency)}
        ${open ? this.#storedValue(session.tenders ?? []) : nothing}
        ${open ? this.#next(missing, problems) : nothing}
      </div>
    `;
  }

  #past({ lines, totals: rows, currency }) {
    const count = lines.reduce((sum, line) => sum + line.quantity, 0);
    const total = rows.find((row) => row.type === 'total')?.amount ?? 0;
    return html`<p class="muted small">${say(texts.checkoutThen, { items: items(count), total: money(total, currency) })}</p>`;
  }

  #ways(ways, currency, titled = false) {
    return html`
      ${titled ? html`<h2 tabindex="-1">${texts.delivery}</h2>` : nothing}
      <div class="ways" role="group" aria-label=${texts.delivery}>${ways.map((way) => this.#way(way, currency))}</div>
    `;
  }

  /** The code leaves this field for the server alone; the field is emptied at once. */
  #storedValue(tenders) {
    const apply = (event) => {
      event.preventDefault();
      const field = event.target.elements.code;
      const code = field.value.trim();
      field.value = '';
      if (code) this.act('use_stored_value', { code });
    };
    return html`
      <details>
        <summary>${texts.storedValue}</summary>
        <form class="bar" autocomplete="off" @submit=${apply}>
          <label class="grow">
            <span class="small">${texts.giftCode}</span>
            <input name="code" maxlength="40" minlength="4" required autocomplete="off" spellcheck="false" />
          </label>
          <button>${texts.apply}</button>
        </form>
        <div class="bar">
          <button type="button" @click=${() => this.act('use_stored_value')}>${texts.useCredit}</button>
          ${tenders.length ? html`<button type="button" @click=${() => this.act('drop_stored_value')}>${texts.dropStored}</button>` : nothing}
        </div>
      </details>
    `;
  }

  #next(missing, problems) {
    if (missing.length) {
      const words = missing.map((part) => texts.missing[part] ?? part).join(', ');
      return html`
        <p class="small"><strong>${texts.missingLead}</strong> ${words}</p>
        ${missing.length === 1 && missing[0] === 'payment_method'
          ? html`<div class="bar"><button type="button" class="main" @click=${() => this.act('enter_card')}>${texts.cardEntry}</button></div>`
          : nothing}
      `;
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
        @click=${() => way.selected || this.act('say', { text: say(texts.said.shipping, { title: way.title.split(',')[0] }) })}
      >
        <span class="grow">
          ${way.title} <span class="muted small">${carriage(way)}</span>
        </span>
        <span class="num">${cost}</span>
      </button>
    `;
  }
}

/** Without an address nobody knows the tax, and the sum is not yet the total. */
function soFar({ totals: rows, missing = [] }) {
  if (!missing.includes('address')) return rows;
  const known = rows.filter((row) => row.type !== 'tax' || row.amount);
  return known.map((row) => (row.type === 'total' ? { ...row, display_text: texts.totalSoFar } : row));
}

define('ic-checkout', Checkout);
