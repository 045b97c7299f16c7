// <ic-composer>: the reply and the note. Locked to notes while somebody else answers in the conversation.
import { LitElement, html, nothing } from '../vendor/lit-3.3.3.min.js';
import { keep, kept } from './drafts.js';

const KINDS = { reply: 'Reply', note: 'Internal note' };

class Composer extends LitElement {
  static properties = {
    locked: { attribute: false }, // words that say why there is no reply now, or ''
    macros: { attribute: false },
    about: { attribute: false }, // the case whose words these are
    kind: { state: true },
  };

  constructor() {
    super();
    Object.assign(this, { locked: '', macros: [], kind: 'reply' });
    this.drafts = { reply: '', note: '' };
  }

  createRenderRoot() {
    return this;
  }

  willUpdate(changed) {
    if (changed.has('about')) for (const kind of Object.keys(KINDS)) this.drafts[kind] ||= kept(`${this.about}:${kind}`);
    if (this.locked) this.kind = 'note';
    else if (this.wasLocked && !this.drafts.note) this.kind = 'reply'; // else what goes on being typed would go to the shopper
    this.wasLocked = Boolean(this.locked);
  }

  updated(changed) {
    if (changed.has('kind') || changed.has('about')) this.#box.value = this.drafts[this.kind];
  }

  get #box() {
    return this.querySelector('textarea');
  }

  /** Opens `kind` and puts the cursor there. */
  async open(kind) {
    if (kind === 'reply' && this.locked) return;
    this.kind = kind;
    await this.updateComplete;
    this.#box.focus();
  }

  /** Puts words where the cursor is. */
  async insert(text) {
    await this.open('reply');
    const box = this.#box;
    box.setRangeText(text, box.selectionStart, box.selectionEnd, 'end');
    this.#kept();
    box.focus();
  }

  /** `text` was sent: nothing is left of it, unless it was gone on with meanwhile. */
  clear(kind, text) {
    if (this.drafts[kind].trim() !== text) return;
    this.drafts[kind] = '';
    keep(`${this.about}:${kind}`, '');
    if (kind === this.kind) this.#box.value = '';
  }

  #kept() {
    this.drafts[this.kind] = this.#box.value;
    keep(`${this.about}:${this.kind}`, this.#box.value);
  }

  #typed = () => {
    this.#kept();
    if (this.kind === 'reply') this.#say('ic-typed');
  };

  #keys = (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.#send();
    } else if (event.key === 'Escape') {
      event.target.blur();
    }
  };

  #submit = (event) => {
    event.preventDefault();
    this.#send();
  };

  #send() {
    const text = this.#box.value.trim();
    if (text) this.#say('ic-send', { kind: this.kind, text });
  }

  #pick = (event) => {
    const { value } = event.target;
    event.target.value = '';
    if (value) this.#say('ic-macro', { id: value });
  };

  #say(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
  }

  render() {
    const reply = this.kind === 'reply';
    return html`
      <form class="ds-composer" data-kind=${this.kind} @submit=${this.#submit}>
        <div class="ds-kinds" role="group" aria-label="What to write">
          ${Object.entries(KINDS).map(
            ([kind, words]) => html`
              <button type="button" class="plain" aria-pressed=${kind === this.kind} ?disabled=${kind === 'reply' && Boolean(this.locked)} @click=${() => this.open(kind)}>
                ${words}
              </button>
            `,
          )}
        </div>
        <label class="sr" for="words">${reply ? 'Reply to the shopper' : 'Note for the shop’s people: the shopper never sees it'}</label>
        <textarea
          id="words"
          rows="3"
          maxlength="4000"
          placeholder=${reply ? 'Write to the shopper…' : 'Write a note. Only the shop’s people see it.'}
          aria-keyshortcuts="Control+Enter"
          @input=${this.#typed}
          @keydown=${this.#keys}
        ></textarea>
        <div class="ds-send">
          ${reply && this.macros.length
            ? html`
                <label class="sr" for="macro">Insert a macro</label>
                <select id="macro" @change=${this.#pick}>
                  <option value="">Insert a macro…</option>
                  ${this.macros.map(({ id, name }) => html`<option value=${id}>${name}</option>`)}
                </select>
              `
            : nothing}
          <span class="small muted ds-hint"><kbd>Ctrl</kbd> <kbd>Enter</kbd></span>
          <button class="main">${reply ? 'Send' : 'Add note'}</button>
        </div>
      </form>
    `;
  }
}

customElements.define('ic-composer', Composer);
