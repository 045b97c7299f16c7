// /staff/macros: what is said often, found, made, changed, taken away. What a macro may name is the server's word.
import { get, patch, post, remove } from './api.js';
import { confirmDialog, el, formDialog, moment, shortcut, state, toast } from './shell.js';
import { called, learn } from './words.js';

const place = document.getElementById('macros');
const search = document.getElementById('mc-q');
const names = place.dataset.names.split(' ');
let all = [];

async function load() {
  try {
    const [macros, people] = await Promise.all([everything(), get('/v1/staff/colleagues').catch(() => ({ items: [] }))]);
    learn(people.items);
    all = macros;
    draw();
  } catch (problem) {
    place.replaceChildren(state('error', problem.message, el('button', { type: 'button', onclick: load }, 'Try again')));
  }
}

async function everything() {
  const items = [];
  for (let cursor = ''; cursor !== null; ) {
    const page = await get(`/v1/macros?limit=200${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    items.push(...page.items);
    cursor = page.next_cursor;
  }
  return items;
}

function draw() {
  search.parentElement.hidden = all.length === 0;
  const wanted = search.value.trim().toLowerCase();
  const shown = all.filter((one) => `${one.name}\n${one.body}`.toLowerCase().includes(wanted));
  if (!shown.length) return place.replaceChildren(state('empty', all.length ? 'No macro has these words.' : 'No macro yet. The first one saves the second person the typing.'));
  const heads = ['Name', 'What it says', 'Changed', 'What can be done'].map((name, index) => el('th', { scope: 'col' }, index === 3 ? el('span', { class: 'sr' }, name) : name));
  place.replaceChildren(el('table', { class: 'st-table mc-table' }, el('caption', { class: 'sr' }, 'Macros by name'), el('thead', {}, el('tr', {}, ...heads)), el('tbody', {}, ...shown.map(row))));
}

function row(one) {
  const button = (words, act) => el('button', { type: 'button', 'aria-label': `${words} ${one.name}`, 'data-at': `${words} ${one.id}`, onclick: act }, words);
  return el(
    'tr',
    {},
    el('th', { scope: 'row' }, one.name),
    el('td', { class: 'mc-body' }, ...marked(one.body)),
    el('td', { 'data-label': 'Changed' }, el('span', {}, moment(one.updated_at), el('span', { class: 'muted small mc-by' }, `made by ${called(one.created_by)}`))),
    el('td', { class: 'st-acts' }, button('Edit', () => edit(one)), button('Delete', () => drop(one))),
  );
}

/** The words, with what differs from case to case set apart. */
const marked = (body) => body.split(/(\{\{[^{}]*\}\})/).map((part, index) => (index % 2 ? el('span', { class: 'mc-name' }, part.slice(2, -2).trim()) : part));

/** The form of a macro; a name is put where the cursor is. */
function fieldsOf(one) {
  const body = el('textarea', { rows: 8, maxlength: 4000, required: true });
  body.value = one.body;
  const insert = (name) => () => {
    body.setRangeText(`{{ ${name} }}`, body.selectionStart, body.selectionEnd, 'end');
    body.focus();
  };
  const chips = names.map((name) => el('button', { type: 'button', class: 'mc-insert', 'aria-label': `Insert ${name}`, onclick: insert(name) }, name));
  return [
    { name: 'name', label: 'Name', input: el('input', { value: one.name, required: true, maxlength: 80, autocomplete: 'off' }) },
    { name: 'body', label: 'What it says', input: body, more: el('div', { class: 'mc-names', role: 'group', 'aria-label': 'Insert what differs' }, ...chips) },
  ];
}

async function edit(one) {
  const done = await formDialog({
    title: one.id ? `Edit ${one.name}` : 'New macro',
    say: 'What is in braces is filled in from the case. A case that has no such thing refuses the macro, and says which.',
    fields: fieldsOf(one),
    action: one.id ? 'Save' : 'Create',
    act: ({ name, body }, key) => {
      const words = { name: name.trim(), body };
      return one.id ? patch(`/v1/staff/macros/${one.id}`, { ...words, version: one.version }, key) : post('/v1/staff/macros', words, key);
    },
    wide: true,
  });
  if (!done) return;
  toast(one.id ? `${done.name} is saved.` : `${done.name} is made.`);
  await load();
  place.querySelector(`[data-at="Edit ${done.id}"]`)?.focus();
}

async function drop(one) {
  const said = await confirmDialog({ title: `Delete ${one.name}?`, facts: [['Made by', called(one.created_by)]], say: 'It is gone for everybody. What was said with it stays said.', action: 'Delete it', danger: true });
  if (!said) return;
  try {
    await remove(`/v1/staff/macros/${one.id}`);
    toast(`${one.name} is deleted.`);
  } catch (problem) {
    toast(problem.message, 'bad');
  }
  await load();
  document.getElementById('new').focus();
}

const create = () => edit({ name: '', body: '' });

document.getElementById('new').addEventListener('click', create);
search.addEventListener('input', draw);
shortcut('/', 'Find a macro', () => search.focus());
shortcut('c', 'New macro', create);
load();
