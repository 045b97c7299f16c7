// An act on an order: a form for what the server says can be chosen, then the server's card (amount, method, reason, who
// decides), then one yes on it. The card's id is its idempotency key, so that one card is done once however often it is pressed.
import { post } from './api.js';
import { el, money, toast } from './shell.js';

let count = 0;
const digits = (currency) => new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits;
const price = (amount) => money(amount.amount, amount.currency);

/** Opens the dialog; resolves to what was done (`{status, words, …}`), or to null. */
export function act(focus, action, where) {
  const before = document.activeElement;
  const dialog = el('dialog', { class: 'st-dialog op-dialog', 'aria-labelledby': 'op-title' });
  document.body.append(dialog);
  return new Promise((resolve) => {
    let done = null;
    const flow = { focus, action, where, dialog, finish: (what) => { done = what; dialog.close(); } };
    dialog.addEventListener('close', async () => {
      dialog.remove();
      if (before?.isConnected) before.focus();
      await flow.under; // put away while it is being done: what became of it is told
      resolve(done);
    });
    dialog.showModal();
    if (action.action === 'resume') showCard(flow, { action: 'resume' });
    else showForm(flow);
  });
}

function showForm(flow, given = null) {
  const { action, dialog } = flow;
  const problem = el('p', { class: 'st-problem', role: 'alert', hidden: true });
  const form = given ?? el('form', { class: 'st-card op-form', novalidate: true });
  if (!given) {
    const fields = FORMS[action.action](flow.focus, action);
    flow.read = fields.read;
    const next = el('button', { class: 'main' }, 'See the card');
    form.append(
      el('h2', { id: 'op-title' }, action.title),
      action.alone && el('p', { class: 'muted small' }, `You can give up to ${price(action.alone)} alone; more takes somebody else’s yes.`) || '',
      ...fields.parts.filter(Boolean),
      problem,
      el('div', { class: 'st-actions' }, el('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel'), next),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const said = form.querySelector('.st-problem');
      if (!form.reportValidity()) return;
      let asked;
      try { asked = flow.read(); } catch (error) { return complain(said, error); }
      showCard(flow, asked, form);
    });
    flow.form = form;
  }
  dialog.replaceChildren(form);
  form.querySelector('input, select, textarea, button')?.focus();
}

function complain(place, error) {
  place.textContent = error.message;
  place.hidden = false;
  place.scrollIntoView({ block: 'nearest' });
}

async function showCard(flow, asked, form = null, said = '') {
  const { focus, dialog } = flow;
  const buttons = form?.querySelectorAll('button') ?? [];
  for (const one of buttons) one.disabled = true;
  try {
    const card = await post(`/v1/staff/orders/${focus.row.id}/cards`, asked);
    drawCard(flow, asked, card, said);
  } catch (problem) {
    const place = form?.querySelector('.st-problem');
    if (place) complain(place, problem);
    else dialog.replaceChildren(failed(dialog, problem));
  } finally {
    for (const one of buttons) one.disabled = false;
  }
}

function failed(dialog, problem) {
  return el('div', { class: 'st-card' }, el('h2', { id: 'op-title' }, 'This cannot be done'), el('p', { class: 'st-problem', role: 'alert' }, problem.message), el('div', { class: 'st-actions' }, el('button', { class: 'main', onclick: () => dialog.close() }, 'Close')));
}

function drawCard(flow, asked, card, said) {
  const { dialog } = flow;
  const facts = [
    ...(card.amount ? [['Amount', price(card.amount)]] : []),
    ...(card.method ? [['Method', card.method]] : []),
    ...(card.reason ? [['Reason', card.reason]] : []),
    ...card.facts.map((fact) => [fact.label, fact.value]),
    ...(card.limit ? [['You may give alone', price(card.limit)]] : []),
  ];
  const problem = el('p', { class: 'st-problem', role: 'alert', hidden: true });
  const yes = el('button', { type: 'button', class: 'main op-yes' }, YES[card.decides]?.(card) ?? card.say);
  const back = el('button', { type: 'button', onclick: () => (flow.form ? showForm(flow, flow.form) : dialog.close()) }, flow.form ? 'Back' : 'Cancel');
  yes.addEventListener('click', () => { flow.under = press(flow, asked, card, { yes, back, problem }); });
  dialog.replaceChildren(
    el(
      'div',
      { class: 'st-card op-card' },
      el('h2', { id: 'op-title', tabindex: -1 }, card.title),
      said && el('p', { class: 'op-note warn', role: 'status' }, said),
      el('dl', { class: 'st-facts' }, ...facts.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value)))),
      el('p', { class: `op-note ${card.decides === 'you' ? '' : 'warn'}` }, card.decides_words),
      problem,
      el('div', { class: 'st-actions' }, back, yes),
    ),
  );
  dialog.querySelector('#op-title').focus();
}

