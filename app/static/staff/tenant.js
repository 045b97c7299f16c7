// /staff/tenant: one section of the shop's rules, as a form made from its schema; shown as a difference before it is saved.
import { get, patch } from './api.js';
import { field, guard, refuse } from './forms.js';
import { confirmDialog, el, state, toast } from './shell.js';

const place = document.getElementById('policy');
const { section } = place.dataset;
const HEX = '^#[0-9a-fA-F]{6}$';
const READABLE = 4.5;
let unsaved = () => false;
guard(() => unsaved());

async function load() {
  try {
    const [shape, policy] = await Promise.all([get(`/v1/staff/policies/${section}/shape`), get(`/v1/staff/policies/${section}`)]);
    draw(shape, policy);
  } catch (problem) {
    place.replaceChildren(state('error', problem.message, el('button', { type: 'button', onclick: load }, 'Try again')));
  }
}

const said = (value) => (value === null ? 'none' : typeof value === 'string' ? value || 'empty' : JSON.stringify(value));
const titled = (key) => key[0].toUpperCase() + key.slice(1).replaceAll('_', ' ');

/** The one kind of value that a schema is about, and whether it may also be none. */
function kindOf(schema) {
  const parts = schema.anyOf ?? [schema];
  const real = parts.filter((one) => one.type !== 'null');
  return { kind: real.length === 1 ? real[0] : {}, none: real.length < parts.length };
}

function fieldOf(key, schema, value, standard, changed) {
  const { kind, none } = kindOf(schema);
  const hint = `${changed ? 'Set by this shop. ' : ''}Default: ${said(standard)}${none ? '. Empty: none' : ''}`;
  const option = (one, words = one) => el('option', { value: one, selected: String(value ?? '') === one }, words);
  const orNone = (read) => (text) => (none && text.trim() === '' ? null : read(text));
  if (kind.type === 'boolean') return field(titled(key), el('select', {}, option('true', 'Yes'), option('false', 'No'), none && option('', 'None')), { hint, read: orNone((text) => text === 'true') });
  if (kind.enum) return field(titled(key), el('select', {}, none && option('', 'None'), ...kind.enum.map((one) => option(one))), { hint, read: orNone((text) => text) });
  if (kind.type === 'integer') return field(titled(key), el('input', { inputmode: 'numeric', value: value ?? '' }), { hint, read: orNone((text) => (/^-?\d+$/.test(text.trim()) ? Number(text) : text)) });
  if (kind.type === 'string') return field(titled(key), el('input', { value: value ?? '', spellcheck: 'false' }), { hint, read: orNone((text) => text) });
  const lines = kind.type === 'array' && kind.items?.type === 'string';
  const box = el('textarea', { rows: 4, spellcheck: 'false' });
  box.value = lines ? (value ?? []).join('\n') : JSON.stringify(value, null, 2);
  const read = lines ? (text) => text.split('\n').map((one) => one.trim()).filter(Boolean) : json;
  return field(titled(key), box, { hint: lines ? `One on a line. ${hint}` : `JSON. ${hint}`, read });
}

/** What is no JSON goes as it is, for the server to refuse. */
function json(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function draw(shape, policy) {
  const fields = Object.fromEntries(Object.entries(shape.fields).filter(([key]) => section !== 'theme' || key !== 'logo').map(([key, schema]) => [key, fieldOf(key, schema, policy.values[key], shape.defaults[key], policy.changed.includes(key))]));
  const problem = el('p', { class: 'st-problem', role: 'alert', hidden: true });
  const save = el('button', { class: 'main', disabled: true }, 'See what changes');
  unsaved = () => Object.values(fields).some((one) => one.changed());
  const form = el('form', { class: 'ct-form', novalidate: true }, ...Object.values(fields).map((one) => one.node), problem, el('div', { class: 'ct-end' }, save));
  form.addEventListener('input', () => { save.disabled = !unsaved(); });
  form.addEventListener('submit', (event) => { event.preventDefault(); keep(fields, policy, problem); });
  place.replaceChildren(el('p', { class: 'muted' }, shape.about), ...(section === 'theme' ? [preview(fields, form)] : []), form);
}

async function keep(fields, policy, problem) {
  for (const one of Object.values(fields)) one.fault('');
  problem.hidden = true;
  const changes = Object.fromEntries(Object.entries(fields).filter(([, one]) => one.changed()).map(([key, one]) => [key, one.value()]));
  if (!Object.keys(changes).length) return;
  const facts = Object.entries(changes).map(([key, value]) => [titled(key), `${said(policy.values[key])} → ${said(value)}`]);
  if (!(await confirmDialog({ title: `Change the rules of ${section}?`, facts, say: 'It counts from now on.', action: 'Change them' }))) return;
  try {
    await patch(`/v1/staff/policies/${section}`, changes);
  } catch (refused) {
    refuse(refused, fields, problem);
    return;
  }
  toast('The rules are changed.');
  await load();
}

/** How it would look, and whether white words on it can be read; what may be saved the server says. */
function preview(fields, form) {
  const sample = el('span', { class: 'tn-sample' }, 'Add to cart');
  const verdict = el('p', { role: 'status' });
  const show = () => {
    const color = fields.accent.input.value.trim();
    const known = new RegExp(HEX).test(color);
    sample.hidden = !known;
    verdict.textContent = known ? '' : 'Name an accent such as #1f6f54 to see it.';
    if (!known) return;
    sample.style.setProperty('background', color);
    const found = contrast(color);
    verdict.textContent = `White words on ${color}: ${found.toFixed(1)} to 1, ${found >= READABLE ? 'readable' : `too little: ${READABLE} to 1 is needed`}.`;
    verdict.className = found >= READABLE ? 'good' : 'bad';
  };
  form.addEventListener('input', show);
  show();
  return el('div', { class: 'tn-preview' }, sample, verdict);
}

/** Of white words on a color: WCAG 2.2, contrast ratio. */
function contrast(hex) {
  const parts = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255).map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
  return 1.05 / (0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2] + 0.05);
}

load();
