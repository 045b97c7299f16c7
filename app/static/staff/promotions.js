// /staff/catalog/promotions: codes and automatic promotions, made and ended.
import { get, patch, post } from './api.js';
import { amountOf } from './forms.js';
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
    el('td', { class: 'st-acts' }, !over && el('button', { type: 'button', 'aria-label': `Change ${one.title}`, onclick: () => edit(one) }, 'Change'), !over && el('button', { type: 'button', 'aria-label': `End ${one.title}`, onclick: () => end(one) }, 'End')),
  );
}

function gives(one) {
  const least = one.minimum ? ` from ${money(one.minimum)}` : '';
  if (one.kind === 'free_shipping') return `Free shipping${least}`;
  if (one.kind === 'buy_get') return `Buy ${one.rules.buy}, get ${one.rules.get} ${one.rules.get_percent === 100 ? 'free' : `for ${one.rules.get_percent} % less`}`;
  return `${one.percent_off ? `${one.percent_off} %` : money(one.amount_off)} off${least}`;
}

const KINDS = { percent: 'Percent off', amount: `${shop.currency} off`, buy_get: 'Buy some, get some for less', free_shipping: 'Free shipping' };
const option = (value, words = value) => el('option', { value }, words);
const choice = (all) => el('select', {}, ...Object.entries(all).map(([value, words]) => option(value, words)));
const units = (more = {}) => el('input', { type: 'number', min: 1, step: 1, ...more });

/** The fields of a promotion; `only` are the kinds that one belongs to, `when` the scopes. */
function fieldsOf() {
  const lines = () => el('textarea', { rows: 3, spellcheck: 'false' });
  return [
    { name: 'title', label: 'Title, as buyers see it', input: el('input', { required: true, maxlength: 80 }) },
    { name: 'code', label: 'Code; empty: it is given by itself', input: el('input', { maxlength: 20, autocomplete: 'off', spellcheck: 'false', class: 'tn-code' }) },
    { name: 'kind', label: 'What it gives', input: choice(KINDS) },
    { name: 'worth', label: 'How much', input: el('input', { inputmode: 'decimal' }), only: ['percent', 'amount'] },
    { name: 'buy', label: 'Units to buy', input: units({ value: 2, max: 999 }), only: ['buy_get'] },
    { name: 'get', label: 'Units to get', input: units({ value: 1, max: 999 }), only: ['buy_get'] },
    { name: 'get_percent', label: 'For so much percent less', input: units({ value: 100, max: 100 }), only: ['buy_get'] },
    { name: 'scope', label: 'What it is for', input: choice({ all: 'Everything', category: 'One category', products: 'Some products' }), only: ['percent', 'amount', 'buy_get'] },
    { name: 'category', label: 'Category', input: el('input', { maxlength: 80, placeholder: 'tents' }), when: ['scope', 'category'] },
    { name: 'products', label: 'Products: title, address or SKU, one on a line', input: lines(), when: ['scope', 'products'] },
    { name: 'gift', label: 'What one gets', input: choice({ same: 'More of what it is for', category: 'Of one category', products: 'Some products' }), only: ['buy_get'] },
    { name: 'get_category', label: 'Category that one gets of', input: el('input', { maxlength: 80 }), when: ['gift', 'category'], only: ['buy_get'] },
    { name: 'get_products', label: 'Products that one gets: title, address or SKU, one on a line', input: lines(), when: ['gift', 'products'], only: ['buy_get'] },
    { name: 'most_sets', label: 'How often in one order at most', input: units({ max: 999 }), only: ['buy_get'] },
    { name: 'minimum', label: `Minimum order in ${shop.currency}`, input: el('input', { inputmode: 'decimal' }) },
    { name: 'usage_limit', label: 'How often at most, in all', input: units() },
    { name: 'per_customer_limit', label: 'How often for one buyer', input: units() },
    { name: 'starts_at', label: 'Begins (empty: at once)', input: el('input', { type: 'datetime-local' }) },
    { name: 'ends_at', label: 'Ends', input: el('input', { type: 'datetime-local' }) },
    { name: 'note', label: 'Note for whoever may have to approve it', input: el('input', { maxlength: 200 }) },
  ];
}

/** Only what belongs to the chosen kind and scope is seen, and sent. */
function showing(fields) {
  const of = Object.fromEntries(fields.map((one) => [one.name, one.input]));
  const show = () => {
    for (const { input, only, when } of fields) {
      const fits = (!only || only.includes(of.kind.value)) && (!when || (!of[when[0]].disabled && of[when[0]].value === when[1]));
      input.disabled = !fits;
      input.closest('.st-field').hidden = !fits;
    }
  };
  for (const name of ['kind', 'scope', 'gift']) of[name].addEventListener('change', show);
  show();
}

