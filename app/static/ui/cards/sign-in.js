import { html, nothing } from '../../vendor/lit-3.3.3.min.js';
import { post } from '../api.js';
import { texts, told } from './texts.js';
import { Card, define } from './base.js';

/** Proves an e-mail by the code that was sent there. What is typed goes to the shop's sign-in alone, never to the chat. */
class SignIn extends Card {
  static properties = { busy: { state: true }, error: { state: true }, done: { state: true }, sent: { state: true } };

  view({ email, past }) {
    if (this.done || past) return this.#over();
    return html`
      <form class="card stack" aria-label=${texts.signIn} @submit=${(event) => this.#verify(event)}>
        <div>
          <h2 tabindex="-1">${texts.signIn}</h2>
          <p class="muted small">${texts.signInLead}</p>
        </div>
        <label class="field"><span>${texts.email}</span><input name="email" type="email" autocomplete="email" required maxlength="254" .value=${email ?? ''} /></label>
        <label class="field"><span>${texts.code}</span><input name="code" inputmode="numeric" autocomplete="one-time-code" required maxlength="20" pattern="[0-9 \\-]{6,20}" /></label>
        ${this.error ? html`<p class="notice" role="alert">${this.error}</p>` : nothing}
        <p class="small muted" role="status">${this.sent ? texts.codeSent : ''}</p>
        <div class="bar">
          <button type="submit" class="main" aria-disabled=${this.busy ? 'true' : 'false'}>${texts.signInNow}</button>
          <button type="button" aria-disabled=${this.busy ? 'true' : 'false'} @click=${() => this.#sendAgain()}>${texts.sendCode}</button>
        </div>
      </form>
    `;
  }

  #over() {
    return html`
      <div role="group" class="card" aria-label=${texts.signIn}>
        <p class=${this.done ? 'good' : 'muted'} role="status">${this.done ? texts.signedIn : texts.signInOver}</p>
      </div>
    `;
  }

  async #verify(event) {
    event.preventDefault();
    const { email, code } = Object.fromEntries(new FormData(event.target));
    if (!(await this.#ask('verify', { email, code }))) return;
    this.done = true;
    this.act('signed_in');
  }

  async #sendAgain() {
    const email = this.querySelector('[name=email]').value;
    if (email) this.sent = await this.#ask('codes', { email });
  }

  /** Asks the shop's sign-in; true when it said yes, else its words are shown. */
  async #ask(what, body) {
    if (this.busy) return false;
    Object.assign(this, { busy: true, error: '', sent: false });
    try {
      await post(`/v1/identity/${what}`, body);
      return true;
    } catch (problem) {
      this.error = problem.status ? told(problem) : texts.notApplied;
      return false;
    } finally {
      this.busy = false;
    }
  }
}

define('ic-sign-in', SignIn);
