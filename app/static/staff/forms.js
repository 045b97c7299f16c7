// Forms that save to `/v1`: fields with their faults beside them, money in whole units, and nothing lost by leaving.
import { el, shop } from './shell.js';

let numbers = 0;

/** A labelled field: `{node, input, value(), changed(), fault(words), rest()}`; `rest` takes what it says as saved. */
export function field(label, input, { hint = '', read = (value) => value } = {}) {
  const id = `f-${(numbers += 1)}`;
  input.id = id;
  const words = el('p', { class: 'bad small', id: `${id}-fault`, role: 'alert', hidden: true });
  const node = el('div', { class: 'ct-field' }, el('label', { for: id }, label), input, hint && el('p', { class: 'muted small' }, hint), words);
  let saved = input.value;
  return {
    node,
    input,
    value: () => read(input.value),
    changed: () => input.value !== saved,
    rest: () => { saved = input.value; },
    fault(said) {
      words.textContent = said;
      words.hidden = !said;
      input.toggleAttribute('aria-invalid', Boolean(said));
      if (said) { input.setAttribute('aria-invalid', 'true'); input.setAttribute('aria-describedby', words.id); } else input.removeAttribute('aria-describedby');
    },
  };
}

const digits = new Intl.NumberFormat('en', { style: 'currency', currency: shop.currency }).resolvedOptions().maximumFractionDigits;

/** Minor units as they are typed, without signs and separators. */
export const typed = (amount) => (amount / 10 ** digits).toFixed(digits);

/** What was typed as minor units, to the cent; what is no amount stays as it is, for the server to refuse. */
export function minor(text) {
  const found = /^(\d{1,9})(?:[.,](\d+))?$/.exec(text.trim());
  if (!found || (found[2] ?? '').length > digits) return text.trim();
  return Number(found[1] + (found[2] ?? '').padEnd(digits, '0'));
}

/** Shows a refusal at the field that it names, else in `place`. Returns whether it found the field. */
export function refuse(problem, fields, place) {
  const names = (problem.body.param ?? '').split('.');
  const name = names.find((part) => fields[part]);
  place.textContent = name ? '' : problem.message;
  place.hidden = Boolean(name);
  if (!name) return false;
  fields[name].fault(problem.message);
  fields[name].input.focus();
  return true;
}

/** Asks before the page is left while `unsaved()`. */
export function guard(unsaved) {
  addEventListener('beforeunload', (event) => { if (unsaved()) event.preventDefault(); });
}
