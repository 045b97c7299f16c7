// /staff/catalog/products/…: words, status, prices and stock of one product. Each part saves by itself.
import { get, patch, post } from './api.js';
import { AMOUNT, amountOf, field, guard, minor, refuse, typed } from './forms.js';
import { pricesOf } from './product-prices.js';
import { confirmDialog, el, formDialog, money, shop, state, toast } from './shell.js';

const place = document.getElementById('product');
const { id, statuses } = place.dataset;
let unsaved = () => false;
guard(() => unsaved());

async function load() {
  try {
    const product = await get(`/v1/staff/products/${id}`);
    const [stock, places] = await Promise.all([Promise.all(product.variants.map(unitsOf)), get('/v1/locations')]);
    draw(product, stock, places.items);
  } catch (problem) {
    place.replaceChildren(el('h1', {}, 'Product'), state('error', problem.message, el('button', { type: 'button', onclick: load }, 'Try again')));
  }
}

async function unitsOf(variant) {
  const page = await get(`/v1/stock?sku=${encodeURIComponent(variant.sku)}&limit=1`);
  return page.items[0]?.locations ?? [];
}

function draw(product, stock, places) {
  const words = wordsForm(product);
  const variants = product.variants.map((one, index) => variantPart(product, one, stock[index], places));
  unsaved = () => [words, ...variants].some((part) => part.unsaved());
  place.replaceChildren(
    el('div', { class: 'ct-parts' },
      el('div', { class: 'st-bar' }, el('h1', {}, product.title), el('span', { class: 'st-chip' }, product.status)),
      el('section', { class: 'st-panel', 'aria-labelledby': 'words-h' }, el('h2', { id: 'words-h' }, 'The product'), words.node),
      el('section', { class: 'st-panel', 'aria-labelledby': 'variants-h' }, el('div', { class: 'st-bar' }, el('h2', { id: 'variants-h' }, 'Variants'), adding(product)), ...variants.map((one) => one.node)),
      product.variants.length > 0 && pricesOf(product),
    ),
  );
}

function titles(product) {
  place.querySelector('h1').textContent = product.title;
  place.querySelector('.st-chip').textContent = product.status;
}

/** A form whose changed fields are sent by `send(changes)`; a refusal stands at its field. What is unsaved elsewhere stays. */
function saving(product, fields, send, { wide = [], more = [] } = {}) {
  const problem = el('p', { class: 'st-problem', role: 'alert', hidden: true });
  const save = el('button', { class: 'main', disabled: true }, 'Save');
  const unsavedHere = () => Object.values(fields).some((one) => one.changed());
  const form = el('form', { class: 'ct-form', novalidate: true }, el('div', { class: 'ct-grid' }, ...Object.values(fields).map((one) => one.node).filter((node) => !wide.includes(node))), ...wide, problem, el('div', { class: 'ct-end' }, save, ...more));
  form.addEventListener('input', () => { save.disabled = !unsavedHere(); });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const changes = Object.fromEntries(Object.entries(fields).filter(([, one]) => one.changed()).map(([name, one]) => [name, one.value()]));
    if (!Object.keys(changes).length) return;
    for (const one of Object.values(fields)) one.fault('');
    problem.hidden = true;
    save.disabled = true;
    const sent = Object.values(fields).map((one) => [one, one.input.value]);
    try {
      const after = await send(changes);
      product.version = after.version;
      titles(after);
    } catch (refused) {
      save.disabled = false;
      refuse(refused, fields, problem);
      return;
    }
    for (const [one, words] of sent) one.rest(words); // what was typed since is still to be saved
    save.disabled = !unsavedHere();
    toast('Saved.');
  });
  return { node: form, unsaved: unsavedHere };
}

function wordsForm(product) {
  const chosen = statuses.split(' ').map((one) => el('option', { value: one, selected: one === product.status }, one));
  const text = el('textarea', { rows: 6, maxlength: 4000 });
  text.value = product.description;
  const fields = {
    title: field('Title', el('input', { value: product.title, maxlength: 200 })),
    category: field('Category', el('input', { value: product.category, maxlength: 80 }), { hint: 'Small letters, such as sleeping bags' }),
    brand: field('Brand', el('input', { value: product.brand, maxlength: 80 })),
    status: field('Status', el('select', {}, ...chosen)),
    description: field('Description', text),
  };
  return saving(product, fields, (changes) => patch(`/v1/products/${product.id}`, { ...changes, version: product.version }), { wide: [fields.description.node] });
}

/** One more variant; what tells it apart may be new. */
function adding(product) {
  if (product.variants.length && !Object.keys(product.options).length) return el('p', { class: 'muted small' }, 'It has no options that would tell a second variant apart.');
  return el('button', { type: 'button', onclick: () => addOne(product) }, 'Add a variant');
}

