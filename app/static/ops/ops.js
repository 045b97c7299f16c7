// The pages of operations: read anew when something moves, lanes by keyboard, requests when they are opened, and acts.
import { get, post } from '../staff/api.js';
import { follow } from '../staff/live.js';
import { confirmDialog, el, formDialog, moment, toast } from '../staff/shell.js';

const news = document.getElementById('op-news');
const live = () => document.getElementById('live');

/** Moments as the reader's clock shows them. */
function localize(root) {
  for (const one of root.querySelectorAll('time[datetime]')) one.textContent = moment(one.dateTime);
}

/** The page as it is now, asked for as a document: nothing of it is run, and no text becomes markup here. */
function page() {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('GET', location.href);
    request.responseType = 'document';
    request.onload = () => (request.status === 200 && request.response?.getElementById('live') ? resolve(request.response) : reject(new Error(String(request.status))));
    request.onerror = () => reject(new Error('0'));
    request.send();
  });
}

/** What a reader has done to the page: opened, scrolled to, focused, typed. */
function stateOf(root) {
  const focused = root.contains(document.activeElement) ? document.activeElement : null;
  return {
    open: [...root.querySelectorAll('details[open][id]')].map((one) => [one.id, one.querySelector('.op-body')]),
    left: root.querySelector('.op-scroll')?.scrollLeft ?? 0,
    focus: focused && nameOf(focused),
  };
}

/** A way to find the same thing in the page as it is later. */
function nameOf(node) {
  if (node.id) return `#${CSS.escape(node.id)}`;
  if (node.dataset.act) return `[data-act="${node.dataset.act}"][data-id="${CSS.escape(node.dataset.id)}"]`;
  if (node.matches('summary')) return `#${CSS.escape(node.parentElement.id)} > summary`;
  if (node.matches('.op-mark')) return `.op-mark[aria-label="${CSS.escape(node.getAttribute('aria-label'))}"]`;
  return node.matches('a[href]') ? `a[href="${CSS.escape(node.getAttribute('href'))}"]` : null;
}

function restore(root, before) {
  for (const [id, body] of before.open) {
    const one = root.querySelector(`#${CSS.escape(id)}`);
    if (!one) continue;
    if (body?.dataset.read) one.querySelector('.op-body').replaceWith(body);
    one.open = true;
  }
  const scroll = root.querySelector('.op-scroll');
  if (scroll) scroll.scrollLeft = before.left;
  if (before.focus) root.querySelector(before.focus)?.focus({ preventScroll: true });
}

let reading = null;

async function again() {
  if (document.querySelector('dialog[open]') || live().querySelector('form :focus')) return later();
  const fresh = await page();
  const before = stateOf(live());
  const next = document.adoptNode(fresh.getElementById('live'));
  live().replaceWith(next);
  localize(next);
  restore(next, before);
  news.textContent = '';
}

/** Reads the page anew once, however often it is asked meanwhile. */
function refresh() {
  reading ??= again().catch(() => { news.textContent = 'What is shown may be older: there was no answer.'; }).finally(() => { reading = null; });
  return reading;
}

const later = () => new Promise((resolve) => setTimeout(resolve, 1000)).then(() => (reading = null)).then(refresh);

// Lanes: arrow keys go from mark to mark, along a lane and between lanes.
function step(mark, key) {
  const marks = [...live().querySelectorAll('.op-mark')];
  const own = mark.getBoundingClientRect();
  const sideways = key === 'ArrowRight' || key === 'ArrowLeft';
  const sign = key === 'ArrowRight' || key === 'ArrowDown' ? 1 : -1;
  const far = (box) => (sideways ? (box.left - own.left) * sign : (box.top - own.top) * sign);
  const off = (box) => (sideways ? Math.abs(box.top - own.top) : Math.abs(box.left - own.left));
  const ahead = marks.map((one) => [one, one.getBoundingClientRect()]).filter(([, box]) => far(box) > 2);
  ahead.sort(([, a], [, b]) => (sideways ? off(a) - off(b) || far(a) - far(b) : far(a) - far(b) || off(a) - off(b)));
  return ahead[0]?.[0];
}

