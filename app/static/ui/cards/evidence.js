// Pictures of what is wrong, added to the card that asks for them: picked, dropped or pasted, made small, sent one by one.
import { LitElement, html, nothing } from '../../vendor/lit-3.3.3.min.js';
import { say, texts } from '../texts.js';
import { Upload } from './upload.js';
import { define } from './base.js';

const KINDS = ['image/png', 'image/jpeg', 'image/webp'];
const LARGEST = 20 * 1024 * 1024;
const SIDE = 2048;
const TARGET = 1.5 * 1024 * 1024;
const COMPOSER = '.ic-composer';

/** `path` is what takes the pictures, `kept` those that are there. The last one on the page hears what is pasted. */
class Evidence extends LitElement {
  static properties = { path: {}, kept: { attribute: false }, over: { state: true }, uploads: { state: true } };

  constructor() {
    super();
    this.uploads = [];
  }

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    this.ears = new AbortController();
    for (const type of ['paste', 'drop', 'dragover']) document.addEventListener(type, (event) => this.#elsewhere(event), this.ears);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.ears.abort();
  }

  pick() {
    this.querySelector('input').click();
  }

  render() {
    const sent = new Set(this.uploads.map((one) => one.id));
    const kept = this.kept.filter((one) => !sent.has(one.id));
    return html`
      <div
        class=${this.over ? 'drop over' : 'drop'}
        @dragover=${(event) => this.#hover(event, true)}
        @dragleave=${(event) => this.#hover(event, false)}
        @drop=${(event) => this.#hover(event, false) || this.#take(event.dataTransfer.files)}
      >
        <label class="button">
          <input class="sr" type="file" multiple accept=${KINDS.join()} @change=${(event) => this.#picked(event.target)} />
          ${texts.addPictures}
        </label>
        <p class="muted small">${texts.pictureRule}</p>
      </div>
      ${kept.length + this.uploads.length
        ? html`<ul class="shots" aria-label=${texts.pictures}>${kept.map((one) => this.#kept(one))}${this.uploads.map((one) => this.#upload(one))}</ul>`
        : nothing}
      <p class="sr" role="status">${this.uploads.map((one) => this.#state(one)).join(' ')}</p>
    `;
  }

  #kept({ id, name, media_type: kind }) {
    const address = `${this.path}/${id}`;
    return html`<li>${KINDS.includes(kind) ? html`<img src=${address} alt=${name} loading="lazy" />` : html`<a href=${address}>${name}</a>`}</li>`;
  }

  #upload(one) {
    return html`
      <li class=${one.error ? 'failed' : ''}>
        ${one.preview ? html`<img src=${one.preview} alt=${one.name} />` : html`<span class="img"></span>`}
        ${one.id ? nothing : one.error
          ? html`
              <p class="small bad">${one.error}</p>
              <button type="button" class="plain" @click=${() => this.#again(one)}>${one.data ? texts.tryAgain : texts.remove}</button>
            `
          : html`<progress max="1" .value=${one.part} aria-label=${one.name}></progress>`}
      </li>
    `;
  }

  #state({ id, name, error }) {
    return id ? say(texts.pictureSent, { name }) : error ? `${name}: ${error}` : say(texts.pictureSending, { name });
  }

  #hover(event, over) {
    event.preventDefault();
    event.stopPropagation();
    this.over = over;
    return false;
  }

  /** What is pasted anywhere, or dropped on the message box, is for the newest card that asks. */
  #elsewhere(event) {
    const files = [...((event.clipboardData ?? event.dataTransfer)?.files ?? [])];
    const meant = event.type === 'paste' || event.target.closest?.(COMPOSER);
    if (!meant || [...document.querySelectorAll(this.localName)].at(-1) !== this) return;
    if (event.type === 'dragover' || files.length) event.preventDefault();
    if (files.length) this.scrollIntoView({ block: 'nearest' });
    this.#take(files);
  }

  #picked(input) {
    this.#take(input.files);
    input.value = '';
  }

  #take(files) {
    for (const file of files) this.#send(file);
  }

  async #send(file) {
    const one = new Upload(file.name, () => (this.uploads = [...this.uploads]));
    this.uploads = [...this.uploads, one];
    one.error = !KINDS.includes(file.type) ? texts.notAPicture : file.size > LARGEST ? texts.pictureTooLarge : '';
    if (!one.error) one.preview = one.data = await small(file).catch(() => '');
    if (!one.data) return one.fail(one.error || texts.notAPicture);
    return one.send(this.path);
  }

  #again(one) {
    if (one.data) return one.send(this.path);
    this.uploads = this.uploads.filter((other) => other !== one);
    return undefined;
  }
}

/** A picture as JPEG in a data: address, upright, no larger than it has to be. Where it was taken stays behind. */
async function small(file) {
  const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' });
  const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
  const paper = canvas.getContext('2d');
  paper.fillStyle = '#fff';
  paper.fillRect(0, 0, canvas.width, canvas.height);
  paper.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const made = [0.85, 0.6, 0.4].map((quality) => () => canvas.toDataURL('image/jpeg', quality));
  return made.reduce((best, next) => (best && best.length * 0.75 <= TARGET ? best : next()), '');
}

define('ic-evidence', Evidence);
