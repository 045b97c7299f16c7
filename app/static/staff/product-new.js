// /staff/catalog/new: a product with its options and variants, made at once: a draft, or on sale.
import { post } from './api.js';
import { Said } from './drafts.js';
import { AMOUNT, calm, field, guard, minor, refuse } from './forms.js';
import { el, shop } from './shell.js';

const place = document.getElementById('new-product');
const MOST = 200;
const CODED = { sku: 'SKU', price: `Price in ${shop.currency}`, cost: `Cost in ${shop.currency}`, weight_g: 'Weight in g' };
const READ = {
  price: { read: (text) => minor(text), must: AMOUNT },
  cost: { read: (text) => minor(text || '0'), must: AMOUNT },
  weight_g: { read: (text) => whole(text), must: 'A whole number of grams.' },
};
const COPIED = ['price', 'cost', 'weight_g'];
const once = new Said();
let sent = false;

const plain = (text) => text.normalize('NFKD').replace(/[\u0300-\u036f]/g, '').toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '');
const whole = (text) => (/^\d+$/.test(text.trim()) ? Number(text) : text.trim());

const option = (value, words = value) => el('option', { value }, words);
const text = el('textarea', { rows: 5, maxlength: 4000 });
const fields = {
  title: field('Title', el('input', { maxlength: 200, required: true, autocomplete: 'off' })),
  slug: field('Web address', el('input', { maxlength: 80, required: true, autocomplete: 'off', spellcheck: 'false' }), { hint: 'Small letters, digits and hyphens; made of the title' }),
  category: field('Category', el('input', { maxlength: 80, required: true, autocomplete: 'off' }), { hint: 'Small letters, such as sleeping bags' }),
  brand: field('Brand', el('input', { maxlength: 80, autocomplete: 'off' })),
  tax_category: field('Taxed as', el('select', {}, ...place.dataset.taxes.split(' ').map((one) => option(one)))),
  status: field('Status', el('select', {}, option('draft', 'Draft'), option('active', 'On sale at once')), { hint: 'Nobody but you sees a draft' }),
  description: field('Description', text),
};

// Options, and the variants that follow from them

const options = [];
const variants = new Map(); // by what its options are: the fields of a variant, kept while options come and go
const optionList = el('div', { class: 'tn-rows' });
const variantList = el('div', { class: 'tn-rows' });
const told = el('p', { class: 'bad small', role: 'alert', hidden: true });

function addOption() {
  const name = field('Option', el('input', { maxlength: 40, placeholder: 'Size', autocomplete: 'off' }));
  const values = field('Its values, with commas between', el('input', { maxlength: 400, placeholder: 'S, M, L', autocomplete: 'off' }));
  const one = { name, values };
  const drop = el('button', { type: 'button', 'aria-label': 'Remove this option', onclick: () => { options.splice(options.indexOf(one), 1); one.row.remove(); more.hidden = false; more.focus(); drawVariants(); } }, 'Remove');
  one.row = el('div', { class: 'tn-row' }, el('div', { class: 'tn-pair' }, name.node, values.node), drop);
  options.push(one);
  optionList.append(one.row);
  more.hidden = options.length >= 5;
  return one;
}

const more = el('button', { type: 'button', onclick: () => addOption().name.input.focus() }, 'Add an option');

/** `{name: [values]}` as typed, without what is not complete. */
function offered() {
  const pairs = options.map(({ name, values }) => [name.input.value.trim(), [...new Set(values.input.value.split(',').map((one) => one.trim()).filter(Boolean))]]);
  return Object.fromEntries(pairs.filter(([name, values]) => name && values.length));
}

/** Every choice of one value for each option. */
const combined = (all) => Object.entries(all).reduce((made, [name, values]) => made.flatMap((one) => values.map((value) => ({ ...one, [name]: value }))), [{}]);

function variantOf(chosen) {
  const key = JSON.stringify(chosen);
  if (variants.has(key)) return variants.get(key);
  const first = [...variants.values()][0];
  const parts = Object.fromEntries(Object.entries(CODED).map(([name, label]) => [name, field(label, el('input', { autocomplete: 'off', spellcheck: 'false', ...(name === 'sku' ? { maxlength: 40, class: 'tn-code' } : { inputmode: 'decimal', value: first?.parts[name].input.value ?? '' }) }), READ[name])]));
  const made = el('input', { type: 'checkbox', checked: true });
  const title = Object.values(chosen).join(' · ') || 'The product';
  const node = el('fieldset', { class: 'tn-group' }, el('legend', {}, title), el('div', { class: 'tn-grid' }, ...Object.values(parts).map((one) => one.node)), Object.keys(chosen).length > 0 && el('div', { class: 'tn-ticks' }, el('label', {}, made, ' There is one like this')));
  const one = { chosen, parts, made, node };
  parts.sku.input.addEventListener('input', () => { one.own = true; });
  variants.set(key, one);
  return one;
}

