// A form made from JSON Schema. An editor is `{node, value(), fault(words, path)}`: `path` names the part within it that is at
// fault. What adds or takes away a row says `input`, as typing does.
import { field, minor, typed } from './forms.js';
import { el, shop } from './shell.js';

export const titled = (key) => key && key[0].toUpperCase() + key.slice(1).replaceAll('_', ' ');

/** Whatever is given as editors of it: `make(schema, value, label, hint)`. `schemas` are what the schema refers to. */
export function maker(schemas) {
  const resolved = (schema) => (schema.$ref ? { ...schemas[schema.$ref.split('/').pop()], ...schema } : schema);

  /** The one kind of value that a schema is about, and whether it may also be none. */
  function kindOf(given) {
    const parts = (given.anyOf ?? [given]).map(resolved);
    const real = parts.filter((one) => one.type !== 'null');
    return { kind: real.length === 1 ? real[0] : {}, none: real.length < parts.length };
  }

  function make(given, value, label, hint = '') {
    const { kind, none } = kindOf(resolved(given));
    if (kind.enum || kind.type === 'boolean') return choice(kind, none, value, label, hint);
    if (kind.type === 'integer' || kind.type === 'string') return line(kind, none, value, label, hint);
    const compound = compoundOf(kind);
    if (!compound) return asJson(value, label, hint);
    if (!none) return compound(value ?? (kind.type === 'array' ? [] : {}), label, hint);
    return optional(kind, compound, value, label, hint);
  }

  function compoundOf(kind) {
    if (kind.format === 'money') return money;
    if (kind.type === 'array') return listOf(kind);
    if (kind.type !== 'object') return null;
    if (kind.properties) return (value, label, hint) => group(kind, value, label, hint);
    return (value, label, hint) => pairs(kind, value, label, hint);
  }

  function listOf(kind) {
    if (kind.prefixItems) return (value, label, hint) => tuple(kind, value, label, hint);
    const items = kind.items && kindOf(kind.items).kind;
    if (items?.enum) return (value, label, hint) => ticks(items, value, label, hint);
    if (items?.type === 'string' || items?.type === 'integer') return (value, label, hint) => lines(items, value, label, hint);
    return items?.properties ? (value, label, hint) => entries(items, value, label, hint) : null;
  }

  /** Something, or none: which of both is a choice above it. */
  function optional(kind, compound, value, label, hint) {
    const words = kind.format === 'money' ? ['No limit in any currency', 'By currency'] : ['None', 'As said here'];
    const inner = compound(value ?? (kind.type === 'array' ? [] : {}), label, hint);
    const which = el('select', { 'aria-label': `${label}: ${words.join(' or ').toLowerCase()}` }, ...words.map((one, index) => el('option', { value: index, selected: (value === null ? 0 : 1) === index }, one)));
    const parts = [...inner.node.children].filter((one) => !one.matches('legend, .tn-about, [role=alert]'));
    const show = () => { for (const one of parts) one.hidden = which.value === '0'; };
    which.addEventListener('change', show);
    inner.node.querySelector(':scope > .tn-about, :scope > legend').after(which);
    show();
    return { ...inner, value: () => (which.value === '0' ? null : inner.value()) };
  }

  function group(kind, value, label, hint) {
    const parts = Object.fromEntries(Object.entries(kind.properties).map(([key, schema]) => [key, make(schema, value && key in value ? value[key] : schema.default ?? null, titled(key), told(schema))]));
    const { node, own } = framed(label, hint, el('div', { class: 'tn-grid' }, ...Object.values(parts).map((one) => one.node)));
    return {
      node,
      value: () => Object.fromEntries(Object.entries(parts).map(([key, one]) => [key, one.value()])),
      fault: (words, [first, ...rest] = []) => (parts[first] ?? { fault: own }).fault(words, rest),
    };
  }

  /** A list of objects: each in a frame, to be moved up, taken away, added to. */
  function entries(kind, value, label, hint) {
    const rows = rowsOf(label, hint, (one, at) => group(kind, one, `${at + 1}`), {}, { numbered: true });
    for (const one of value) rows.add(one);
    return { ...rows, value: () => rows.all().map((one) => one.value()), fault: (words, [first, ...rest] = []) => (rows.all()[first] ?? { fault: rows.own }).fault(words, rest) };
  }

  /** Names and values. */
  function pairs(kind, value, label, hint) {
    const inner = kind.additionalProperties ?? Object.values(kind.patternProperties ?? {})[0] ?? {};
    const names = kind.propertyNames && kindOf(kind.propertyNames).kind.enum;
    const rows = rowsOf(label, hint, ([key, one]) => {
      const name = field('Name', names ? el('select', {}, ...names.map((each) => el('option', { value: each, selected: each === key }, titled(each)))) : el('input', { value: key, spellcheck: 'false' }));
      const held = make(inner, one, 'Value');
      return { node: el('div', { class: 'tn-pair' }, name.node, held.node), key: () => name.input.value.trim(), value: held.value, fault: held.fault, twice: (yes) => { name.input.toggleAttribute('data-twice', yes); name.fault(yes ? 'This name is there already.' : ''); } };
    }, ['', null], { unique: true });
    for (const one of Object.entries(value)) rows.add(one);
    return named(rows);
  }

  return make;
}

