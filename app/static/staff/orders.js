// /staff/orders: search, and more of it as long as there is more. The search is in the address, so that it can be shared.
import { get } from './api.js';
import { chip, price } from './order-panel.js';
import { el, moment, searchForm, shortcut } from './shell.js';

const place = document.getElementById('op-found');
let asked = 0;

const query = searchForm(document.getElementById('op-search'), () => search());

async function search() {
  const number = (asked += 1);
  place.replaceChildren(el('div', { class: 'st-state', 'data-state': 'loading' }, 'Looking'));
  try {
    const page = await get(`/v1/staff/orders?${query()}`);
    if (number === asked) draw(page);
  } catch (problem) {
    if (number === asked) place.replaceChildren(el('p', { class: 'st-problem', role: 'alert' }, problem.message));
  }
}

function draw(page) {
  if (!page.items.length) {
    place.replaceChildren(el('div', { class: 'st-state' }, 'No order fits. A number and an e-mail address are matched whole, a name from its beginning.'));
    return;
  }
  const body = el('tbody', {}, ...page.items.map(row));
  const heads = ['Order', 'Buyer', 'Placed', 'State', 'Payment', 'Shipping'].map((name) => el('th', { scope: 'col' }, name));
  const table = el(
    'table',
    { class: 'st-table op-table' },
    el('caption', { class: 'sr' }, 'Orders, newest first'),
    el('thead', {}, el('tr', {}, ...heads, el('th', { scope: 'col', class: 'num' }, 'Total'))),
    body,
  );
  place.replaceChildren(table);
  more(page.next_cursor, body);
}

function row(one) {
  const link = el('a', { href: `/staff/orders/${encodeURIComponent(one.number)}` }, one.number);
  const back = one.refunded.amount > 0 && el('span', { class: 'muted small' }, `${price(one.refunded)} given back`);
  return el(
    'tr',
    {},
    el('th', { scope: 'row' }, link),
    el('td', { 'data-label': 'Buyer' }, el('span', { class: 'op-cell' }, one.name || 'A guest', el('span', { class: 'muted small' }, one.email))),
    el('td', { 'data-label': 'Placed' }, moment(one.placed_at)),
    el('td', { 'data-label': 'State' }, chip(one.status)),
    el('td', { 'data-label': 'Payment' }, chip(one.payment_status)),
    el('td', { 'data-label': 'Shipping' }, chip(one.fulfillment_status)),
    el('td', { class: 'num', 'data-label': 'Total' }, el('span', { class: 'op-cell' }, price(one.total), back)),
  );
}

function more(cursor, body) {
  if (!cursor) return;
  const number = asked;
  const button = el('button', { type: 'button' }, 'Show more');
  button.addEventListener('click', async () => {
    button.disabled = true;
    const wanted = query();
    wanted.set('cursor', cursor);
    try {
      const page = await get(`/v1/staff/orders?${wanted}`);
      if (number !== asked) return;
      const rows = page.items.map(row);
      body.append(...rows);
      button.parentElement.remove();
      more(page.next_cursor, body);
      rows[0]?.querySelector('a').focus();
    } catch (problem) {
      button.disabled = false;
      button.after(el('span', { class: 'bad', role: 'alert' }, problem.message));
    }
  });
  place.append(el('p', { class: 'op-more' }, button));
}

shortcut('/', 'Search orders', () => document.getElementById('op-q').focus());
search();