function enter(mark) {
  for (const one of live().querySelectorAll('.op-mark[tabindex="0"]')) one.setAttribute('tabindex', '-1');
  mark.setAttribute('tabindex', '0');
  mark.focus({ preventScroll: true });
  const [scroll, box] = [live().querySelector('.op-scroll'), mark.getBoundingClientRect()];
  const frame = scroll.getBoundingClientRect();
  if (box.left < frame.left || box.right > frame.right) scroll.scrollLeft += box.left - frame.left - (frame.width - box.width) / 2;
}

addEventListener('keydown', (event) => {
  const mark = event.target.closest?.('.op-mark');
  if (!mark || !event.key.startsWith('Arrow')) return;
  event.preventDefault();
  const next = step(mark, event.key);
  if (next) enter(next);
});

addEventListener('click', (event) => {
  const mark = event.target.closest?.('.op-mark');
  if (mark) {
    event.preventDefault();
    const row = document.getElementById(mark.getAttribute('href').slice(1));
    const call = mark.dataset.call && document.getElementById(mark.dataset.call);
    if (call) call.open = true;
    (call || row)?.scrollIntoView({ block: 'center' });
    (call ? call.querySelector('summary') : row)?.focus({ preventScroll: true });
  }
  const button = event.target.closest?.('[data-act]');
  if (button) act(button);
});

// Requests: what was said is read when somebody wants to see it.
addEventListener('toggle', async (event) => {
  const one = event.target;
  if (!one.open || !one.dataset.call || one.querySelector('[data-read]')) return;
  const body = one.querySelector('.op-body');
  try {
    const call = await get(`/v1/ops/calls/${one.dataset.call}`);
    const facts = `${moment(call.at)}, ${call.took_ms} ms${call.mode === 'shadow' ? ', a shadow: it was not sent' : ''}`;
    body.replaceChildren(el('p', { class: 'muted small' }, facts), said('Request', call.request), said('Answer', call.response));
    body.dataset.read = '1';
  } catch (problem) {
    body.replaceChildren(el('p', { class: 'bad', role: 'alert' }, problem.message));
  }
}, true);

