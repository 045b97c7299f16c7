// The page around Stripe's own card form. What is typed goes to Stripe alone; the shop's page hears a reference.
const main = document.querySelector('main');
const form = main.querySelector('form');
const submit = form.querySelector('button');
const problem = form.querySelector('.problem');
const keep = form.querySelector('#keep');
const config = JSON.parse(main.dataset.config); // {parent_origin, publishable_key, currency, keeps, words}

const WORDS = config.words;

function say(busy, words = '') {
  submit.setAttribute('aria-disabled', String(busy));
  submit.textContent = busy ? WORDS.busy : WORDS.use;
  problem.textContent = words;
  problem.hidden = !words;
}

function start() {
  const stripe = window.Stripe(config.publishable_key);
  const elements = stripe.elements({
    mode: 'setup',
    currency: config.currency.toLowerCase(),
    paymentMethodCreation: 'manual',
    paymentMethodTypes: ['card'],
  });
  elements.create('payment').mount('#element');
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (submit.getAttribute('aria-disabled') !== 'true') exchange(stripe, elements);
  });
}

async function exchange(stripe, elements) {
  say(true);
  const checked = await elements.submit();
  const made = checked.error ? checked : await stripe.createPaymentMethod({ elements });
  say(false, made.error ? made.error.message || WORDS.errors.refused : '');
  if (made.error) return;
  const { id, card } = made.paymentMethod;
  const told = { type: 'icommerce.card', token: id, brand: card.brand, last4: card.last4, save: keep.checked };
  parent.postMessage(told, config.parent_origin);
}

keep.closest('.keep').hidden = !config.keeps;
if (window.Stripe) start();
else say(true, WORDS.errors.absent);
