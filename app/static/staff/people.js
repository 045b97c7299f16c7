// Who works for the shop: the list, invitations, roles, leaving.
import { get, post } from './api.js';
import { confirmDialog, el, formDialog, me, moment, state, toast } from './shell.js';

const ROLES = { support: 'Support', supervisor: 'Supervisor', ops: 'Operations', admin: 'Admin' };
const place = document.getElementById('people');

async function load() {
  place.setAttribute('aria-busy', 'true');
  try {
    show((await get('/v1/staff/members')).items);
  } catch (problem) {
    place.replaceChildren(state('error', problem.message, el('button', { type: 'button', onclick: load }, 'Try again')));
  }
  place.setAttribute('aria-busy', 'false');
}

function show(people) {
  const head = el('thead', {}, el('tr', {}, ...['Name', 'E-mail', 'Role', 'State', 'Last seen', 'What can be done'].map(
    (name, index) => el('th', { scope: 'col' }, index === 5 ? el('span', { class: 'sr' }, name) : name),
  )));
  place.replaceChildren(el('table', { class: 'st-table' }, head, el('tbody', {}, ...people.map(row))));
}

function row(one) {
  return el(
    'tr',
    {},
    el('th', { scope: 'row' }, one.name, one.id === me.id ? el('span', { class: 'muted' }, ' (you)') : null),
    el('td', { 'data-label': 'E-mail' }, one.email),
    el('td', { 'data-label': 'Role' }, ROLES[one.role]),
    el('td', { 'data-label': 'State' }, chip(one)),
    el('td', { 'data-label': 'Last seen' }, one.last_seen_at ? moment(one.last_seen_at) : 'Never'),
    el('td', { class: 'st-acts' }, ...acts(one)),
  );
}

function chip(one) {
  if (one.status === 'disabled') return el('span', { class: 'st-chip warn' }, 'Disabled');
  if (one.joined_at) return el('span', { class: 'st-chip good' }, 'Active');
  const over = !one.invite_until || new Date(one.invite_until) < new Date();
  return el('span', { class: 'st-chip' }, one.invite_until ? (over ? 'Invitation over' : 'Invited') : 'Not come yet');
}

function acts(one) {
  const button = (words, act) => el('button', { type: 'button', 'aria-label': `${words}: ${one.name}`, onclick: act }, words);
  if (one.status === 'disabled') return [button('Enable', () => enable(one))];
  return [
    !one.joined_at && button('Invite again', () => again(one)),
    button('Role', () => changeRole(one)),
    button('Disable', () => disable(one)),
  ];
}

async function attempt(work, said) {
  try {
    await work();
    toast(said);
  } catch (problem) {
    toast(problem.message, 'bad');
  }
  await load();
}

const choices = (chosen) => Object.entries(ROLES).map(([value, words]) => el('option', { value, selected: value === chosen }, words));

async function invite() {
  const given = await formDialog({
    title: 'Invite somebody',
    say: 'They get a link by e-mail. It works once, for seven days.',
    fields: [
      { name: 'email', label: 'E-mail', input: el('input', { type: 'email', required: true, maxlength: 254, autocomplete: 'off' }) },
      { name: 'name', label: 'Name, as customers see it', input: el('input', { required: true, maxlength: 80, autocomplete: 'off' }) },
      { name: 'role', label: 'Role', input: el('select', {}, ...choices('support')) },
    ],
    action: 'Send the invitation',
    act: (values, key) => post('/v1/staff/members', values, key),
  });
  if (!given) return;
  toast(`${given.name} is invited.`);
  await load();
}

const again = (one) => attempt(
  () => post('/v1/staff/members', { email: one.email, name: one.name, role: one.role }), `${one.name} gets a new link.`,
);

async function changeRole(one) {
  const given = await formDialog({
    title: `${one.name}’s role`,
    say: 'They are signed out everywhere and sign in anew. API keys in their name that may more than the new role end.',
    fields: [{ name: 'role', label: 'Role', input: el('select', {}, ...choices(one.role)) }],
    action: 'Change the role',
    act: (values, key) => post(`/v1/staff/members/${one.id}/role`, values, key),
  });
  if (!given) return;
  toast(`${one.name} is ${ROLES[given.role]} now.`);
  await load();
}

async function disable(one) {
  const said = await confirmDialog({
    title: `Disable ${one.name}?`,
    facts: [['E-mail', one.email], ['Role', ROLES[one.role]]],
    say: 'They are signed out everywhere at once, and nobody comes in as them until they are enabled again. API keys in their name end for good.',
    action: 'Disable',
    danger: true,
  });
  if (said) await attempt(() => post(`/v1/staff/members/${one.id}/disable`), `${one.name} is disabled.`);
}

const enable = (one) => attempt(() => post(`/v1/staff/members/${one.id}/enable`), `${one.name} may sign in again.`);

document.getElementById('invite').addEventListener('click', invite);
load();
