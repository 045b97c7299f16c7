// What every page of the console has: who I am, toasts, the card that is pressed before anything happens, keys.
const config = JSON.parse(document.body.dataset.config);

/** `{id, name, person, role, scopes}` of who is signed in, and `{slug, name, currency, locale}` of the shop. */
export const { me, shop } = config;
export const may = (scope) => me.scopes.includes(scope);

/** Makes an element: `el('p', {class: 'muted', onclick: fn}, 'words', child)`. Words are only ever text. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? '' : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** An amount in minor units, as this shop writes it. */
export function money(amount, currency = shop.currency) {
  const format = new Intl.NumberFormat(shop.locale, { style: 'currency', currency });
  return format.format(amount / 10 ** format.resolvedOptions().maximumFractionDigits);
}

/** A moment as the reader's clock shows it. */
export function moment(iso) {
  return new Intl.DateTimeFormat(shop.locale, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(iso));
}

const TOAST_MS = 6000;

/** Says something in passing; `kind` is `good` or `bad`. Bad news stays until it is put away. */
export function toast(text, kind = 'good') {
  const place = document.getElementById('st-toasts');
  const close = el('button', { type: 'button', class: 'plain', 'aria-label': 'Put away' }, '×');
  const shown = el('p', { class: `st-toast ${kind}` }, el('span', {}, text), close);
  close.addEventListener('click', () => shown.remove());
  place.append(shown);
  if (kind !== 'bad') setTimeout(() => shown.remove(), TOAST_MS);
  return shown;
}

/**
 * The card before an act: nothing happens until its button is pressed.
 * `facts` are `[label, value]` pairs (amount, method, who gets it), `say` is the question in words, `action` the button's
 * words. With `reason` (`true`, or `{label, required, value}`) it asks why. Resolves to `{reason}`, or to `null`.
 */
export function confirmDialog({ title, facts = [], say = '', action = 'Confirm', danger = false, reason = null }) {
  const wanted = reason === true ? {} : reason;
  const why = wanted && el('textarea', { id: 'st-why', rows: 3, maxlength: 1000, required: wanted.required ?? false });
  if (why && wanted.value) why.value = wanted.value;
  const form = el(
    'form',
    { method: 'dialog', class: 'st-card' },
    el('h2', { id: 'st-confirm-title' }, title),
    say && el('p', { id: 'st-confirm-say' }, say),
    facts.length > 0 && el('dl', { class: 'st-facts' }, ...facts.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value)))),
    why && el('label', { for: 'st-why' }, wanted.label ?? 'Reason'),
    why,
    el(
      'div',
      { class: 'st-actions' },
      el('button', { value: 'no', formnovalidate: true, class: 'st-no' }, 'Cancel'),
      el('button', { value: 'yes', class: danger ? 'main danger' : 'main' }, action),
    ),
  );
  const named = { 'aria-labelledby': 'st-confirm-title', 'aria-describedby': say ? 'st-confirm-say' : null };
  return ask(el('dialog', { class: 'st-dialog', ...named }, form), () => ({ reason: why ? why.value.trim() : '' }));
}

function ask(dialog, answer) {
  const before = document.activeElement;
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      const said = dialog.returnValue === 'yes' ? answer() : null;
      dialog.remove();
      if (document.activeElement === document.body && before?.isConnected) before.focus(); // the event comes late: nobody loses where they are by then
      resolve(said);
    });
    dialog.showModal();
    dialog.querySelector('input, select, textarea')?.focus();
  });
}

/**
 * A form in a card: `fields` are `{name, label, input, more}`; `more` stands below the input. `act(values, key)` is done
 * when it is sent; what it is refused for is said in the card, which stays open. Sent again with the same words it has the
 * same key: what was done although no answer came is not done twice. `Escape` asks once before it throws away what was
 * written. Resolves to the answer, or to `null` when the card is put away.
 */
export function formDialog({ title, say = '', fields, action, act, wide = false }) {
  const problem = el('p', { class: 'st-problem', role: 'alert', hidden: true });
  const send = el('button', { class: 'main', value: 'yes' }, action);
  const rows = fields.map(({ name, label, input, more }) => {
    input.name = name;
    input.id = `st-field-${name}`;
    return el('div', { class: 'st-field' }, el('label', { for: input.id }, label), input, more);
  });
  // A button of no form: Enter in a field presses the first that sends.
  const cancel = el('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel');
  const buttons = el('div', { class: 'st-actions' }, cancel, send);
  const form = el('form', { method: 'dialog', class: 'st-card' }, el('h2', { id: 'st-form-title' }, title), say && el('p', { class: 'muted' }, say), ...rows, problem, buttons);
  const dialog = el('dialog', { class: `st-dialog${wide ? ' st-wide' : ''}`, 'aria-labelledby': 'st-form-title' }, form);
  const written = () => [...form.querySelectorAll('textarea')].map((one) => one.value).join();
  const before = written();
  dialog.addEventListener('cancel', (event) => {
    if (written() === before || dialog.warned) return;
    event.preventDefault();
    dialog.warned = true;
    problem.textContent = 'What you wrote is not saved. Press Escape once more to throw it away.';
    problem.hidden = false;
  });
  form.addEventListener('input', () => { dialog.warned = false; });
  let answer = null;
  let sent = {};
  let under = null;
  const submit = async () => {
    const values = Object.fromEntries(new FormData(form));
    const words = JSON.stringify(values);
    if (sent.words !== words) sent = { words, key: crypto.randomUUID() };
    send.disabled = true;
    problem.hidden = true;
    try {
      answer = await act(values, sent.key);
      dialog.close();
    } catch (error) {
      if (!dialog.isConnected) toast(error.message, 'bad');
      problem.textContent = error.message;
      problem.hidden = false;
    }
    send.disabled = false;
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    under = submit();
  });
  return ask(dialog, () => null).then(() => under).then(() => answer); // put away under way: what became of it is told
}

