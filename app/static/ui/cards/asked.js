// What every card that asks for a yes or no shares: a clock that runs out, one press, and the focus where it belongs.
import { serverNow } from '../clock.js';
import { Card } from './base.js';

export const LAST_MINUTE_MS = 60_000;

/** `data` is the activity, and from the host: `decision` {approved, error} once pressed here. Kinds give `phase`. */
export class Asked extends Card {
  static properties = { left: { state: true } };
  connectedCallback() {
    super.connectedCallback();
    this.classList.add('ic-asked');
    this.timer = setInterval(() => this.tick(), 500);
    this.tick();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.timer);
  }

  willUpdate(changed) {
    if (!changed.has('data')) return;
    this.tick();
    if (this.data.decision?.error) this.pressed = false;
  }

  focusHeading() {
    this.updateComplete.then(() => this.querySelector('h2')?.focus({ preventScroll: true }));
  }

  /** Brings the card to the top of the screen and to the ears of whoever cannot see it. */
  present() {
    this.updateComplete.then(() => this.scrollIntoView({ block: 'start' }));
    this.focusHeading();
  }

  updated() {
    const phase = this.data && this.phase;
    if (this.hadFocus && phase !== this.lastPhase) this.focusHeading();
    this.lastPhase = phase;
  }

  update(changed) {
    this.hadFocus = this.contains(document.activeElement);
    super.update(changed);
  }

  tick() {
    if (!this.data) return;
    // The server's clock is known to half a second: end early rather than late.
    const left = Date.parse(this.data.expires_at) - serverNow() - 500;
    this.left = Math.max(0, Math.ceil(left / 1000) * 1000);
  }

  press(approved, choice) {
    if (this.pressed || this.phase !== 'open') return;
    this.pressed = true;
    this.requestUpdate();
    this.decide(this.data.id, approved, choice);
  }
}
