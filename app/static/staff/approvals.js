// /staff/approvals: what waits for somebody's yes, and what became of the rest. Whose it is to decide is the server's word.
import { get, post } from './api.js';
import { chip, price } from './order-panel.js';
import { confirmDialog, el, moment, toast } from './shell.js';

const place = document.getElementById('op-approvals');
const tabs = [...document.querySelectorAll('.op-tabs button')];
const AGAIN_MS = 15_000;
let state = 'waiting';
let asked = 0;
let many = 0; // how many are shown, with what was asked for by "Show more"
let seen = '';

async function load({ quiet = false } = {}) {
  const number = (asked += 1);
  if (!quiet) place.replaceChildren(el('div', { class: 'st-state', 'data-state': 'loading' }, 'Looking'));
  try {
    const page = await look(many);
    if (number !== asked || document.querySelector('dialog[open]')) return;
    const now = JSON.stringify([state, page]);
    if (quiet && now === seen) return; // nothing is new: who reads is left in peace
    seen = now;
    draw(page);
  } catch (problem) {
    if (number === asked && !quiet) place.replaceChildren(el('p', { class: 'st-problem', role: 'alert' }, problem.message));
  }
}

/** The first page, and as many more as were shown. */
async function look(wanted) {
  const limit = Math.min(Math.max(wanted, 50), 200);
  const page = await get(`/v1/staff/approvals?state=${state}&limit=${limit}`);
  while (page.items.length < wanted && page.next_cursor) {
    const next = await get(`/v1/staff/approvals?state=${state}&limit=200&cursor=${encodeURIComponent(page.next_cursor)}`);
    page.items.push(...next.items);
    page.next_cursor = next.next_cursor;
  }
  return page;
}

function draw(page) {
  many = page.items.length;
  tabs[0].textContent = `Waiting (${page.waiting})`;
  if (!page.items.length) {
    place.replaceChildren(el('div', { class: 'st-state' }, state === 'waiting' ? 'Nothing waits. ' : 'Nothing was decided yet.'));
    return;
  }
  const at = document.activeElement?.closest?.('.op-approval')?.id;
  const list = el('ul', { class: 'op-approvals' }, ...page.items.map(item));
  place.replaceChildren(list);
  more(page.next_cursor, list);
  if (at) document.getElementById(at)?.querySelector('button, a')?.focus();
  if (location.hash.startsWith('#apv_')) document.getElementById(location.hash.slice(1))?.scrollIntoView({ block: 'center' });
}

function more(cursor, list) {
  if (!cursor) return;
  const button = el('button', { type: 'button' }, 'Show more');
  button.addEventListener('click', async () => {
    button.disabled = true;
    try {
      const page = await get(`/v1/staff/approvals?state=${state}&cursor=${encodeURIComponent(cursor)}`);
      const added = page.items.map(item);
      list.append(...added);
      many += added.length;
      seen = '';
      button.parentElement.remove();
      added[0]?.querySelector('button, a')?.focus();
      more(page.next_cursor, list);
    } catch (problem) {
      button.disabled = false;
      toast(problem.message, 'bad');
    }
  });
  place.append(el('p', { class: 'op-more' }, button));
}

function facts(one) {
  const { approval } = one;
  return [
    ['Amount', price(approval.amount)],
    ['Asked by', one.asked_by],
    ...(one.order_number ? [['Order', `${one.order_number}${one.buyer ? `, ${one.buyer}` : ''}`]] : []),
    ...one.facts.map((fact) => [fact.label, fact.value]),
    ...(approval.reason ? [['Why', approval.reason]] : []),
    ...(one.limit ? [['Limit', `${price(one.limit)} (${one.limit_words})`]] : [['Limit', one.limit_words]]),
    ...(approval.needed > 1 ? [['Have said yes', `${approval.agreed.length} of ${approval.needed}`]] : []),
  ];
}

function item(one) {
  const { approval } = one;
  const waits = approval.status === 'pending';
  const order = one.order_number && el('a', { href: `/staff/orders/${encodeURIComponent(one.order_number)}` }, `Order ${one.order_number}`);
  const thread = approval.case_id && el('a', { href: `/staff/cases/${approval.case_id}` }, 'The conversation');
  return el(
    'li',
    { class: 'op-approval st-panel', id: approval.id },
    el('div', { class: 'op-who' }, el('h2', {}, `${one.title} of ${price(approval.amount)}`), chip(approval.status)),
    el('dl', { class: 'st-facts' }, ...facts(one).map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value)))),
    el('p', { class: 'muted small' }, `Asked ${moment(approval.created_at)}`, waits ? `, runs out ${moment(approval.expires_at)}` : one.decided_by ? `, decided by ${one.decided_by} ${moment(approval.decided_at)}` : '', approval.note ? `: ${approval.note}` : ''),
    (order || thread) && el('p', { class: 'op-links' }, order, thread),
    waits && (one.may_decide ? buttons(one) : el('p', { class: 'op-note warn' }, one.why_not)),
  );
}

function buttons(one) {
  const press = (approve) => (event) => decide(one, approve, event.currentTarget);
  return el(
    'div',
    { class: 'st-actions' },
    el('button', { type: 'button', onclick: press(false) }, 'Deny'),
    el('button', { type: 'button', class: 'main', onclick: press(true) }, 'Approve'),
  );
}

async function decide(one, approve, button) {
  const said = await confirmDialog({
    title: approve ? `Approve: ${one.title.toLowerCase()} of ${price(one.approval.amount)}` : `Deny: ${one.title.toLowerCase()} of ${price(one.approval.amount)}`,
    facts: facts(one),
    say: approve ? 'It is done as soon as you approve. The shopper reads the outcome, never who decided or why.' : 'Nothing is done. The shopper reads that it was not approved, never who decided or why.',
    action: approve ? 'Approve' : 'Deny',
    danger: !approve,
    reason: { label: 'Reason, for the shop’s people', required: !approve },
  });
  if (!said) return;
  button.disabled = true;
  try {
    const done = await post(`/v1/staff/approvals/${one.approval.id}/${approve ? 'approve' : 'decline'}`, { note: said.reason });
    toast(OUTCOMES[done.status] ?? `It is ${done.status}.`, done.status === 'failed' ? 'bad' : 'good');
  } catch (problem) {
    toast(problem.message, 'bad');
  }
  await load({ quiet: true });
  place.querySelector('button, a')?.focus();
}

const OUTCOMES = {
  approved: 'Approved, and done.',
  declined: 'Denied. Nothing was done.',
  pending: 'Your yes counts. Somebody else has to say yes too.',
  claimed: 'Approved. It is being carried out.',
  failed: 'It was approved and could not be done as things stand now.',
};

for (const tab of tabs) {
  tab.addEventListener('click', () => {
    state = tab.dataset.state;
    many = 0;
    for (const one of tabs) one.setAttribute('aria-pressed', String(one === tab));
    load();
  });
}
setInterval(() => { if (document.visibilityState === 'visible' && state === 'waiting') load({ quiet: true }); }, AGAIN_MS);
load();