/** Rows that have keys, as an object; a key that is there twice is said at its row. */
function named(rows) {
  return {
    ...rows,
    value: () => Object.fromEntries(rows.all().map((one) => [one.key(), one.value()])),
    fault: (words, [first, ...rest] = []) => (rows.all().find((one) => one.key() === first) ?? { fault: rows.own }).fault(words, rest),
  };
}

const none = (allowed, read) => (text) => (allowed && text.trim() === '' ? null : read(text));

function choice(kind, allowed, value, label, hint) {
  const option = (one, words) => el('option', { value: one, selected: String(value ?? '') === one }, words);
  const options = kind.enum ? kind.enum.map((one) => option(one, titled(one))) : [option('true', 'Yes'), option('false', 'No')];
  return field(label, el('select', {}, allowed && option('', 'None'), ...options), { hint, read: none(allowed, (text) => (kind.enum ? text : text === 'true')) });
}

const whole = (text) => (/^-?\d+$/.test(text.trim()) ? Number(text) : text);

function line(kind, allowed, value, label, hint) {
  if (kind.type === 'integer') return field(label, el('input', { inputmode: 'numeric', value: value ?? '' }), { hint, read: none(allowed, whole) });
  const long = (kind.maxLength ?? 0) > 200;
  const type = { date: 'date', time: 'time' }[kind.format] ?? 'text';
  const input = long ? el('textarea', { rows: 4 }) : el('input', { type, spellcheck: 'false' });
  input.value = type === 'time' ? (value ?? '').slice(0, 5) : (value ?? '');
  const read = (text) => (type === 'time' && text.length === 5 ? `${text}:00` : text);
  return field(label, input, { hint, read: none(allowed, read) });
}

/** Simple values, one on a line. */
function lines(items, value, label, hint) {
  const box = el('textarea', { rows: Math.min(Math.max(value.length + 1, 2), 8), spellcheck: 'false' });
  box.value = value.join('\n');
  const read = (text) => text.split('\n').map((one) => one.trim()).filter(Boolean).map(items.type === 'integer' ? whole : (one) => one);
  return framedField(field(label, box, { hint: `One on a line. ${hint}`, read }));
}

/** An editor that `optional` can put its choice into. */
function framedField(one) {
  one.node.querySelector('label').classList.add('tn-about');
  return one;
}

/** What of a closed list is chosen: what was chosen before keeps its place. */
function ticks(items, value, label, hint) {
  const boxes = items.enum.map((one) => el('input', { type: 'checkbox', value: one, checked: value.includes(one) }));
  const { node, own } = framed(label, hint, el('div', { class: 'tn-ticks' }, ...boxes.map((box) => el('label', {}, box, ` ${titled(box.value)}`))));
  const chosen = () => boxes.filter((one) => one.checked).map((one) => one.value);
  return { node, value: () => [...value.filter((one) => chosen().includes(one)), ...chosen().filter((one) => !value.includes(one))], fault: own };
}

function tuple(kind, value, label, hint) {
  const parts = kind.prefixItems.map((one, index) => line(one, false, value?.[index] ?? '', ['From', 'To'][index] ?? `${index + 1}`, ''));
  const { node, own } = framed(label, hint, el('div', { class: 'tn-both' }, ...parts.map((one) => one.node)));
  return { node, value: () => parts.map((one) => one.value()), fault: (words, [first] = []) => (parts[first] ?? { fault: own }).fault(words) };
}

/** The most, currency by currency: amounts as they are typed. */
function money(value, label, hint) {
  const rows = rowsOf(label, hint, ([code, amount]) => {
    const currency = field('Currency', el('input', { value: code, maxlength: 3, spellcheck: 'false', autocapitalize: 'characters', class: 'tn-code' }));
    const key = () => currency.input.value.trim().toUpperCase();
    const read = (text) => (text.trim() === '' ? null : minor(text, key()));
    const most = field('At most', el('input', { value: amount === null ? '' : typed(amount, code), inputmode: 'decimal', placeholder: 'No limit' }), { read });
    return { node: el('div', { class: 'tn-pair' }, currency.node, most.node), key, value: most.value, fault: most.fault, twice: (yes) => { currency.input.toggleAttribute('data-twice', yes); currency.fault(yes ? 'This currency is there already.' : ''); } };
  }, [shop.currency, 0], { unique: true, adds: 'Add a currency' });
  for (const one of Object.entries(value)) rows.add(one);
  return named(rows);
}

