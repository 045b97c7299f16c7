// One speaker's words. An element of its own, so that a growing answer does not redraw the ones before it.
import { LitElement, html } from '../vendor/lit-3.3.3.min.js';
import { markdown } from './markdown.js';
import { texts } from './texts.js';

class Message extends LitElement {
  static properties = { item: { attribute: false }, label: {} };

  createRenderRoot() {
    return this;
  }

  render() {
    const { role, text, streaming } = this.item;
    if (role === 'user') return html`<span class="sr">${texts.you}: </span><p class="ic-own">${text}</p>`;
    if (role === 'system') return html`<p class="ic-note">${text}</p>`;
    return html`
      <p class=${this.label ? 'ic-name' : 'sr'}>${this.label || texts.assistant}</p>
      <div class=${streaming ? 'ic-words ic-live' : 'ic-words'}>${markdown(text)}</div>
    `;
  }
}

customElements.define('ic-message', Message);