/**
 * A search whose words stand in the address, so that it can be shared and gone back to; `search()` is called when they
 * change. Returns what tells the words of now, without those that are empty.
 */
export function searchForm(form, search) {
  const query = () => new URLSearchParams([...new FormData(form)].filter(([, value]) => value.trim()));
  const fill = () => {
    const wanted = new URLSearchParams(location.search);
    for (const part of form.elements) if (part.name) part.value = wanted.get(part.name) ?? '';
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const wanted = query();
    history.pushState(null, '', `${location.pathname}${wanted.size ? `?${wanted}` : ''}`);
    search();
  });
  form.addEventListener('change', (event) => { if (event.target.matches('select')) form.requestSubmit(); });
  addEventListener('popstate', () => { fill(); search(); });
  fill();
  return query;
}

/** What stands where there is nothing to see yet: `kind` is `loading`, `empty` or `error`. */
export const state = (kind, words, ...more) =>
  el('div', { class: 'st-state', 'data-state': kind, role: kind === 'error' ? 'alert' : null }, el('p', {}, words), ...more);

const keys = new Map();

/** A key of this page, shown in the list that `?` opens: `shortcut('j', 'Next case', () => …)`. Returns its undoing. */
export function shortcut(key, words, act) {
  keys.set(key, { words, act });
  return () => keys.delete(key);
}

function help() {
  if (document.getElementById('st-help')) return;
  const rows = [...keys].map(([key, { words }]) => el('div', {}, el('dt', {}, el('kbd', {}, key)), el('dd', {}, words)));
  const form = el(
    'form',
    { method: 'dialog', class: 'st-card' },
    el('h2', { id: 'st-help-title' }, 'Keyboard shortcuts'),
    el('dl', { class: 'st-facts st-keylist' }, ...rows),
    el('div', { class: 'st-actions' }, el('button', { class: 'main', value: 'no' }, 'Close')),
  );
  ask(el('dialog', { id: 'st-help', class: 'st-dialog', 'aria-labelledby': 'st-help-title' }, form), () => null);
}

const typing = (target) => target.closest?.('input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]');

document.addEventListener('keydown', (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (typing(event.target) || document.querySelector('dialog[open]')) return;
  const found = keys.get(event.key);
  if (!found) return;
  event.preventDefault();
  found.act(event);
});

shortcut('?', 'This list', help);
document.getElementById('st-keys').addEventListener('click', help);

for (const choice of document.querySelectorAll('input[name=st-theme]')) {
  choice.checked = choice.value === globalThis.icTheme.choice;
  choice.addEventListener('change', () => { globalThis.icTheme.choice = choice.value; });
}

// Where the navigation is wider than the window, the page one is on is in sight: also when a count beside a link has come
// and widened it, or the window has become narrower, until somebody takes the navigation in hand.
const place = document.querySelector('.st-nav [aria-current]');
if (place) {
  const nav = place.closest('.st-nav');
  const wider = new ResizeObserver(() => {
    const [own, all] = [place.getBoundingClientRect(), nav.getBoundingClientRect()];
    nav.scrollLeft += own.left - all.left - (all.width - own.width) / 2;
  });
  for (const part of [nav, ...nav.querySelectorAll('a')]) wider.observe(part);
  for (const kind of ['pointerdown', 'wheel', 'focusin']) nav.addEventListener(kind, () => wider.disconnect(), { once: true, passive: true });
}

/** Takes what is half-written out of this tab, all but what is named by `own`. */
function dropDrafts(own = null) {
  try {
    for (const name of Object.keys(sessionStorage)) if (name.startsWith('ic-draft:') && !(own && name.startsWith(own))) sessionStorage.removeItem(name);
  } catch {
    // nothing is kept there
  }
}

const menu = document.querySelector('.st-me');
menu.addEventListener('submit', () => dropDrafts());
dropDrafts(`ic-draft:${me.id}:`); // whoever had this tab before signed out elsewhere
document.addEventListener('click', (event) => { if (!menu.contains(event.target)) menu.open = false; });
menu.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || !menu.open) return;
  menu.open = false;
  menu.querySelector('summary').focus();
});
