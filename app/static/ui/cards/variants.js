// Choosing among a product's variants: what is picked at first, what a chip leads to, what is sold out.
import { html } from '../../vendor/lit-3.3.3.min.js';
import { say, texts } from './texts.js';
import { sentence } from './words.js';

const CHIPS_AT_MOST = 4;

const most = (variants) => variants.reduce((best, one) => (one.available > (best?.available ?? -1) ? one : best), null);

/** The variant with the most in stock. */
export const firstChoice = (product) => most(product.variants);

/** The variant with `name: value`, as near to the current one as there is; stock breaks ties. */
function choose(product, current, name, value) {
  const fits = product.variants.filter((variant) => variant.options[name] === value);
  const wanted = { ...current.options, [name]: value };
  const same = (variant) => Object.entries(wanted).filter(([key, word]) => variant.options[key] === word).length;
  const nearest = Math.max(...fits.map(same));
  return most(fits.filter((variant) => same(variant) === nearest));
}

const inStock = (product, name, value) =>
  product.variants.some((variant) => variant.options[name] === value && variant.available > 0);

/** One row of chips per option, or a list where chips would crowd. Calls `onChoose(variant)`. */
export function optionPickers(product, current, onChoose, { compact = false } = {}) {
  const entries = Object.entries(product.options ?? {}).filter(([, values]) => values.length > 1);
  return entries.map(([name, values]) => {
    const pick = (value) => onChoose(choose(product, current, name, value));
    return compact && values.length > CHIPS_AT_MOST
      ? list(product, current, name, values, pick)
      : chips(product, current, name, values, pick);
  });
}

const chips = (product, current, name, values, pick) => html`
  <fieldset class="chips">
    <legend>${sentence(name)}: <b>${current.options[name]}</b></legend>
    ${values.map(
      (value) => html`
        <button
          type="button"
          class=${inStock(product, name, value) ? 'chip' : 'chip gone'}
          aria-pressed=${current.options[name] === value}
          @click=${() => pick(value)}
        ><span>${value}</span></button>
      `,
    )}
  </fieldset>
`;

const list = (product, current, name, values, pick) => html`
  <label class="choice">
    <span>${sentence(name)}</span>
    <select aria-label=${say(texts.choose, { name })} @change=${(event) => pick(event.target.value)}>
      ${values.map(
        (value) => html`
          <option value=${value} ?selected=${current.options[name] === value}>
            ${value}${inStock(product, name, value) ? '' : ` (${texts.soldOut})`}
          </option>
        `,
      )}
    </select>
  </label>
`;
