// /staff/catalog/promotions: codes and automatic promotions, made and ended.
import { get, post } from './api.js';
import { minor } from './forms.js';
import { confirmDialog, el, formDialog, moment, money, shop, state, toast } from './shell.js';

const place = document.getElementById('promotions');
const CHIPS = { active: 'good', scheduled: '', used_up: 'warn', ended: 'warn' };

async function load(cursor = '', body = null) {
  try {
    const page = await get(`/v1/discounts?limit=100${cursor && `&cursor=${cursor}`}`);
    draw(page, body);
  } catch (problem) {
    place.replaceChildren(state('error', problem.message, el('button', { type: 'button', onclick: () => load() }, 'Try again')));
  }
}

function draw(page, before) {
  if (!before && !page.items.length) return place.replaceChildren(state('empty', 'No promotion yet.'));
  const body = before ?? el('tbody');
  body.append(...page.items.map(row));
  const heads = ['Promotion', 'Gives', 'Status', 'Used', 'Ends'].map((name) => el('th', { scope: 'col' }, name));
  const table = el('table', { class: 'st-table' }, el('caption', { class: 'sr' }, 'Promotions, oldest first'), el('thead', {}, el('tr', {}, ...heads, el('th', { scope: 'col' }, el('span', { class: 'sr' }, 'What can be done')))), body);
  const more = page.next_cursor && el('p', {}, el('button', { type: 'button', onclick: () => load(page.next_cursor, body) }, 'Show more'));
  place.replaceChildren(...[table, more].filter(Boolean));
}

function row(one) {
  const over = one.status === 'ended' || one.status === 'used_up';
  return el(
    'tr',
    {},
    el('th', { scope: 'row' }, one.code ? `${one.title} (${one.code})` : one.title),
    el('td', { 'data-label': 'Gives' }, gives(one)),
    el('td', { 'data-label': 'Status' }, el('span', { class: `st-chip ${CHIPS[one.status]}` }, one.status.replace('_', ' '))),
    el('td', { class: 'num', 'data-label': 'Used' }, one.usage_limit ? `${one.used} of ${one.usage_limit}` : String(one.used)),
    el('td', { 'data-label': 'Ends' }, one.ends_at ? moment(one.ends_at) : 'Never'),
    el('td', { class: 'st-acts' }, !over && el('button', { type: 'button', 'aria-label': `End ${one.title}`, onclick: () => end(one) }, 'End')),
  );
}

function gives(one) {
  const least = one.minimum ? ` from ${money(one.minimum)}` : '';
  if (one.kind === 'free_shipping') return `Free shipping${least}`;
  if (one.kind === 'buy_get') return `Buy ${one.rules.buy}, get ${one.rules.get} for ${one.rules.get_percent} % less`;
  return `${one.percent_off ? `${one.percent_off} %` : money(one.amount_off)} off${least}`;
}

async function create() {
  const option = (value, words) => el('option', { value }, words);
  const made = await formDialog({
    title: 'New promotion',
    say: 'Above what one person may give away, somebody else has to approve it.',
    fields: [
      { name: 'title', label: 'Title, as buyers see it', input: el('input', { required: true, maxlength: 80 }) },
      { name: 'code', label: 'Code; empty: it is given by itself', input: el('input', { maxlength: 20, autocomplete: 'off', spellcheck: 'false' }) },
      { name: 'kind', label: 'What it gives', input: el('select', {}, option('percent', 'Percent off'), option('amount', `${shop.currency} off`), option('free_shipping', 'Free shipping')) },
      { name: 'worth', label: 'How much', input: el('input', { inputmode: 'decimal' }) },
      { name: 'minimum', label: `Minimum order in ${shop.currency}`, input: el('input', { inputmode: 'decimal' }) },
      { name: 'usage_limit', label: 'How often at most', input: el('input', { type: 'number', min: 1, step: 1 }) },
      { name: 'ends_at', label: 'Ends', input: el('input', { type: 'datetime-local' }) },
      { name: 'note', label: 'Note for whoever may have to approve it', input: el('input', { maxlength: 200 }) },
    ],
    action: 'Create',
    act: (said, key) => post('/v1/staff/discounts', asked(said), key),
  });
  if (!made) return;
  toast(made.status === 'pending_approval' ? 'Somebody else has to approve it.' : `${made.title} is made.`);
  await load();
}

function asked({ title, code, kind, worth, minimum, usage_limit: limit, ends_at: ends, note }) {
  const body = { title, kind: kind === 'free_shipping' ? kind : 'off', note };
  if (code) body.code = code.toUpperCase();
  if (kind === 'percent') body.percent_off = Number(worth);
  if (kind === 'amount') body.amount_off = minor(worth);
  if (minimum) body.minimum = minor(minimum);
  if (limit) body.usage_limit = Number(limit);
  if (ends) body.ends_at = new Date(ends).toISOString();
  return body;
}

async function end(one) {
  const said = await confirmDialog({ title: `End ${one.title}?`, facts: [['Gives', gives(one)], ['Used', String(one.used)]], say: 'From now on nobody gets it. Orders that have it keep it.', action: 'End it', danger: true });
  if (!said) return;
  try {
    await post(`/v1/staff/discounts/${one.id}/end`);
    toast(`${one.title} is over.`);
    await load();
  } catch (problem) {
    toast(problem.message, 'bad');
  }
}

document.getElementById('new').addEventListener('click', create);
load();
