// Tells the others that I look at a case, that I write, that I have gone.
import { headers, post } from './api.js';

const BEAT_MS = 15_000;
const STILL_MS = 4_000;
const AGAIN_MS = 3_000;

export class Presence {
  #path;
  #typing = false;
  #toldAt = 0;

  constructor(caseId) {
    this.#path = `/v1/staff/cases/${caseId}/presence`;
    this.#tell('here');
    setInterval(() => document.hidden || this.#typing || this.#tell('here'), BEAT_MS);
    document.addEventListener('visibilitychange', () => (document.hidden ? this.#leave() : this.#tell('here')));
    addEventListener('pagehide', () => this.#leave());
  }

  /** A key was pressed in the reply. */
  typed() {
    clearTimeout(this.still);
    this.still = setTimeout(() => this.rest(), STILL_MS);
    if (this.#typing && Date.now() - this.#toldAt < AGAIN_MS) return;
    this.#typing = true;
    this.#toldAt = Date.now();
    this.#tell('typing');
  }

  /** Nothing is being written any more. */
  rest() {
    clearTimeout(this.still);
    if (!this.#typing) return;
    this.#typing = false;
    this.#tell('here');
  }

  #tell(doing) {
    post(this.#path, { doing }).catch(() => {}); // it is told again soon
  }

  #leave() {
    const sent = { ...headers, 'Content-Type': 'application/json', 'Idempotency-Key': crypto.randomUUID() };
    fetch(this.#path, { method: 'POST', keepalive: true, headers: sent, body: JSON.stringify({ doing: 'gone' }) }).catch(() => {});
  }
}
