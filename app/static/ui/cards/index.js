// Which module and element show which activity. Modules are fetched with their first card.
import { html } from '../../vendor/lit-3.3.3.min.js';
import './cart.js';

const ALONE = 'products product comparison cart checkout confirmation change_problem sign_in receipt payment_problem handoff suggestions stock';
const SHARED = {
  change: 'change claim_choice return_cancel default_address staff_act',
  return: 'return claim',
  orders: 'orders order_timeline',
  lookups: 'availability returnable returns warranties complaint',
};
const TAGS = { confirmation: 'confirm', order_timeline: 'timeline' };
const loaded = new Map([['cart', null]]); // file → its fetch while that is under way, then null

const names = (list, type) => list.split(' ').includes(type);
const tagOf = (type) => TAGS[type] ?? type.replaceAll('_', '-');
const fileOf = (type) => (names(ALONE, type) ? tagOf(type) : Object.keys(SHARED).find((file) => names(SHARED[file], type)));
const templates = {};

/** Fetches a card's module once: a promise while it is on its way. A failed fetch is tried again at the next call. */
export function load(type) {
  const file = fileOf(type);
  if (file && !loaded.has(file)) loaded.set(file, import(`./${file}.js`).then(() => loaded.set(file, null), () => loaded.delete(file)));
  return loaded.get(file);
}

/** The card's template, or null for an activity that is not known. */
export function card(type, data) {
  load(type);
  if (!fileOf(type)) return null;
  const tag = tagOf(type);
  const parts = [`<ic-${tag} .data=`, `></ic-${tag}>`];
  return html((templates[tag] ??= Object.assign(parts, { raw: parts })), data);
}