async function addOne(product) {
  if (!(await leaving())) return;
  const known = Object.entries(product.options).map(([name, values], at) => ({
    name: `option-${at}`,
    label: name,
    input: el('input', { required: true, maxlength: 40, list: `known-${at}`, autocomplete: 'off' }),
    more: el('datalist', { id: `known-${at}` }, ...values.map((value) => el('option', { value }))),
  }));
  const done = await formDialog({
    title: 'Add a variant',
    fields: [
      ...known,
      { name: 'sku', label: 'SKU', input: el('input', { required: true, maxlength: 40, autocomplete: 'off', spellcheck: 'false', class: 'tn-code' }) },
      { name: 'price', label: `Price in ${shop.currency}`, input: el('input', { required: true, inputmode: 'decimal' }) },
      { name: 'cost', label: `Cost in ${shop.currency}`, input: el('input', { inputmode: 'decimal' }) },
      { name: 'weight_g', label: 'Weight in g', input: el('input', { type: 'number', min: 1, step: 1, required: true }) },
    ],
    action: 'Add it',
    act: (said, key) => sendVariant(product, said, key),
  });
  if (!done) return;
  toast('The variant is added.');
  await load();
}

async function sendVariant(product, said, key) {
  const chosen = Object.fromEntries(Object.keys(product.options).map((name, at) => [name, said[`option-${at}`].trim()]));
  const [price, cost] = [amountOf(said.price), amountOf(said.cost || '0')];
  const wider = Object.fromEntries(Object.entries(product.options).map(([name, values]) => [name, values.includes(chosen[name]) ? values : [...values, chosen[name]]]));
  if (JSON.stringify(wider) !== JSON.stringify(product.options)) {
    const { version, options } = await patch(`/v1/products/${product.id}`, { options: wider, version: product.version });
    Object.assign(product, { version, options });
  }
  return post(`/v1/products/${product.id}/variants`, { sku: said.sku.trim().toUpperCase(), options: chosen, price, cost, weight_g: Number(said.weight_g) }, key);
}

function variantPart(product, variant, levels, places) {
  const fields = {
    price: field('Price', el('input', { value: typed(variant.price.amount), inputmode: 'decimal' }), { read: minor, must: AMOUNT }),
    cost: field('Cost', el('input', { value: typed(variant.cost.amount), inputmode: 'decimal' }), { read: minor, must: AMOUNT }),
  };
  const retire = variant.sellable && el('button', { type: 'button', onclick: () => retireOne(product, variant) }, 'Retire');
  const form = saving(product, fields, (changes) => patch(`/v1/variants/${variant.id}`, { ...changes, version: product.version }), { more: [retire].filter(Boolean) });
  const title = [variant.sku, ...Object.values(variant.options)].join(' · ');
  return {
    node: el('div', { class: 'ct-variant' }, el('h3', {}, title, !variant.sellable && el('span', { class: 'muted' }, ' (retired)')), form.node, stockTable(variant, levels), el('div', {}, el('button', { type: 'button', 'aria-label': `Correct the stock of ${variant.sku}`, onclick: () => adjust(variant, levels, places) }, 'Correct the stock'))),
    unsaved: form.unsaved,
  };
}

function stockTable(variant, levels) {
  const held = levels.filter((level) => level.on_hand || level.reserved);
  if (!held.length) return el('p', { class: 'muted' }, 'No units anywhere.');
  const heads = ['Location', 'On hand', 'Reserved', 'Sellable'].map((name, index) => el('th', { scope: 'col', class: index ? 'num' : null }, name));
  const rows = held.map((level) => el(
    'tr',
    {},
    el('th', { scope: 'row' }, level.code),
    ...[['On hand', level.on_hand], ['Reserved', level.reserved], ['Sellable', level.sellable]].map(([name, value]) => el('td', { class: 'num', 'data-label': name }, String(value))),
  ));
  return el('table', { class: 'st-table' }, el('caption', { class: 'sr' }, `Stock of ${variant.sku}`), el('thead', {}, el('tr', {}, ...heads)), el('tbody', {}, ...rows));
}

const leaving = async () => !unsaved() || confirmDialog({ title: 'Leave what is not saved?', say: 'What you changed on this page and did not save is lost.', action: 'Leave it', danger: true });

/** Units more or fewer at any place. */
async function adjust(variant, levels, places) {
  if (!(await leaving())) return;
  const there = ({ code }) => levels.find((level) => level.code === code)?.on_hand ?? 0;
  const choices = places.map((one) => el('option', { value: one.code }, `${one.name} (${one.code}): ${there(one)} on hand`));
  const done = await formDialog({
    title: `Correct the stock of ${variant.sku}`,
    say: 'Above what one person may, somebody else has to approve it.',
    fields: [
      { name: 'location', label: 'Where', input: el('select', {}, ...choices) },
      { name: 'delta', label: 'Units more; with a minus: fewer', input: el('input', { type: 'number', step: 1, required: true }) },
      { name: 'reason', label: 'Reason', input: el('input', { required: true, maxlength: 200 }) },
    ],
    action: 'Correct it',
    act: ({ location: place, delta, reason }, key) => post('/v1/staff/inventory/adjust', { sku: variant.sku, location: place, delta: Number(delta), reason }, key),
  });
  if (!done) return;
  toast(done.status === 'pending_approval' ? 'Somebody else has to approve it.' : 'The stock is corrected.');
  await load();
}

async function retireOne(product, variant) {
  if (!(await leaving())) return;
  const said = await confirmDialog({ title: `Retire ${variant.sku}?`, facts: [['Product', product.title], ['Price', money(variant.price.amount)]], say: 'It is not sold any more. What was sold of it stays readable.', action: 'Retire', danger: true });
  if (!said) return;
  try {
    await post(`/v1/variants/${variant.id}/retire`);
    toast(`${variant.sku} is retired.`);
    await load();
  } catch (problem) {
    toast(problem.message, 'bad');
  }
}

load();