const YES = { approver: () => 'Ask for approval', shopper: () => 'Ask the shopper' };

async function press(flow, asked, card, { yes, back, problem }) {
  yes.disabled = back.disabled = true;
  problem.hidden = true;
  const where = Object.fromEntries(Object.entries(flow.where).filter(([, value]) => value));
  const body = { asked, card_id: card.id, seen: card.seen, ...where };
  try {
    flow.finish(await post(`/v1/staff/orders/${flow.focus.row.id}/acts`, body, card.id));
  } catch (error) {
    if (!flow.dialog.isConnected) return toast(error.message, 'bad');
    if (error.code === 'card_outdated') return showCard(flow, asked, null, error.message);
    complain(problem, error);
    yes.disabled = back.disabled = false;
  }
}

// Forms: what can be chosen is what the server offers.

const FORMS = {
  refund(focus, action) {
    const kinds = [['amount', 'An amount'], ...(action.lines.length ? [['lines', 'What some units cost']] : []), ['full', `Everything that is left, ${price(action.most)}`]];
    const how = radios('How much', kinds);
    const amount = amountField(action.most.currency, `Amount (${action.most.currency}), up to ${price(action.most)}`);
    const lines = lineFields(action.lines);
    const why = reasonFields(action);
    const to = select('Goes back to', action.destinations);
    const show = () => { amount.node.hidden = how.value !== 'amount'; lines.node.hidden = how.value !== 'lines'; amount.input.required = how.value === 'amount'; };
    how.node.addEventListener('change', show);
    show();
    const note = noteField();
    return {
      parts: [how.node, amount.node, lines.node, why.node, to.node, note.node],
      read: () => ({
        action: 'refund',
        how: how.value,
        ...(how.value === 'amount' ? { amount: amount.value } : {}),
        ...(how.value === 'lines' ? { lines: lines.value } : {}),
        destination: to.value,
        note: note.value,
        ...why.value,
      }),
    };
  },

  credit(focus, action) {
    const currency = focus.row.total.currency;
    const [amount, why, note] = [amountField(currency, `Amount (${currency})`, true), reasonFields(action), noteField()];
    return { parts: [amount.node, why.node, note.node], read: () => ({ action: 'credit', amount: amount.value, note: note.value, ...why.value }) };
  },

  code(focus) {
    const currency = focus.row.total.currency;
    const kind = select('What it takes off', [{ code: 'percent', text: 'Percent' }, { code: 'amount', text: `An amount (${currency})` }]);
    const much = field('How much', { inputmode: 'decimal', required: true, autocomplete: 'off' });
    const days = field('Good for days', { type: 'number', min: 1, max: 730, value: 90, required: true });
    const note = noteField();
    const read = () => ({
      action: 'code',
      ...(kind.value === 'percent' ? { percent_off: whole(much.input.value, 'percent') } : { amount_off: minor(much.input.value, currency) }),
      valid_days: whole(days.input.value, 'days'),
      note: note.value,
    });
    return { parts: [kind.node, much.node, days.node, note.node], read };
  },

  replacement(focus, action) {
    const [lines, why, note] = [lineFields(action.lines), reasonFields(action), noteField()];
    return { parts: [lines.node, why.node, note.node], read: () => ({ action: 'replacement', lines: lines.value, note: note.value, ...why.value }) };
  },

  lost_parcel(focus, action) {
    const parcel = select('Which parcel', action.parcels.map((one) => ({ code: one.shipment_id, text: one.title })));
    const remedy = radios('What follows', [['reship', 'Its goods are sent again'], ['refund', 'Its goods are free to be canceled and paid back']]);
    return { parts: [parcel.node, remedy.node], read: () => ({ action: 'lost_parcel', shipment_id: parcel.value, remedy: remedy.value }) };
  },

  return(focus, action) {
    const lines = lineFields(action.lines);
    const why = select('Why', action.reasons);
    const state = select('State of the goods', action.conditions);
    const to = select('Money goes to', action.destinations);
    const note = noteField();
    const read = () => changed({ kind: 'return', lines: lines.value.map((one) => ({ ...one, reason: why.value, condition: state.value })), refund_to: to.value }, note);
    return { parts: [lines.node, why.node, state.node, to.node, note.node], read };
  },

  cancel(focus, action) {
    const lines = lineFields(action.lines, true);
    const [why, to, note] = [select('Why', action.reasons), select('Money goes to', action.destinations), noteField()];
    return { parts: [lines.node, why.node, to.node, note.node], read: () => changed({ kind: 'cancel', reason: why.value, lines: lines.value, refund_to: to.value }, note) };
  },

  address(focus) {
    const now = focus.order.ship_to ?? {};
    const fields = ADDRESS.map(([name, label, required, autocomplete]) => [name, field(label, { value: now[name] ?? '', required, autocomplete, maxlength: 200 })]);
    const note = noteField();
    const read = () => changed({ kind: 'address', ship_to: Object.fromEntries(fields.map(([name, one]) => [name, one.input.value.trim()])) }, note);
    return { parts: [...fields.map(([, one]) => one.node), note.node], read };
  },

  letter(focus, action) {
    const letter = select('Which letter', action.letters.map((one) => ({ code: one.mail_id, text: `${one.subject}, to ${one.to}` })));
    return { parts: [letter.node], read: () => ({ action: 'letter', mail_id: letter.value }) };
  },

  hold() {
    const why = field('Why, for the shop’s people', { required: true, maxlength: 200 });
    return { parts: [why.node], read: () => ({ action: 'hold', reason: why.input.value.trim() }) };
  },
};

