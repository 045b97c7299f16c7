// The payment provider's card form. Numbers go to this origin alone; the shop's page hears a token.
const main = document.querySelector('main');
const form = main.querySelector('form');
const submit = form.querySelector('button');
const problem = form.querySelector('.problem');
const wallet = main.querySelector('.wallet');
const keep = main.querySelector('#keep');
// {session, parent_origin, keeps, test_cards: [{number, brand, note}], passes: [{network_token, brand, last4, note}], words}
const config = JSON.parse(main.dataset.config);

const WORDS = config.words;
const AMEX = /^3[47]/;

const digits = (text) => text.replace(/\D/g, '');

/** ISO/IEC 7812: every second digit from the right doubled, the sum a multiple of ten. */
function passesLuhn(number) {
  const sum = [...number].reverse().reduce((total, digit, index) => {
    const value = Number(digit) * (index % 2 ? 2 : 1);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return number.length >= 12 && number.length <= 19 && sum % 10 === 0;
}

function grouped(number) {
  const sizes = AMEX.test(number) ? [4, 6, 5] : [4, 4, 4, 4, 3];
  let start = 0;
  return sizes.map((size) => number.slice(start, (start += size))).filter(Boolean).join(' ');
}

function expiryText(text, deleting) {
  const plain = digits(text).slice(0, 4);
  const padded = /^[2-9]/.test(plain) ? `0${plain}` : plain;
  return padded.length < 2 || (deleting && padded.length === 2) ? padded : `${padded.slice(0, 2)} / ${padded.slice(2)}`;
}

function expiry() {
  const [month, year] = form.expiry.value.split('/').map((part) => Number(digits(part ?? '')));
  return { month, year: year < 100 ? 2000 + year : year };
}

const CHECKS = {
  number: () => passesLuhn(digits(form.number.value)),
  expiry: () => {
    const { month, year } = expiry();
    return month >= 1 && month <= 12 && new Date(year, month) > new Date();
  },
  cvc: () => digits(form.cvc.value).length === (AMEX.test(digits(form.number.value)) ? 4 : 3),
  name: () => form.elements.name.value.trim() !== '',
};

function check(field) {
  const good = CHECKS[field]();
  form.elements[field].setAttribute('aria-invalid', String(!good));
  document.getElementById(`${field}-error`).textContent = good ? '' : WORDS.errors[field];
  return good;
}

/** Rewrites what was typed, keeping the caret after the same digit. */
function reformat(input, format) {
  const before = digits(input.value.slice(0, input.selectionStart)).length;
  const text = format(input.value);
  if (text === input.value) return;
  const atEnd = input.selectionStart === input.value.length;
  input.value = text;
  if (atEnd) return;
  let caret = 0;
  for (let seen = 0; seen < before && caret < text.length; caret += 1) seen += /\d/.test(text[caret]) ? 1 : 0;
  input.setSelectionRange(caret, caret);
}

form.number.addEventListener('input', () => reformat(form.number, (text) => grouped(digits(text).slice(0, 19))));
form.expiry.addEventListener('input', (event) =>
  reformat(form.expiry, (text) => expiryText(text, event.inputType?.startsWith('delete'))),
);
form.cvc.addEventListener('input', () => reformat(form.cvc, (text) => digits(text).slice(0, 4)));
// On the way to a button nothing may move under the finger.
form.addEventListener('focusout', ({ target, relatedTarget }) => {
  if (target.name && target.value && relatedTarget?.type !== 'submit') check(target.name);
});

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const wrong = Object.keys(CHECKS).filter((field) => !check(field));
  if (wrong.length) return form.elements[wrong[0]].focus();
  if (submit.getAttribute('aria-disabled') === 'true') return undefined;
  say(true);
  try {
    tell(await exchange('/card-entry', typed()));
  } catch (error) {
    say(false, error.message);
  }
  return undefined;
});

function typed() {
  const { month, year } = expiry();
  return {
    number: digits(form.number.value),
    exp_month: month,
    exp_year: year,
    cvc: digits(form.cvc.value),
    name: form.elements.name.value.trim(),
  };
}

/** As a device hands it over: the network's token of the card, and a fresh proof for this one payment. */
function handedOver(pass) {
  const proof = crypto.getRandomValues(new Uint8Array(20));
  return {
    network_token: pass.network_token,
    exp_month: 12,
    exp_year: new Date().getFullYear() + 3,
    cryptogram: btoa(String.fromCharCode(...proof)),
    eci: pass.brand === 'mastercard' ? '02' : '05',
    last4: pass.last4,
  };
}

async function exchange(door, given) {
  const response = await fetch(door, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Idempotency-Key': crypto.randomUUID() },
    body: JSON.stringify({ session: config.session, ...given }),
  }).catch(() => {
    throw new Error(WORDS.errors.failed);
  });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.detail || body.title || WORDS.errors.refused);
  return body;
}

function tell({ token, brand, last4, label }) {
  const save = keep.checked;
  form.reset();
  keep.checked = false;
  parent.postMessage({ type: 'icommerce.card', token, brand, last4, label, save }, config.parent_origin);
}

function say(busy, words = '') {
  submit.setAttribute('aria-disabled', String(busy));
  submit.textContent = busy ? WORDS.busy : WORDS.use;
  problem.textContent = words;
  problem.hidden = !words;
}

function choice(words, note, onChosen) {
  const row = document.createElement('li');
  const button = document.createElement('button');
  button.append(document.createElement('b'), document.createElement('span'));
  button.firstChild.textContent = words;
  button.lastChild.textContent = note;
  button.type = 'button';
  button.addEventListener('click', onChosen);
  row.append(button);
  return row;
}

function offer(card) {
  return choice(grouped(digits(card.number)), [card.brand, card.note].filter(Boolean).join(' · '), () => fill(card));
}

function pass(card) {
  return choice(WORDS.ending.replace('{brand}', card.brand).replace('{last4}', card.last4), card.note, () => hand(card));
}

async function hand(card) {
  const refused = wallet.querySelector('.problem');
  refused.hidden = true;
  try {
    tell(await exchange('/wallet-entry', handedOver(card)));
  } catch (error) {
    refused.textContent = error.message;
    refused.hidden = false;
  }
}

function openWallet(button) {
  const open = button.getAttribute('aria-expanded') === 'true';
  button.setAttribute('aria-expanded', String(!open));
  wallet.querySelector('ul').hidden = open;
}

function fill(card) {
  form.number.value = grouped(digits(card.number));
  form.expiry.value = `12 / ${String(new Date().getFullYear() + 3).slice(2)}`;
  form.cvc.value = AMEX.test(digits(card.number)) ? '1234' : '123';
  form.elements.name.value ||= 'Test Shopper';
  Object.keys(CHECKS).forEach(check);
  submit.focus();
}

keep.closest('.keep').hidden = !config.keeps;

if (config.test_cards?.length) {
  main.querySelector('.tests').hidden = false;
  main.querySelector('.tests ul').append(...config.test_cards.map(offer));
}

if (config.passes?.length) {
  wallet.hidden = false;
  wallet.querySelector('ul').append(...config.passes.map(pass));
  wallet.querySelector('button').addEventListener('click', ({ currentTarget }) => openWallet(currentTarget));
}
