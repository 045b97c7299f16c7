// The prices of a product's variants in other currencies, and those for a time: listed, set, ended.
import { get, post, put } from './api.js';
import { amountOf } from './forms.js';
import { confirmDialog, el, formDialog, moment, money, shop, state, toast } from './shell.js';

const CHIPS = { in_force: 'good', scheduled: '', behind: 'warn', ended: 'warn' };
const WORDS = { in_force: 'In force', scheduled: 'Scheduled', behind: 'Another one goes before it', ended: 'Over' };
const price = (amount) => (amount ? money(amount.amount, amount.currency) : '');

/** A section that reads and draws itself. */
export function pricesOf(product) {
  const place = el('div', {});
  const load = async () => {
    try {
      const pages = await Promise.all(product.variants.map(({ sku }) => get(`/v1/prices?limit=200&sku=${encodeURIComponent(sku)}`)));
      draw(place, pages.flatMap((page) => page.items), load);
    } catch (problem) {
      place.replaceChildren(state('error', problem.message, el('button', { type: 'button', onclick: load }, 'Try again')));
    }
  };
  load();
  const set = el('button', { type: 'button', onclick: () => setOne(product, load) }, 'Set a price');
  return el('section', { class: 'st-panel', 'aria-labelledby': 'prices-h' }, el('div', { class: 'st-bar' }, el('h2', { id: 'prices-h' }, 'Other prices'), set), el('p', { class: 'muted' }, `In other currencies, and for a time. A variant’s own price in ${shop.currency} stands with the variant.`), place);
}

function draw(place, rows, load) {
  if (!rows.length) return place.replaceChildren(el('p', { class: 'muted' }, 'None.'));
  const heads = ['SKU', 'Price', 'Instead of', 'From', 'Until', 'State'].map((name, index) => el('th', { scope: 'col', class: index === 1 || index === 2 ? 'num' : null }, name));
  const body = rows.map((one) => el(
    'tr',
    {},
    el('th', { scope: 'row' }, one.sku),
    el('td', { class: 'num', 'data-label': 'Price' }, price(one.price)),
    el('td', { class: 'num', 'data-label': 'Instead of' }, price(one.compare_at)),
    el('td', { 'data-label': 'From' }, one.starts_at ? moment(one.starts_at) : 'Always'),
    el('td', { 'data-label': 'Until' }, one.ends_at ? moment(one.ends_at) : 'Always'),
    el('td', { 'data-label': 'State' }, el('span', { class: `st-chip ${CHIPS[one.status]}` }, WORDS[one.status])),
    el('td', { class: 'st-acts' }, one.id && one.status !== 'ended' && el('button', { type: 'button', 'aria-label': `End ${price(one.price)} of ${one.sku}`, onclick: () => end(one, load) }, 'End')),
  ));
  place.replaceChildren(el('table', { class: 'st-table' }, el('caption', { class: 'sr' }, 'Other prices'), el('thead', {}, el('tr', {}, ...heads, el('th', { scope: 'col' }, el('span', { class: 'sr' }, 'What can be done')))), el('tbody', {}, ...body)));
}

async function setOne(product, load) {
  const skus = product.variants.map(({ sku }) => el('option', { value: sku }, sku));
  const done = await formDialog({
    title: 'Set a price',
    say: 'The same variant, currency and time is set anew.',
    fields: [
      { name: 'sku', label: 'Variant', input: el('select', {}, ...skus) },
      { name: 'currency', label: 'Currency', input: el('input', { value: shop.currency, required: true, maxlength: 3, minlength: 3, autocomplete: 'off', spellcheck: 'false', class: 'tn-code' }) },
      { name: 'amount', label: 'Price', input: el('input', { required: true, inputmode: 'decimal' }) },
      { name: 'compare_at', label: 'Shown as instead of (may be empty)', input: el('input', { inputmode: 'decimal' }) },
      { name: 'starts_at', label: 'From (empty: at once)', input: el('input', { type: 'datetime-local' }) },
      { name: 'ends_at', label: 'Until (empty: for good)', input: el('input', { type: 'datetime-local' }) },
    ],
    action: 'Set it',
    act: async (said, key) => put('/v1/staff/prices', { prices: [asked(said)] }, key),
  });
  if (!done) return;
  toast('The price is set.');
  await load();
}

function asked({ sku, currency, amount, compare_at: before, starts_at: starts, ends_at: ends }) {
  const code = currency.trim().toUpperCase();
  return {
    sku,
    currency: code,
    amount: amountOf(amount, code),
    ...(before && { compare_at: amountOf(before, code) }),
    ...(starts && { starts_at: new Date(starts).toISOString() }),
    ...(ends && { ends_at: new Date(ends).toISOString() }),
  };
}

async function end(one, load) {
  const said = await confirmDialog({ title: `End this price of ${one.sku}?`, facts: [['Price', price(one.price)], ['State', WORDS[one.status]]], say: one.status === 'scheduled' ? 'It never begins.' : 'From now on it does not count.', action: 'End it', danger: true });
  if (!said) return;
  try {
    await post(`/v1/staff/prices/${one.id}/end`);
    toast('The price is over.');
    await load();
  } catch (problem) {
    toast(problem.message, 'bad');
  }
}