const shown = () => combined(offered()).slice(0, MOST).map(variantOf);

function drawVariants() {
  const all = combined(offered());
  told.textContent = `That would be ${all.length} variants; a product has at most ${MOST}.`;
  told.hidden = all.length <= MOST;
  const rows = shown();
  if (!rows.every((one, at) => variantList.children[at] === one.node) || variantList.children.length !== rows.length) variantList.replaceChildren(...rows.map((one) => one.node));
  suggest(rows);
}

/** SKUs are made of the address and the options until somebody types their own. */
function suggest(rows) {
  for (const one of rows) if (!one.own) one.parts.sku.input.value = [fields.slug.input.value, ...Object.values(one.chosen).map(plain)].filter(Boolean).join('-').toUpperCase().slice(0, 40);
}

/** What is typed at the first variant is there at the others too, until they have their own. */
function copyDown(event) {
  const [first, ...rest] = shown();
  const name = COPIED.find((one) => first?.parts[one].input === event.target);
  if (!name) return;
  const before = first.before?.[name] ?? '';
  for (const one of rest) if (one.parts[name].input.value === before) one.parts[name].input.value = event.target.value;
  first.before = { ...first.before, [name]: event.target.value };
}

// The form

const problem = el('p', { class: 'st-problem', role: 'alert', hidden: true });
const save = el('button', { class: 'main' }, 'Make the product');
const { description, ...short } = fields;
const form = el(
  'form',
  { class: 'ct-form', novalidate: true },
  el('section', { class: 'st-panel ct-form', 'aria-labelledby': 'np-words' }, el('h2', { id: 'np-words' }, 'The product'), el('div', { class: 'ct-grid' }, ...Object.values(short).map((one) => one.node)), description.node),
  el('section', { class: 'st-panel ct-form', 'aria-labelledby': 'np-options' }, el('h2', { id: 'np-options' }, 'Options'), el('p', { class: 'muted' }, 'What tells its variants apart, such as size or color. Without one there is a single variant.'), optionList, el('div', {}, more)),
  el('section', { class: 'st-panel ct-form', 'aria-labelledby': 'np-variants' }, el('h2', { id: 'np-variants' }, 'Variants'), el('p', { class: 'muted' }, 'Units are put in stock once it is made.'), told, variantList),
  problem,
  el('div', { class: 'ct-end' }, save),
);

let owned = false;
fields.slug.input.addEventListener('input', () => { owned = true; });
form.addEventListener('input', (event) => {
  if (event.target === fields.title.input && !owned) fields.slug.input.value = plain(fields.title.input.value).slice(0, 80);
  copyDown(event);
  drawVariants();
});

function asked() {
  const words = Object.fromEntries(Object.entries(fields).map(([name, one]) => [name, one.value().trim()]));
  const rows = shown().filter((one) => one.made.checked);
  const said = ({ chosen, parts }) => ({ sku: parts.sku.value().trim().toUpperCase(), options: chosen, price: parts.price.value(), cost: parts.cost.value(), weight_g: parts.weight_g.value() });
  return { rows, body: { ...words, options: offered(), variants: rows.map(said) } };
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  calm(form);
  problem.hidden = true;
  const { rows, body } = asked();
  save.disabled = true;
  try {
    const made = await post('/v1/products', body, once.keyOf(JSON.stringify(body)));
    sent = true;
    location.assign(`/staff/catalog/products/${made.id}`);
  } catch (refused) {
    save.disabled = false;
    const names = (refused.body.param ?? '').split('.');
    const row = rows[names[names.indexOf('variants') + 1]];
    refuse(refused, names.includes('variants') && row ? row.parts : fields, problem);
    if (!problem.hidden) problem.scrollIntoView({ block: 'center' });
  }
});

guard(() => !sent && Boolean(fields.title.input.value || variants.size > 1));
drawVariants();
place.replaceChildren(form);
fields.title.input.focus();