function said(title, text) {
  const shown = el('pre', { class: 'op-said', tabindex: 0, role: 'region', 'aria-label': title }, text ? pretty(text) : 'Nothing');
  return el('div', {}, el('p', { class: 'small' }, title), shown);
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** Acts by name: each asks first, and says what came of it. */
const ACTS = {
  'retry-run': (id, name) => sure(`Retry ${name}?`, 'It begins anew from its top. What it did is found by its keys and not done twice.', 'Retry', () => post('/v1/ops/run/retry', { id })),
  now: (id) => post('/v1/ops/run/now', { id }),
  'cancel-run': (id, name) => because(`Cancel ${name}?`, 'It stops before its next step. What it did stays done.', 'Cancel it', (reason) => post('/v1/ops/run/cancel', { id, reason })),
  retry: (id) => post(`/v1/ops/exceptions/${id}/retry`),
  dismiss: (id, name) => sure(`Dismiss ${name}?`, 'Nothing more is done about it, until somebody opens it again.', 'Dismiss', () => post(`/v1/ops/exceptions/${id}/dismiss`)),
  reopen: (id) => post(`/v1/ops/exceptions/${id}/reopen`),
  fix,
  'retry-cause': retryCause,
  revive: (id) => post(`/v1/ops/deliveries/${id}/revive`),
  said: showDelivery,
  pause: (id, name) => because(`Pause ${name}?`, 'Nothing is sent to it until somebody resumes it.', 'Pause', (reason) => post(`/v1/ops/connections/${id}/pause`, { reason })),
  resume: (id) => post(`/v1/ops/connections/${id}/resume`),
  reset: (id, name) => sure(`Close the breaker of ${name}?`, 'It is called again at once: you know that it works.', 'Close it', () => post(`/v1/ops/connections/${id}/breaker/reset`)),
};
const DONE = { retry: 'It is done again.', 'retry-run': 'It is done again.', fix: 'It is put right and done again.', dismiss: 'Dismissed.', pause: 'Paused.', 'cancel-run': 'Canceled.' };

async function act(button) {
  const { act: kind, id, name } = button.dataset;
  button.disabled = true;
  try {
    const answer = await ACTS[kind](id, name);
    if (answer) {
      if (kind !== 'said') toast(answer.said ?? DONE[kind] ?? 'Done.');
      await refresh();
    }
  } catch (problem) {
    toast(problem.message, 'bad');
  }
  if (button.isConnected) button.disabled = false;
}

async function sure(title, say, action, work) {
  return (await confirmDialog({ title, say, action })) ? work() : null;
}

async function because(title, say, action, work) {
  const answer = await confirmDialog({ title, say, action, reason: { label: 'Reason', required: true } });
  return answer ? work(answer.reason) : null;
}

async function fix(id, name) {
  const one = await get(`/v1/ops/exceptions/${id}`);
  const input = el('textarea', { rows: 12, spellcheck: 'false', class: 'op-said', required: true });
  input.value = JSON.stringify(one.fixed ?? one.payload, null, 2);
  return formDialog({
    title: `Fix ${name}`,
    say: one.fields.map((fault) => `${fault.path}: ${fault.message}`).join('; ') || one.reason,
    fields: [{ name: 'payload', label: 'Payload (JSON)', input }],
    action: 'Save and retry',
    wide: true,
    act: ({ payload }, key) => post(`/v1/ops/exceptions/${id}/fix`, { payload: parsed(payload) }, key),
  });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`This is not JSON: ${error.message}`, { cause: error });
  }
}

async function retryCause(id) {
  const told = await post(`/v1/ops/exceptions/causes/${id}/retry?dry_run=true`);
  const facts = told.named.map((one) => [one.subject, one.workflow]);
  const more = told.count - told.named.length;
  const answer = await confirmDialog({
    title: `Retry ${told.count}?`,
    say: `These are done again as they are${more ? `, and ${more} more` : ''}. Nothing happened yet.`,
    facts,
    action: 'Retry all',
  });
  if (!answer) return null;
  const done = await post(`/v1/ops/exceptions/causes/${id}/retry?dry_run=false`);
  return { said: `${done.count} are done again.` };
}

async function showDelivery(id, name) {
  const one = await get(`/v1/ops/deliveries/${id}`);
  const close = el('button', { class: 'main', value: 'no' }, 'Close');
  const form = el('form', { method: 'dialog', class: 'st-card' }, el('h2', { id: 'op-said-h' }, name), el('p', { class: 'muted small' }, `${one.source}, ${one.delivery_id}`), said('What it said', one.body), el('div', { class: 'st-actions' }, close));
  const dialog = el('dialog', { class: 'st-dialog st-wide', 'aria-labelledby': 'op-said-h' }, form);
  document.body.append(dialog);
  await new Promise((resolve) => {
    dialog.addEventListener('close', resolve);
    dialog.showModal();
  });
  dialog.remove();
  return null;
}

localize(document);
addEventListener('change', (event) => { if (event.target.matches('.op-search select')) event.target.form.requestSubmit(); });
const failed = document.querySelector('[data-focus]');
if (failed && !location.hash) enter(failed);

let seal = '';
const about = live().dataset.about;
follow(`/v1/ops/events${about ? `?${about}` : ''}`, {
  event: (now) => {
    const moved = seal && seal !== now.seal;
    seal = now.seal;
    if (moved) refresh();
  },
  state: (state) => { news.textContent = state === 'lost' ? 'The line is down: what is shown may be older.' : ''; },
});
