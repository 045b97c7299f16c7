import { html, nothing } from '../../vendor/lit-3.3.3.min.js';
import { texts } from './texts.js';
import { Card, define } from './base.js';

class PaymentProblem extends Card {
  view({ message, retryable, challenge_url: challenge }) {
    const bank = /^https?:\/\//.test(challenge ?? '') ? challenge : null;
    return html`
      <div role="group" class="card stack" aria-label=${texts.problem}>
        <div>
          <h2 tabindex="-1">${texts.problem}</h2>
          <p>${message}</p>
        </div>
        <div class="bar">
          ${bank ? html`<a class="button main" href=${bank} target="_blank" rel="noopener noreferrer">${texts.challenge}</a>` : nothing}
          ${retryable
            ? html`
                <button type="button" class=${bank ? '' : 'main'} @click=${() => this.act('request_confirmation')}>${texts.freshCard}</button>
                <button type="button" @click=${() => this.act('enter_card')}>${texts.otherCard}</button>
              `
            : html`<button type="button" @click=${() => this.act('request_human')}>${texts.talkToPerson}</button>`}
        </div>
      </div>
    `;
  }
}

define('ic-payment-problem', PaymentProblem);
