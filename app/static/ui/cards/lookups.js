// What was looked up: when something arrives, what may come back, what is under warranty. Nothing here is pressed.
import { html, nothing } from '../../vendor/lit-3.3.3.min.js';
import { options, price } from '../format.js';
import { say, texts } from './texts.js';
import { Card, define } from './base.js';
import { facts } from './parts.js';
import { day, days, moment, returnTitle, status } from './words.js';

const panel = (title, body) => html`
  <div role="group" class="card stack" aria-label=${title}><h2 tabindex="-1">${title}</h2>${body}</div>
`;
const row = (name, more, end) => html`
  <li class="line">
    <span class="grow"><span class="name">${name}</span>${more ? html`<span class="muted small">${more}</span>` : nothing}</span>
    <span class="num">${end}</span>
  </li>
`;
const said = (sentences) => sentences.map((one) => html`<p class="small">${one}</p>`);

/** Units, and each way to an address with its price and days. */
class Availability extends Card {
  view(data) {
    return panel(data.title, html`
      <p class="muted small">${[options(data.options), data.price, data.in_stock ? say(texts.unitsThere, { count: data.in_stock }) : texts.noneThere].filter(Boolean).join(' · ')}</p>
      <ul class="lines">${data.ways.map((way) => row(way.title, this.#when(way), way.price))}</ul>
      ${data.holds_until && data.ways.length ? html`<p class="muted small">${say(texts.orderedBy, { when: moment(data.holds_until) })}</p>` : nothing}
      ${said([...data.problems, ...data.notices])}
    `);
  }

  #when({ earliest, latest, ready_by: ready }) {
    if (ready) return say(texts.readyFrom, { when: moment(ready) });
    return earliest && latest ? say(texts.arrives, { when: days(earliest, latest) }) : '';
  }
}

/** What of an order can be sent back now. */
class Returnable extends Card {
  view({ lines, message }) {
    return panel(texts.returnable, html`
      ${message ? html`<p class="muted small">${message}</p>` : nothing}
      <ul class="lines">
        ${lines.map((line) => row(`${line.units_for_fault} × ${line.title}`, line.message || (line.until ? say(texts.until, { date: day(line.until) }) : ''), price(line.worth)))}
      </ul>
    `);
  }
}

class Returns extends Card {
  view({ items }) {
    return panel(texts.returns, html`
      <ul class="lines">${items.map((one) => row(returnTitle(one), status(one.status), price(one.refund)))}</ul>
    `);
  }
}

class Warranties extends Card {
  view({ items }) {
    return panel(texts.warranties, html`
      <ul class="lines">${items.map((one) => row(one.title, one.message || one.order_number, say(texts.until, { date: day(one.ends_on) })))}</ul>
    `);
  }
}

class Complaint extends Card {
  view({ reference, order_number: order }) {
    return panel(texts.complaint, html`
      <p class="muted small">${texts.complaintHint}</p>
      ${facts([[texts.reference, reference], [texts.aboutOrder, order]])}
    `);
  }
}

define('ic-availability', Availability);
define('ic-returnable', Returnable);
define('ic-returns', Returns);
define('ic-warranties', Warranties);
define('ic-complaint', Complaint);
