// What is half-written stays in this tab until it was sent, also when the page is left and come back to. Signing out ends it.
import { me } from './shell.js';

const PREFIX = `ic-draft:${me.id}:`;

/** The words kept under `name`, or ''. */
export function kept(name) {
  try {
    return sessionStorage.getItem(PREFIX + name) ?? '';
  } catch {
    return '';
  }
}

export function keep(name, text) {
  try {
    if (text) sessionStorage.setItem(PREFIX + name, text);
    else sessionStorage.removeItem(PREFIX + name);
  } catch {
    // a browser that keeps nothing: the words last as long as the page
  }
}

/** One idempotency key for each text: said again for want of an answer, it is said once. */
export class Said {
  #text = '';
  #key = '';

  keyOf(text) {
    if (text !== this.#text || !this.#key) [this.#text, this.#key] = [text, crypto.randomUUID()];
    return this.#key;
  }

  /** An answer came: the same words are said anew. */
  answered() {
    this.#key = '';
  }
}
