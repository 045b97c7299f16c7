// /staff/tenant: one section of the shop's rules, as a form made from its schema; shown as a difference before it is saved,
// and saved only over what was read.
import { get, patch, post } from './api.js';
import { Said } from './drafts.js';
import { calm, guard } from './forms.js';
import { differences, maker, said, same, titled, told } from './schema-form.js';
import { confirmDialog, el, shop, state, toast } from './shell.js';

const place = document.getElementById('policy');
const { section } = place.dataset;
const path = `/v1/staff/policies/${section}`;
const HEX = '^#[0-9a-fA-F]{6}$';
const READABLE = 4.5;
const LONG = 90;
const once = new Said();
let unsaved = () => false;
guard(() => unsaved());

/** Reads the rules; `mine()` is what was changed here and is not saved yet, when they have been read. */
async function load(mine = () => ({})) {
  try {
    const [shape, policy] = await Promise.all([get(`${path}/shape`), get(path)]);
    draw(shape, policy, mine());
  } catch (problem) {
    place.replaceChildren(state('error', problem.message, el('button', { type: 'button', onclick: () => load(mine) }, 'Try again')));
  }
}

/** One rule: its editor, and the way back to the default. */
function ruleOf(key, shape, policy, value) {
  const schema = shape.fields[key];
  const standard = shape.defaults[key];
  const make = maker(shape.schemas);
  const words = said(standard, schema);
  const hint = [told(schema), policy.changed.includes(key) && 'Set by this shop.', words.length <= LONG && `Default: ${words}.`, schema.anyOf && typeof standard !== 'object' && 'Empty: none.'].filter(Boolean).join(' ');
  const node = el('div', { class: 'tn-rule' });
  const back = el('button', { type: 'button', class: 'plain tn-default', 'aria-label': `Use the default: ${titled(key)}` }, 'Use the default');
  const rule = {
    node,
    schema,
    base: policy.values[key],
    value: () => rule.editor.value(),
    changed: () => !same(rule.value(), rule.start),
    look: () => { back.hidden = same(rule.value(), standard); },
    put(given) {
      rule.editor = make(schema, given, titled(key), hint);
      node.replaceChildren(rule.editor.node, back);
    },
  };
  rule.put(rule.base);
  rule.start = rule.value();
  if (!same(value, rule.base)) rule.put(value);
  back.addEventListener('click', () => {
    rule.put(standard);
    node.dispatchEvent(new Event('input', { bubbles: true }));
    node.querySelector('input, select, textarea')?.focus();
  });
  return rule;
}

function draw(shape, policy, mine) {
  const names = Object.keys(shape.fields).filter((key) => section !== 'theme' || key !== 'logo');
  const rules = Object.fromEntries(names.map((key) => [key, ruleOf(key, shape, policy, key in mine ? mine[key] : policy.values[key])]));
  const problem = el('div', { class: 'st-problem', role: 'alert', hidden: true });
  const save = el('button', { class: 'main' }, 'See what changes');
  const form = el('form', { class: 'ct-form', novalidate: true }, ...Object.values(rules).map((one) => one.node), problem, el('div', { class: 'ct-end tn-save' }, save));
  unsaved = () => Object.values(rules).some((one) => one.changed());
  const look = () => {
    save.disabled = !unsaved();
    for (const one of Object.values(rules)) one.look();
  };
  form.addEventListener('input', look);
  form.addEventListener('change', look);
  form.addEventListener('submit', (event) => { event.preventDefault(); keep(rules, policy, problem); });
  const head = section === 'theme' ? [logo(policy, () => changesOf(rules)), preview(rules, form)] : [];
  const held = holdFocus();
  place.replaceChildren(el('p', { class: 'muted' }, told({ description: shape.about })), ...head, form);
  held();
  look();
}

/** Whoever writes while the form is drawn again writes on: same field, same place in it. */
function holdFocus() {
  const fields = () => [...place.querySelectorAll('input, select, textarea')];
  const one = document.activeElement;
  const at = fields().indexOf(one);
  const { selectionStart: from = null, selectionEnd: to } = one;
  return () => {
    const now = fields()[at];
    now?.focus({ preventScroll: true });
    if (from !== null) now?.setSelectionRange(from, to);
  };
}

let saving = false;
const changesOf = (rules) => Object.fromEntries(Object.entries(rules).filter(([, one]) => one.changed()).map(([key, one]) => [key, one.value()]));

