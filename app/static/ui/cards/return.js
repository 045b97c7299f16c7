import { html, nothing } from '../../vendor/lit-3.3.3.min.js';
import { price } from '../format.js';
import { say, texts } from './texts.js';
import { Card, define } from './base.js';
import { facts } from './parts.js';
import { day, returnTitle, status } from './words.js';

const LIVE = ['approved', 'label_ready'];

/** A return or an exchange, and what is still to be done about it. */
class Return extends Card {
  view(data) {
    const waits = LIVE.includes(data.status) && !data.keep;
    const title = returnTitle(data);
    return html`
      <div role="group" class="card stack" aria-label=${title}>
        <div class="row"><h2 tabindex="-1">${title}</h2><span class="pill">${status(data.status)}</span></div>
        <ul class="lines">${data.lines.map((line) => html`<li>${line.quantity} × ${line.title}${line.exchange_title ? html` <span class="muted">→ ${line.exchange_title}</span>` : nothing}</li>`)}</ul>
        ${data.message ? html`<p class="muted small">${data.message}</p>` : nothing}
        ${facts([
          [texts.givenBack, data.refund.amount ? price(data.refund) : ''],
          [texts.charged, data.charge.amount && data.status !== 'canceled' ? price(data.charge) : ''],
          [texts.sendBy, waits ? day(data.send_by) : ''],
          [texts.trackingNumber, data.tracking_number],
        ])}
        ${data.label && waits ? html`<div class="bar"><a class="button main" href="/v1/returns/${data.id}/label.pdf" target="_blank" rel="noopener">${texts.printLabel}</a></div>` : nothing}
      </div>
    `;
  }
}

/** A warranty claim. */
class Claim extends Card {
  view(data) {
    const title = say(texts.claimOf, data);
    return html`
      <div role="group" class="card stack" aria-label=${title}>
        <div class="row"><h2 tabindex="-1">${title}</h2><span class="pill">${status(data.status)}</span></div>
        <p>${data.title}</p>
        ${data.message ? html`<p class="muted small">${data.message}</p>` : nothing}
        ${facts([
          [texts.resolution, data.resolution && texts.chosen[data.resolution]],
          [texts.trackingNumber, data.send_in?.tracking_number],
          [texts.sendBy, data.comes_back && data.answer_by ? day(data.answer_by) : ''],
        ])}
        ${data.comes_back && data.send_in ? html`<div class="bar"><a class="button main" href="/v1/claims/${data.id}/label.pdf" target="_blank" rel="noopener">${texts.printLabel}</a></div>` : nothing}
      </div>
    `;
  }
}

define('ic-return', Return);
define('ic-claim', Claim);
