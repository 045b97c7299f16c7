// Which element shows which activity. A card's module is fetched when its first card comes.
import { html } from '../../vendor/lit-3.3.3.min.js';
import './cart.js';

const CARDS = {
  products: ['products', (data) => html`<ic-products .data=${data}></ic-products>`],
  product: ['product', (data) => html`<ic-product .data=${data}></ic-product>`],
  comparison: ['comparison', (data) => html`<ic-comparison .data=${data}></ic-comparison>`],
  cart: ['cart', (data) => html`<ic-cart .data=${data}></ic-cart>`],
  checkout: ['checkout', (data) => html`<ic-checkout .data=${data}></ic-checkout>`],
  confirmation: ['confirm', (data) => html`<ic-confirm .data=${data}></ic-confirm>`],
  change: ['change', (data) => html`<ic-change .data=${data}></ic-change>`],
  claim_choice: ['change', (data) => html`<ic-claim-choice .data=${data}></ic-claim-choice>`],
  return_cancel: ['change', (data) => html`<ic-return-cancel .data=${data}></ic-return-cancel>`],
  staff_act: ['change', (data) => html`<ic-staff-act .data=${data}></ic-staff-act>`],
  change_problem: ['change-problem', (data) => html`<ic-change-problem .data=${data}></ic-change-problem>`],
  return: ['return', (data) => html`<ic-return .data=${data}></ic-return>`],
  claim: ['return', (data) => html`<ic-claim .data=${data}></ic-claim>`],
  sign_in: ['sign-in', (data) => html`<ic-sign-in .data=${data}></ic-sign-in>`],
  receipt: ['receipt', (data) => html`<ic-receipt .data=${data}></ic-receipt>`],
  orders: ['orders', (data) => html`<ic-orders .data=${data}></ic-orders>`],
  order_timeline: ['orders', (data) => html`<ic-timeline .data=${data}></ic-timeline>`],
  payment_problem: ['payment-problem', (data) => html`<ic-payment-problem .data=${data}></ic-payment-problem>`],
  handoff: ['handoff', (data) => html`<ic-handoff .data=${data}></ic-handoff>`],
  suggestions: ['suggestions', (data) => html`<ic-suggestions .data=${data}></ic-suggestions>`],
  stock: ['stock', (data) => html`<ic-stock .data=${data}></ic-stock>`],
};
const loaded = new Set(['cart']);

/** Fetches a card's module once; a failed fetch is tried again at the next call. */
export function load(type) {
  const file = CARDS[type]?.[0];
  if (!file || loaded.has(file)) return;
  loaded.add(file);
  import(`./${file}.js`).catch(() => loaded.delete(file));
}

/** The card's template, or null for an activity this page does not know. */
export function card(type, data) {
  load(type);
  return CARDS[type]?.[1](data) ?? null;
}