function asJson(value, label, hint) {
  const box = el('textarea', { rows: 6, spellcheck: 'false' });
  box.value = JSON.stringify(value, null, 2);
  const read = (text) => { try { return JSON.parse(text); } catch { return text; } }; // what is no JSON the server refuses
  return field(label, box, { hint: `JSON. ${hint}`, read });
}

/** A frame of rows with buttons to add and take away. `blank` is what a new row starts from. */
function rowsOf(label, hint, make, blank, { numbered = false, unique = false, adds = 'Add one' } = {}) {
  const held = [];
  const list = el('div', { class: 'tn-rows' });
  const add = el('button', { type: 'button', 'aria-label': `${label}: ${adds.toLowerCase()}` }, adds);
  const { node, own } = framed(label, hint, list, el('div', {}, add));
  const told = () => {
    if (unique) for (const one of held) one.twice(held.some((other) => other !== one && other.key() === one.key()));
    node.dispatchEvent(new Event('input', { bubbles: true }));
  };
  const draw = () => {
    list.replaceChildren(...held.map((one) => one.row));
    if (numbered) held.forEach((one, at) => { one.node.querySelector('legend').textContent = `${at + 1}`; });
  };
  const put = (value) => {
    const one = make(value, held.length);
    const button = (words, act) => el('button', { type: 'button', 'aria-label': `${label}: ${words.toLowerCase()}`, onclick: act }, words);
    const move = () => {
      const at = held.indexOf(one);
      if (at < 1) return;
      [held[at - 1], held[at]] = [one, held[at - 1]];
      draw();
      one.row.querySelector('button:last-of-type')?.focus();
      told();
    };
    const drop = () => {
      held.splice(held.indexOf(one), 1);
      draw();
      add.focus();
      told();
    };
    one.row = el('div', { class: `tn-row${numbered ? ' tn-tall' : ''}` }, one.node, el('div', { class: 'tn-acts' }, numbered && button('Move up', move), button('Remove', drop)));
    held.push(one);
    return one;
  };
  add.addEventListener('click', () => {
    const one = put(blank);
    draw();
    one.node.querySelector('input, select, textarea')?.focus();
    told();
  });
  if (unique) list.addEventListener('change', told);
  return { node, own, all: () => held, add: (value) => { put(value); draw(); } };
}

function framed(label, hint, ...parts) {
  const said = el('p', { class: 'bad small', role: 'alert', hidden: true });
  const node = el('fieldset', { class: 'tn-group' }, el('legend', {}, label), el('p', { class: 'muted small tn-about', hidden: !hint }, hint), ...parts, said);
  const own = (words) => {
    said.textContent = words;
    said.hidden = !words;
    if (words) node.querySelector('input, select, textarea, button')?.focus();
  };
  return { node, own };
}

/** What a rule means, in plain words. */
export function told(schema) {
  const words = (schema.description ?? '').replaceAll('``None``', 'none').replaceAll('``', '').replace(/\s+/g, ' ').trim();
  return words && words[0].toUpperCase() + words.slice(1);
}

/** How a value is written in a sentence. */
export function said(value, schema = {}) {
  const money = [schema, ...(schema.anyOf ?? [])].some((one) => one.format === 'money');
  if (value === null || value === undefined) return money ? 'no limit' : 'none';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value !== 'object') return String(value) || 'empty';
  if (Array.isArray(value)) return value.map((one) => said(one)).join(', ') || 'none';
  const entry = ([key, one]) => (money ? `${key} ${one === null ? 'no limit' : typed(one, key)}` : `${key}: ${said(one)}`);
  return Object.entries(value).map(entry).join(money ? ', ' : '; ') || 'none';
}

/** Where two values differ, as `[label, 'before → after']`. */
export function differences(label, before, after, schema = {}) {
  const plain = (one) => one !== null && typeof one === 'object' && !Array.isArray(one);
  const lists = Array.isArray(before) && Array.isArray(after) && [...before, ...after].some(plain);
  if (plain(before) && plain(after) && !JSON.stringify(schema).includes('"money"')) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return keys.filter((key) => !same(before[key], after[key])).flatMap((key) => differences(`${label}, ${titled(key).toLowerCase()}`, before[key], after[key]));
  }
  if (!lists) return [[label, `${said(before, schema)} → ${said(after, schema)}`]];
  const gone = before.filter((one) => !after.some((other) => same(one, other)));
  const come = after.filter((one) => !before.some((other) => same(one, other)));
  const rows = [...gone.map((one) => [label, `without: ${said(one)}`]), ...come.map((one) => [label, `with: ${said(one)}`])];
  return rows.length ? rows : [[label, 'in another order']];
}

export const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