const ADDRESS = [
  ['name', 'Name', true, 'off'],
  ['line_one', 'Street and number', true, 'off'],
  ['line_two', 'More of the address', false, 'off'],
  ['city', 'City', true, 'off'],
  ['state', 'State', false, 'off'],
  ['postal_code', 'Postal code', true, 'off'],
  ['country', 'Country (two letters)', true, 'off'],
];
const changed = (wanted, note) => ({ action: 'change', wanted, note: note.value });

function field(label, attributes = {}, kind = 'input') {
  const id = `op-f${(count += 1)}`;
  const input = el(kind, { id, ...attributes });
  if (kind === 'textarea') input.value = attributes.value ?? '';
  return { node: el('div', { class: 'op-field' }, el('label', { for: id }, label), input), input, get value() { return input.value.trim(); } };
}

function select(label, choices) {
  const made = field(label, {}, 'select');
  made.input.append(...choices.map((one) => el('option', { value: one.code }, one.text)));
  return made;
}

function radios(legend, choices) {
  const name = `op-r${(count += 1)}`;
  const rows = choices.map(([value, text], index) => el('label', { class: 'op-radio' }, el('input', { type: 'radio', name, value, checked: index === 0 }), text));
  const node = el('fieldset', { class: 'op-field' }, el('legend', {}, legend), ...rows);
  return { node, get value() { return node.querySelector('input:checked').value; } };
}

function amountField(currency, label, required = false) {
  const made = field(label, { inputmode: 'decimal', autocomplete: 'off', required });
  return { node: made.node, input: made.input, get value() { return minor(made.input.value, currency); } };
}

/** "12.50" or "12,50" in minor units. What is no amount is said, not guessed. */
function minor(text, currency) {
  const places = digits(currency);
  const found = /^(\d{1,9})(?:[.,](\d+))?$/.exec(text.trim());
  if (!found || (found[2] ?? '').length > places) throw new Error(places ? `Write the amount like 12.50, with at most ${places} digits after the point.` : 'Write the amount in whole units.');
  const amount = Number(found[1] + (found[2] ?? '').padEnd(places, '0'));
  if (!amount) throw new Error('The amount is more than nothing.');
  return amount;
}

function whole(text, what) {
  if (!/^\d{1,4}$/.test(text.trim())) throw new Error(`Write the ${what} as a whole number.`);
  return Number(text);
}

function lineFields(lines, all = false) {
  const rows = lines.map((one) => {
    const id = `op-f${(count += 1)}`;
    const input = el('input', { id, type: 'number', min: 0, max: one.units, value: all || lines.length === 1 ? one.units : 0, inputmode: 'numeric' });
    const words = `${one.title}${one.detail ? ` (${one.detail})` : ''}, up to ${one.units}`;
    return { id: one.line_id, input, node: el('div', { class: 'op-units' }, el('label', { for: id }, words, el('span', { class: 'muted small' }, ` ${price(one.worth)} each, tax included`)), input) };
  });
  const node = el('fieldset', { class: 'op-field' }, el('legend', {}, 'How many units'), ...rows.map((row) => row.node));
  return {
    node,
    get value() {
      const named = rows.map((row) => ({ line_id: row.id, quantity: Number(row.input.value) })).filter((one) => one.quantity > 0);
      if (!named.length) throw new Error('Say how many units.');
      return named;
    },
  };
}

function reasonFields(action) {
  const why = select('Reason, told to the shopper', action.reasons);
  const words = field('In your own words (the shopper reads this)', { maxlength: 200 });
  const show = () => { words.input.required = why.input.value === 'other'; };
  why.input.addEventListener('change', show);
  return { node: el('div', { class: 'op-pair' }, why.node, words.node), get value() { return { because: why.value, words: words.value }; } };
}

const noteField = () => field('Note for whoever approves it (the shopper never sees it)', { rows: 2, maxlength: 1000 }, 'textarea');
