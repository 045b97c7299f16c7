// Forms that save to `/v1`: fields with their faults beside them, money in whole units, and nothing lost by leaving.
import { el, shop } from './shell.js';

let numbers = 0;

/**
 * A labelled field: `{node, input, value(), changed(), unread(), fault(words), rest(words)}`. `rest` takes what it says, or said
 * when it was sent, as saved. `must` is what it has to be, for a `read` that leaves as text what it cannot read: `unread()`.
 */
export function field(label, input, { hint = '', must = '', read = (value) => value } = {}) {
  const id = `f-${(numbers += 1)}`;
  input.id = id;
  const words = el('p', { class: 'bad small', id: `${id}-fault`, role: 'alert', hidden: true });
  const about = hint && el('p', { class: 'muted small', id: `${id}-hint` }, hint);
  const node = el('div', { class: 'ct-field' }, el('label', { for: id }, label), input, about, words);
  if (about) input.setAttribute('aria-describedby', about.id);
  let saved = input.value;
  return {
    node,
    input,
    value: () => read(input.value),
    changed: () => input.value !== saved,
    unread: () => (must && typeof read(input.value) === 'string' ? must : ''),
    rest: (words = input.value) => { saved = words; },
    fault(said) {
      words.textContent = said;
      words.hidden = !said;
      const described = [said && words.id, about && about.id].filter(Boolean).join(' ');
      if (said) input.setAttribute('aria-invalid', 'true');
      else input.removeAttribute('aria-invalid');
      if (described) input.setAttribute('aria-describedby', described);
      else input.removeAttribute('aria-describedby');
    },
  };
}

/** How many digits a currency's minor unit has; of what is no currency, the shop's own. */
function digitsOf(currency) {
  const known = /^[A-Z]{3}$/.test(currency) ? currency : shop.currency;
  return new Intl.NumberFormat('en', { style: 'currency', currency: known }).resolvedOptions().maximumFractionDigits;
}

/** Minor units as they are typed, without signs and separators. */
export function typed(amount, currency = shop.currency) {
  const digits = digitsOf(currency);
  return (amount / 10 ** digits).toFixed(digits);
}

/** What was typed as minor units, to the cent; what is no amount stays as it is, for the server to refuse. */
export function minor(text, currency = shop.currency) {
  const digits = digitsOf(currency);
  const found = /^(\d{1,9})(?:[.,](\d+))?$/.exec(text.trim());
  if (!found || (found[2] ?? '').length > digits) return text.trim();
  return Number(found[1] + (found[2] ?? '').padEnd(digits, '0'));
}

export const AMOUNT = `An amount such as ${typed(1250)}.`;

/** The same, of a form that nothing is sent of before it can be read. */
export function amountOf(text, currency = shop.currency) {
  const amount = minor(text, currency);
  if (typeof amount === 'string') throw new Error(`“${amount}” is no amount in ${currency}: write it as ${typed(1250, currency)}.`);
  return amount;
}

/** What was refused, without the name of the field at which it is said. */
function atField({ message, body }) {
  const words = message.startsWith(`${body.param}: `) ? message.slice(body.param.length + 2) : message;
  return words[0].toUpperCase() + words.slice(1);
}

/** Shows a refusal at the field that it names, else in `place`. Returns whether it found the field. */
export function refuse(problem, fields, place) {
  const names = (problem.body.param ?? '').split('.');
  const name = names.find((part) => fields[part]);
  place.textContent = name ? '' : problem.message;
  place.hidden = Boolean(name);
  if (!name) return false;
  fields[name].fault(fields[name].unread() || atField(problem));
  fields[name].input.focus();
  return true;
}

/** Takes every fault off the fields within `node`. */
export function calm(node) {
  for (const one of node.querySelectorAll('.bad[role=alert]')) one.hidden = true;
  for (const one of node.querySelectorAll('[aria-invalid]')) one.removeAttribute('aria-invalid');
}

/** Asks before the page is left while `unsaved()`. */
export function guard(unsaved) {
  addEventListener('beforeunload', (event) => { if (unsaved()) event.preventDefault(); });
}
