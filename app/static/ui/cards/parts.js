// Pieces that several cards show: goods, totals, facts.
import { html, nothing } from '../../vendor/lit-3.3.3.min.js';
import { money, options } from '../format.js';
import { isEnglish, say, texts } from './texts.js';
import { picture } from './base.js';
import { address, days, moment } from './words.js';

/** One line of goods: picture, quantity × title, options, amount. */
export const goods = (line, quantity, amount) => html`
  <li class="line">
    ${picture(line.image)}
    <span class="grow">
      <span class="name">${quantity} × ${line.title}</span>
      <span class="muted small">${options(line.options)}</span>
      ${line.notice ? html`<br /><span class="small">${line.notice}</span>` : nothing}
    </span>
    <span class="num">${amount}</span>
  </li>
`;

/** The totals as the server made them; the grand total stands out. Zero discounts say nothing and stay away. */
export const totals = (rows, currency, notes = {}) => html`
  <dl class="totals">
    ${rows.filter(worthShowing).map(
      (row) => html`
        <div class=${row.type === 'total' ? 'row grand' : row.included ? 'row muted' : 'row'}>
          <dt>${rowName(row)}${notes[row.type] ? html` <span class="muted">${notes[row.type]}</span>` : nothing}</dt>
          <dd class="num">${amountOf(row, currency)}</dd>
        </div>
      `,
    )}
  </dl>
`;

/** Who brings it, and the days on which it arrives; while those are not known, in how many where the title is silent. */
export const carriage = ({ type, title, carrier, min_days: min, max_days: max, earliest, latest, ready_by: ready, pickup_by: until }) => {
  if (type === 'digital') return '';
  if (ready) return say(texts.ready, { from: moment(ready), until: moment(until) });
  const when = earliest && latest ? say(texts.arrives, { when: days(earliest, latest) }) : /\d/.test(title) ? '' : daysFrom(min, max);
  return [carrier, when].filter(Boolean).join(', ');
};

/** Where an order goes, as a row of facts: to an address, or it waits at a place of the shop's. */
export const goesTo = (way, shipTo, show) => {
  if (way?.type === 'digital') return [texts.digital, way.title];
  const place = way?.place;
  return [place ? texts.pickUpAt : texts.shipTo, place ? show([...address(place), place.instructions].filter(Boolean)) : shipTo && show(address(shipTo))];
};

/** The ways of lines that do not go the order's own, one row each: what is digital, what is fetched elsewhere. */
export const goesApart = (ways = [], own, lines = []) =>
  ways
    .filter((way) => way.option.id !== own?.id)
    .map((way) => [
      lines.filter((line) => way.variant_ids.includes(line.variant_id)).map((line) => line.title).join(', '),
      way.option.title,
    ]);

const daysFrom = (min, count) => (min === count ? say(texts.days, { count }) : say(texts.dayRange, { min, count }));

/** The server names its sums in English; another language has words for each kind. */
const rowName = ({ type, display_text: name }) => (isEnglish ? name : texts.totals[type] ?? name);

const DISCOUNTS = ['discount', 'items_discount'];
const worthShowing = (row, _, rows) =>
  DISCOUNTS.includes(row.type)
    ? row.amount !== 0
    : row.type !== 'items_base_amount' || !rows.some((r) => r.type === 'subtotal' && r.amount === row.amount);

const amountOf = ({ type, amount }, currency) => money(DISCOUNTS.includes(type) ? -Math.abs(amount) : amount, currency);

/** A parcel's carrier and number, a link where the carrier has a page for it. */
export const tracked = ({ carrier, tracking_number: number, tracking_url: page }) => {
  if (!number) return '';
  const known = html`${carrier} <span class="num">${number}</span>`;
  return /^https:/.test(page ?? '') ? html`<a href=${page} target="_blank" rel="noopener noreferrer">${known}</a>` : known;
};

/** Name and value pairs; what has no value is left out. */
export const facts = (rows) => {
  const known = rows.filter(([, value]) => value);
  if (!known.length) return nothing;
  return html`<dl class="facts">${known.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
};
