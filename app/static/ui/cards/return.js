import { html, nothing } from '../../vendor/lit-3.3.3.min.js';
import { price } from '../format.js';
import { say, texts } from './texts.js';
import { Card, define } from './base.js';
import './evidence.js';
import { facts, tracked } from './parts.js';
import { day, returnTitle, status } from './words.js';

const LIVE = ['approved', 'label_ready'];
const UNDECIDED = ['submitted', 'in_review', 'need_info'];

const head = (title, data) => html`
  <div class="row"><h2 tabindex="-1">${title}</h2><span class="pill">${status(data.status)}</span></div>
`;
const label = (path) => html`
  <div class="bar"><a class="button main" href="${path}/label.pdf" target="_blank" rel="noopener">${texts.printLabel}</a></div>
`;
const pictures = (path, kept, lead) => html`
  <section class="stack"><h3>${lead}</h3><ic-evidence .path="${path}/evidence" .kept=${kept ?? []}></ic-evidence></section>
`;

/** A return or an exchange, and what is still to be done about it. `data.past`: a newer card shows the same. */
class Return extends Card {
  view(data) {
    const waits = LIVE.includes(data.status) && !data.keep && !data.past;
    const title = returnTitle(data);
    const path = `/v1/returns/${data.id}`;
    return html`
      <div role="group" class="card stack" aria-label=${title}>
        ${head(title, data)}
        <ul class="lines">${data.lines.map((line) => html`<li>${line.quantity} × ${line.title}${line.exchange_title ? html` <span class="muted">→ ${line.exchange_title}</span>` : nothing}</li>`)}</ul>
        ${data.message ? html`<p class="muted small">${data.message}</p>` : nothing}
        ${facts([
          [texts.givenBack, data.refund.amount ? price(data.refund) : ''],
          [texts.charged, data.charge.amount && data.status !== 'canceled' ? price(data.charge) : ''],
          [texts.keptFee, data.fee?.amount ? price(data.fee) : ''],
          [texts.sendBy, waits ? day(data.send_by) : ''],
          [texts.trackingNumber, tracked(data)],
        ])}
        ${data.evidence_wanted && !data.past ? pictures(path, data.evidence, texts.showFault) : nothing}
        ${data.label && waits ? label(path) : nothing}
      </div>
    `;
  }
}

/** A warranty claim. */
class Claim extends Card {
  view(data) {
    const title = say(texts.claimOf, data);
    const path = `/v1/claims/${data.id}`;
    return html`
      <div role="group" class="card stack" aria-label=${title}>
        ${head(title, data)}
        <p>${data.title}</p>
        ${data.message ? html`<p class=${data.status === 'need_info' ? 'notice' : 'muted small'}>${data.message}</p>` : nothing}
        ${data.status === 'need_info' ? html`<p class="small">${texts.answerHere}</p>` : nothing}
        ${facts([
          [texts.offered, !data.resolution && data.offers?.map((one) => texts.offer[one]).join(' · ')],
          [texts.resolution, data.resolution && texts.chosen[data.resolution]],
          [texts.givenBack, data.resolution === 'refund' && data.refund?.amount ? price(data.refund) : ''],
          [texts.trackingNumber, data.send_in && tracked(data.send_in)],
          [texts.sentBack, data.sent_back && tracked(data.sent_back)],
          [texts.sendBy, data.comes_back && data.answer_by ? day(data.answer_by) : ''],
        ])}
        ${UNDECIDED.includes(data.status) && !data.past ? pictures(path, data.evidence, texts.showFault) : nothing}
        ${data.comes_back && data.send_in && !data.past ? label(path) : nothing}
      </div>
    `;
  }
}

define('ic-return', Return);
define('ic-claim', Claim);
