// <ic-preferences>: language and appearance, fetched when they are first asked for.
import { LitElement, html } from '../vendor/lit-3.3.3.min.js';
import { texts } from './texts.js';

const YEAR_SECONDS = 31_536_000;
const { documentElement: root } = document;
const looks = ['auto', 'light', 'dark'];
const look = () => root.dataset.look || 'auto';

/** Light, dark or like the device, kept in a cookie so that the next page begins in it. */
function wear(chosen) {
  root.dataset.look = chosen === 'auto' ? '' : chosen;
  const secure = location.protocol === 'https:' ? '; Secure' : '';
  document.cookie = `ic_look=${chosen}; Max-Age=${YEAR_SECONDS}; Path=/; SameSite=Lax${secure}`;
}

/** The words of another language come with the page: it is asked for again. */
function speak(language) {
  const address = new URL(location.href);
  address.searchParams.set('lang', language);
  location.assign(address);
}

class Preferences extends LitElement {
  static properties = { languages: { attribute: false } };

  createRenderRoot() {
    return this;
  }

  render() {
    const tongues = (this.languages ?? []).map(
      ([tag, name]) => html`<option value=${tag} lang=${tag} ?selected=${tag === root.lang}>${name}</option>`,
    );
    return html`
      <label>
        <span class="small muted">${texts.language}</span>
        <select aria-label=${texts.language} @change=${(event) => speak(event.target.value)}>${tongues}</select>
      </label>
      <label>
        <span class="small muted">${texts.appearance}</span>
        <select aria-label=${texts.appearance} @change=${(event) => wear(event.target.value)}>
          ${looks.map((name) => html`<option value=${name} ?selected=${name === look()}>${texts.appearances[name]}</option>`)}
        </select>
      </label>
    `;
  }
}

customElements.define('ic-preferences', Preferences);