async function create() {
  const fields = fieldsOf();
  const asking = formDialog({
    title: 'New promotion',
    say: 'Above what one person may give away, somebody else has to approve it.',
    fields,
    action: 'Create',
    act: async (said, key) => post('/v1/staff/discounts', await asked(said), key),
    wide: true,
  });
  showing(fields);
  const made = await asking;
  if (!made) return;
  toast(made.status === 'pending_approval' ? 'Somebody else has to approve it.' : `${made.title} is made.`);
  await load();
}

async function asked(said) {
  const { title, code, kind, worth, minimum, note } = said;
  const body = { title, kind: kind === 'free_shipping' || kind === 'buy_get' ? kind : 'off', note };
  if (code) body.code = code.toUpperCase();
  if (kind === 'percent') body.percent_off = Number(worth);
  if (kind === 'amount') body.amount_off = amountOf(worth);
  if (minimum) body.minimum = amountOf(minimum);
  if (said.category) body.category = said.category.trim();
  for (const name of ['usage_limit', 'per_customer_limit']) if (said[name]) body[name] = Number(said[name]);
  for (const name of ['starts_at', 'ends_at']) if (said[name]) body[name] = new Date(said[name]).toISOString();
  const rules = await rulesOf(said);
  if (Object.keys(rules).length) body.rules = rules;
  return body;
}

async function rulesOf(said) {
  const rules = {};
  for (const name of ['buy', 'get', 'get_percent', 'most_sets']) if (said[name]) rules[name] = Number(said[name]);
  if (said.get_category) rules.get_category = said.get_category.trim();
  for (const name of ['products', 'get_products']) if (said[name] !== undefined) rules[name] = await idsOf(said[name]);
  return rules;
}

/** The ids of products as somebody names them; what is not one of the shop's is said. */
async function idsOf(text) {
  const names = text.split('\n').map((one) => one.trim()).filter(Boolean);
  if (!names.length) throw new Error('Name at least one product.');
  return Promise.all(names.map(async (name) => {
    const { items } = await get(`/v1/staff/products?limit=100&q=${encodeURIComponent(name)}`);
    const exact = items.filter((one) => [one.title, one.slug, ...one.variants.map(({ sku }) => sku)].some((each) => each.toLowerCase() === name.toLowerCase()));
    const found = exact.length ? exact : items;
    if (found.length !== 1) throw new Error(found.length ? `There are ${found.length} products that “${name}” could be: give its SKU.` : `There is no product “${name}”.`);
    return found[0].id;
  }));
}

/** Another title, limit or end of what there is. */
async function edit(one) {
  const local = (iso) => (iso ? new Date(new Date(iso) - new Date(iso).getTimezoneOffset() * 60_000).toISOString().slice(0, 16) : '');
  const before = { title: one.title, usage_limit: one.usage_limit ?? '', per_customer_limit: one.per_customer_limit ?? '', ends_at: local(one.ends_at) };
  const done = await formDialog({
    title: `Change ${one.title}`,
    say: 'Another kind of promotion is a new one.',
    fields: [
      { name: 'title', label: 'Title, as buyers see it', input: el('input', { value: before.title, required: true, maxlength: 80 }) },
      { name: 'usage_limit', label: 'How often at most, in all', input: units({ value: before.usage_limit }) },
      { name: 'per_customer_limit', label: 'How often for one buyer', input: units({ value: before.per_customer_limit }) },
      { name: 'ends_at', label: 'Ends', input: el('input', { type: 'datetime-local', value: before.ends_at }) },
    ],
    action: 'Change it',
    act: (said, key) => {
      const changed = Object.entries(said).filter(([name, value]) => value !== String(before[name]));
      if (!changed.length) throw new Error('Nothing is changed.');
      const read = { title: (value) => value, ends_at: (value) => (value ? new Date(value).toISOString() : null) };
      const number = (value) => (value ? Number(value) : null);
      return patch(`/v1/staff/discounts/${one.id}`, { ...Object.fromEntries(changed.map(([name, value]) => [name, (read[name] ?? number)(value)])), version: one.version }, key);
    },
  });
  if (!done) return;
  toast(done.status === 'pending_approval' ? 'Somebody else has to approve it.' : 'It is changed.');
  await load();
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
