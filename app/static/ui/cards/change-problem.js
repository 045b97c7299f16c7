import { html, nothing } from '../../vendor/lit-3.3.3.min.js';
import { texts } from './texts.js';
import { Card, define } from './base.js';

/** What was agreed to did not happen: why, and how it is tried again. */
class ChangeProblem extends Card {
  view({ message, challenge_url: challenge, retry, past }) {
    const bank = /^https?:\/\//.test(challenge ?? '') ? challenge : null;
    const title = bank ? texts.bankFirst : texts.changeProblem;
    return html`
      <div role="group" class="card stack" aria-label=${title}>
        <div>
          <h2 tabindex="-1">${title}</h2>
          <p>${message} ${message.includes(texts.nothingChanged) ? '' : texts.nothingChanged}</p>
          ${bank && !past ? html`<p class="muted small">${texts.bankThenAgain}</p>` : nothing}
        </div>
        ${past
          ? nothing
          : html`
              <div class="bar">
                ${bank ? html`<a class="button main" href=${bank} target="_blank" rel="noopener noreferrer">${texts.challenge}</a>` : nothing}
                ${retry ? html`<button type="button" class=${bank ? '' : 'main'} @click=${() => this.#again(retry)}>${retry.resume ? texts.bankDone : texts.askAgain}</button>` : nothing}
                ${retry ? nothing : html`<button type="button" @click=${() => this.act('request_human')}>${texts.talkToPerson}</button>`}
              </div>
            `}
      </div>
    `;
  }

  #again({ resume, action, args }) {
    if (resume) this.decideAgain(resume);
    else this.act(action, args);
  }
}

define('ic-change-problem', ChangeProblem);
