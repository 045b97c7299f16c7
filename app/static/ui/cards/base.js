// What every card shares: one property in (`data`), two events out (`ic-action`, `ic-decide`), one look.
import { LitElement, html, nothing } from '../../vendor/lit-3.3.3.min.js';
import { price } from '../format.js';
import { texts } from '../texts.js';

export class Card extends LitElement {
  static properties = { data: { attribute: false } };

  /** Light DOM: one style sheet for the page, one reading order for assistive technology. */
  createRenderRoot() {
    this.classList.add('ic-card');
    return this;
  }

  render() {
    return this.data ? this.view(this.data) : nothing;
  }

  act(name, args = {}) {
    this.#send('ic-action', { name, args });
  }

  decide(id, approved, choice) {
    this.#send('ic-decide', { id, approved, choice });
  }

  decideAgain(id) {
    this.#send('ic-decide', { id, approved: true, again: true });
  }

  #send(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }
}

export function define(name, element) {
  if (!customElements.get(name)) customElements.define(name, element);
}

/** A picture that keeps its place when it is missing. The text beside it already names it: `alt` is for tiles. */
export const picture = (source, alt = '') =>
  source ? html`<img src=${source} alt=${alt} loading="lazy" decoding="async" />` : html`<span class="img"></span>`;

/** What it costs otherwise, struck through, and said as such. */
export const otherwise = (compared) =>
  compared ? html`<s class="muted small num was"><span class="sr">${texts.was} </span>${price(compared)}</s>` : nothing;
