// /staff/catalog/products/…: words, status, prices and stock of one product. Each part saves by itself.
import { get, patch, post } from './api.js';
import { field, guard, minor, refuse, typed } from './forms.js';
import { confirmDialog, el, formDialog, money, state, toast } from './shell.js';

const place = document.getElementById('product');
const { id, statuses } = place.dataset;
let unsaved = () => false;
guard(() => unsaved());

async function load() {
  try {
    const product = await get(`/v1/staff/products/${id}`);
    const stock = await Promise.all(product.variants.map(unitsOf));
    draw(product, stock);
  } catch (problem) {
    place.replaceChildren(el('h1', {}, 'Product'), state('error', problem.message, el('button', { type: 'button', onclick: load }, 'Try again')));
  }
}

async function unitsOf(variant) {
  const page = await get(`/v1/stock?sku=${encodeURIComponent(variant.sku)}&limit=1`);
  return page.items[0]?.locations ?? [];
}

function draw(product, stock) {
  const words = wordsForm(product);
  const variants = product.variants.map((one, index) => variantPart(product, one, stock[index]));
  unsaved = () => [words, ...variants].some((part) => part.unsaved());
  place.replaceChildren(
    el('div', { class: 'ct-parts' },
      el('div', { class: 'st-bar' }, el('h1', {}, product.title), el('span', { class: 'st-chip' }, product.status)),
      el('section', { class: 'st-panel', 'aria-labelledby': 'words-h' }, el('h2', { id: 'words-h' }, 'The product'), words.node),
      el('section', { class: 'st-panel', 'aria-labelledby': 'variants-h' }, el('h2', { id: 'variants-h' }, 'Variants'), ...variants.map((one) => one.node)),
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
    try {
      const after = await send(changes);
      product.version = after.version;
      titles(after);
    } catch (refused) {
      save.disabled = false;
      refuse(refused, fields, problem);
      return;
    }
    for (const one of Object.values(fields)) one.rest();
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

function variantPart(product, variant, levels) {
  const fields = {
    price: field('Price', el('input', { value: typed(variant.price.amount), inputmode: 'decimal' }), { read: minor }),
    cost: field('Cost', el('input', { value: typed(variant.cost.amount), inputmode: 'decimal' }), { read: minor }),
  };
  const retire = variant.sellable && el('button', { type: 'button', onclick: () => retireOne(product, variant) }, 'Retire');
  const form = saving(product, fields, (changes) => patch(`/v1/variants/${variant.id}`, { ...changes, version: product.version }), { more: [retire].filter(Boolean) });
  const title = [variant.sku, ...Object.values(variant.options)].join(' · ');
  return {
    node: el('div', { class: 'ct-variant' }, el('h3', {}, title, !variant.sellable && el('span', { class: 'muted' }, ' (retired)')), form.node, stockTable(variant, levels)),
    unsaved: form.unsaved,
  };
}

function stockTable(variant, levels) {
  if (!levels.length) return el('p', { class: 'muted' }, 'No units anywhere.');
  const heads = ['Location', 'On hand', 'Reserved', 'Sellable'].map((name, index) => el('th', { scope: 'col', class: index ? 'num' : null }, name));
  const rows = levels.map((level) => el(
    'tr',
    {},
    el('th', { scope: 'row' }, level.code),
    ...[['On hand', level.on_hand], ['Reserved', level.reserved], ['Sellable', level.sellable]].map(([name, value]) => el('td', { class: 'num', 'data-label': name }, String(value))),
    el('td', { class: 'st-acts' }, el('button', { type: 'button', 'aria-label': `Adjust ${variant.sku} at ${level.code}`, onclick: () => adjust(variant, level) }, 'Adjust')),
  ));
  return el('table', { class: 'st-table' }, el('caption', { class: 'sr' }, `Stock of ${variant.sku}`), el('thead', {}, el('tr', {}, ...heads, el('th', { scope: 'col' }, el('span', { class: 'sr' }, 'What can be done')))), el('tbody', {}, ...rows));
}

const leaving = async () => !unsaved() || confirmDialog({ title: 'Leave what is not saved?', say: 'What you changed on this page and did not save is lost.', action: 'Leave it', danger: true });

async function adjust(variant, level) {
  if (!(await leaving())) return;
  const done = await formDialog({
    title: `Adjust ${variant.sku} at ${level.code}`,
    say: `${level.on_hand} on hand, ${level.reserved} of them reserved. Above what one person may, somebody else has to approve it.`,
    fields: [
      { name: 'delta', label: 'Units more; with a minus: fewer', input: el('input', { type: 'number', step: 1, required: true }) },
      { name: 'reason', label: 'Reason', input: el('input', { required: true, maxlength: 200 }) },
    ],
    action: 'Adjust',
    act: ({ delta, reason }, key) => post('/v1/staff/inventory/adjust', { sku: variant.sku, location: level.code, delta: Number(delta), reason }, key),
  });
  if (!done) return;
  toast(done.status === 'pending_approval' ? 'Somebody else has to approve it.' : 'Adjusted.');
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
