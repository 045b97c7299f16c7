import { html, nothing } from '../../vendor/lit-3.3.3.min.js';
import { get } from '../api.js';
import { say, texts } from './texts.js';
import { Card, define } from './base.js';
import { facts } from './parts.js';
import { moment } from './words.js';

const LOOK_AGAIN_MS = 15_000;

/** A request for a person. While one waits, its place in the queue is asked for again and again. `data.past`: a newer
 * one shows it; `data.thread` is the conversation as it is. */
class Handoff extends Card {
  static properties = { now: { state: true } };

  connectedCallback() {
    super.connectedCallback();
    this.timer = setInterval(() => this.#look(), LOOK_AGAIN_MS);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.timer);
  }

  get mode() {
    return this.data.past ? 'agent' : (this.data.thread?.mode ?? this.data.mode);
  }

  async #look() {
    if (document.hidden || !this.data.thread || this.mode !== 'waiting_human') return; // the console shows it with no thread
    this.now = await get(`/v1/threads/${this.data.thread.id}/handoff`).catch(() => this.now);
  }

  view(data) {
    const { mode } = this;
    const { reference, hours, position, opens_at: opens, answer_by: until } = { ...data, ...this.now };
    const waits = mode === 'waiting_human';
    return html`
      <div role="group" class="card stack" aria-label=${texts.handoff[mode]}>
        <div class="stack" role="status">
          <h2 tabindex="-1">${texts.handoff[mode]}</h2>
          ${waits && opens ? html`<p>${say(texts.nobodyNow, { when: moment(opens) })}</p>` : nothing}
          ${waits && position ? html`<p><strong>${say(texts.place, { count: position })}</strong></p>` : nothing}
          ${mode === 'agent' ? nothing : html`<p class="muted small">${texts.handoffHint}</p>`}
        </div>
        ${facts([
          [texts.reference, reference],
          [texts.hours, mode !== 'agent' && hours],
          [texts.answerBy, waits && until && moment(until)],
        ])}
      </div>
    `;
  }
}

define('ic-handoff', Handoff);
