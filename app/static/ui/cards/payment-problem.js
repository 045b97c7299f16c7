import { html, nothing } from '../../vendor/lit-3.3.3.min.js';
import { texts } from './texts.js';
import { Card, define } from './base.js';

class PaymentProblem extends Card {
  view({ message, retryable, challenge_url: challenge, past }) {
    const bank = /^https?:\/\//.test(challenge ?? '') ? challenge : null;
    const title = bank ? texts.bankFirst : texts.problem;
    return html`
      <div role="group" class="card stack" aria-label=${title}>
        <div>
          <h2 tabindex="-1">${title}</h2>
          <p>${message} ${texts.notCharged}</p>
          ${bank && !past ? html`<p class="muted small">${texts.bankHint}</p>` : nothing}
        </div>
        ${past ? nothing : html`<div class="bar">${retryable ? this.#ways(bank) : this.#person()}</div>`}
      </div>
    `;
  }

  /** What helps most comes first: the bank where it asked, else another card. */
  #ways(bank) {
    const otherCard = (look) => html`<button type="button" class=${look} @click=${() => this.act('enter_card')}>${texts.otherCard}</button>`;
    return html`
      ${bank ? html`<a class="button main" href=${bank} target="_blank" rel="noopener noreferrer">${texts.challenge}</a>` : otherCard('main')}
      <button type="button" @click=${() => this.act('request_confirmation')}>${texts.freshCard}</button>
      ${bank ? otherCard('') : nothing}
    `;
  }

  #person() {
    return html`<button type="button" @click=${() => this.act('request_human')}>${texts.talkToPerson}</button>`;
  }
}

define('ic-payment-problem', PaymentProblem);
