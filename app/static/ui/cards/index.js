// Which module (and element) shows which activity. A card's module is fetched when its first card comes.
import { html } from '../../vendor/lit-3.3.3.min.js';
import './cart.js';

const CARDS = {
  products: 'products',
  product: 'product',
  comparison: 'comparison',
  cart: 'cart',
  checkout: 'checkout',
  confirmation: 'confirm',
  change: 'change',
  claim_choice: 'change claim-choice',
  return_cancel: 'change return-cancel',
  staff_act: 'change staff-act',
  change_problem: 'change-problem',
  return: 'return',
  claim: 'return claim',
  sign_in: 'sign-in',
  receipt: 'receipt',
  orders: 'orders',
  order_timeline: 'orders timeline',
  payment_problem: 'payment-problem',
  handoff: 'handoff',
  suggestions: 'suggestions',
  stock: 'stock',
};
const loaded = new Set(['cart']);

const named = (type) => CARDS[type]?.split(' ') ?? [];
const templates = {};

/** Fetches a card's module once; a failed fetch is tried again at the next call. */
export function load(type) {
  const [file] = named(type);
  if (!file || loaded.has(file)) return;
  loaded.add(file);
  import(`./${file}.js`).catch(() => loaded.delete(file));
}

/** The card's template, or null for an activity this page does not know. */
export function card(type, data) {
  load(type);
  const tag = named(type).at(-1);
  if (!tag) return null;
  const parts = [`<ic-${tag} .data=`, `></ic-${tag}>`];
  return html((templates[tag] ??= Object.assign(parts, { raw: parts })), data);
}
