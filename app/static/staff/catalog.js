// /staff/catalog: products by words and status, and what is missing of them. The search is in the address.
import { get } from './api.js';
import { el, money, searchForm, shortcut, state } from './shell.js';

const place = document.getElementById('ct-found');
const CHIPS = { active: 'good', archived: 'warn' };
let asked = 0;

const query = searchForm(document.getElementById('ct-search'), () => search());
const link = (id, title) => el('a', { href: `/staff/catalog/products/${id}` }, title);

/** The page of products that the form asks for, as rows. */
async function look(cursor) {
  const wanted = query();
  if (cursor) wanted.set('cursor', cursor);
  if (wanted.get('status') !== 'gaps') return get(`/v1/staff/products?${wanted}`);
  wanted.delete('status');
  wanted.delete('q');
  return get(`/v1/products/gaps?${wanted}`);
}

async function search() {
  const number = (asked += 1);
  place.replaceChildren(state('loading', 'Looking'));
  try {
    const page = await look();
    if (number === asked) draw(page);
  } catch (problem) {
    if (number === asked) place.replaceChildren(state('error', problem.message, el('button', { type: 'button', onclick: search }, 'Try again')));
  }
}

function draw(page) {
  if (!page.items.length) return place.replaceChildren(state('empty', 'No product fits.'));
  const gaps = query().get('status') === 'gaps';
  const heads = gaps ? ['Product', 'Category', 'What to do'] : ['Product', 'Status', 'SKU', 'Category', 'Price'];
  const body = el('tbody', {}, ...page.items.map(gaps ? thin : row));
  const head = el('thead', {}, el('tr', {}, ...heads.map((name) => el('th', { scope: 'col', class: name === 'Price' ? 'num' : null }, name))));
  place.replaceChildren(el('table', { class: 'st-table' }, el('caption', { class: 'sr' }, 'Products'), head, body));
  more(page.next_cursor, body, gaps ? thin : row);
}

function row(one) {
  const prices = one.variants.map((variant) => variant.price.amount);
  const [low, high] = [Math.min(...prices), Math.max(...prices)];
  const first = one.variants[0]?.sku ?? '';
  return el(
    'tr',
    {},
    el('th', { scope: 'row' }, link(one.id, one.title)),
    el('td', { 'data-label': 'Status' }, el('span', { class: `st-chip ${CHIPS[one.status] ?? ''}` }, one.status)),
    el('td', { 'data-label': 'SKU' }, one.variants.length > 1 ? `${first} +${one.variants.length - 1}` : first),
    el('td', { 'data-label': 'Category' }, one.category),
    el('td', { class: 'num', 'data-label': 'Price' }, prices.length ? (low === high ? money(low) : `${money(low)} – ${money(high)}`) : 'None'),
  );
}

const thin = (one) => el(
  'tr',
  {},
  el('th', { scope: 'row' }, link(one.product_id, one.title)),
  el('td', { 'data-label': 'Category' }, one.category),
  el('td', {}, el('ul', { class: 'ct-gaps' }, ...one.gaps.map((gap) => el('li', {}, gap.what)))),
);

function more(cursor, body, make) {
  if (!cursor) return;
  const number = asked;
  const button = el('button', { type: 'button' }, 'Show more');
  button.addEventListener('click', async () => {
    button.disabled = true;
    try {
      const page = await look(cursor);
      if (number !== asked) return;
      const rows = page.items.map(make);
      body.append(...rows);
      button.parentElement.remove();
      more(page.next_cursor, body, make);
      rows[0]?.querySelector('a').focus();
    } catch (problem) {
      button.disabled = false;
      button.after(el('span', { class: 'bad', role: 'alert' }, problem.message));
    }
  });
  place.append(el('p', {}, button));
}

shortcut('/', 'Search products', () => document.getElementById('ct-q').focus());
search();