async function keep(rules, policy, problem) {
  if (saving) return;
  const twice = place.querySelector('[data-twice]');
  if (twice) return twice.focus();
  calm(place);
  problem.hidden = true;
  const changes = changesOf(rules);
  if (!Object.keys(changes).length) return;
  const facts = Object.entries(changes).flatMap(([key, value]) => differences(titled(key), rules[key].base, value, rules[key].schema));
  if (!(await confirmDialog({ title: `Change the rules of ${section}?`, facts, say: 'It counts from now on.', action: 'Change them' }))) return;
  saving = true;
  try {
    await patch(path, changes, once.keyOf(JSON.stringify([policy.version, changes])), { 'If-Match': `"${policy.version}"` });
    once.answered();
  } catch (refused) {
    refuse(refused, rules, problem);
    return;
  } finally {
    saving = false;
  }
  toast('The rules are changed.');
  await load(() => writtenSince(rules, changes));
}

const sentence = (words) => words[0].toUpperCase() + words.slice(1);

/** What was changed while `changes` were saved. */
function writtenSince(rules, changes) {
  const known = (key, one) => (key in changes ? changes[key] : one.start);
  return Object.fromEntries(Object.entries(rules).filter(([key, one]) => !same(one.value(), known(key, one))).map(([key, one]) => [key, one.value()]));
}

/** Shows a refusal at what it names; where somebody else saved meanwhile, how to go on without losing either. */
function refuse(refused, rules, problem) {
  const { param = '' } = refused.body;
  const [, name, ...rest] = param.split('.');
  if (rules[name]) {
    rules[name].editor.fault(sentence(refused.message.replace(`${param}: `, '')), rest);
    rules[name].node.querySelector('[aria-invalid]')?.focus();
    return;
  }
  const again = refused.code === 'policy_changed' && el('button', { type: 'button', onclick: () => load(() => changesOf(rules)) }, 'Read theirs, and keep mine to look at');
  problem.replaceChildren(...[el('p', {}, refused.message), again].filter(Boolean));
  problem.hidden = false;
  again ? again.focus() : problem.scrollIntoView({ block: 'nearest' });
}

/** The shop's picture: shown, given, taken off. It is saved at once, whatever else is unsaved stays. */
function logo(policy, changes) {
  const digest = policy.values.logo;
  const input = el('input', { type: 'file', id: 'tn-logo', accept: 'image/png,image/jpeg,image/webp' });
  const problem = el('p', { class: 'bad small', role: 'alert', hidden: true });
  const attempt = async (work, words) => {
    problem.hidden = true;
    try {
      await work();
      toast(words);
      await load(changes);
    } catch (refused) {
      problem.textContent = refused.message;
      problem.hidden = false;
    }
  };
  input.addEventListener('change', async () => {
    const [file] = input.files;
    if (file) await attempt(async () => post('/v1/staff/theme/logo', { name: file.name, content: await base64(file) }), 'The logo is shown from now on.');
  });
  const off = digest && el('button', { type: 'button', onclick: () => attempt(() => patch(path, { logo: null }, crypto.randomUUID(), { 'If-Match': `"${policy.version}"` }), 'The logo is taken off.') }, 'Take it off');
  const now = digest ? el('img', { class: 'tn-logo', src: `/theme/${shop.slug}/logo/${digest}`, alt: 'The logo as it is now' }) : el('p', { class: 'muted' }, 'None: the first letter of the name is shown.');
  return el('fieldset', { class: 'tn-group' }, el('legend', {}, 'Logo'), now, el('label', { for: 'tn-logo' }, 'A picture: JPEG, PNG or WebP, of at most 128 KiB'), input, problem, off && el('div', {}, off));
}

const base64 = (file) => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.addEventListener('load', () => resolve(reader.result.slice(reader.result.indexOf(',') + 1)));
  reader.addEventListener('error', () => reject(new Error('This file cannot be read.')));
  reader.readAsDataURL(file);
});

/** How it would look, and whether white words on it can be read; what may be saved the server says. */
function preview(rules, form) {
  const sample = el('span', { class: 'tn-sample' }, 'Add to cart');
  const verdict = el('p', { role: 'status' });
  const show = () => {
    const color = (rules.accent.value() ?? '').trim();
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
