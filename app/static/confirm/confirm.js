// The hosted card: shows the payment provider's card form in a frame and hands its token on. All else is plain forms.
const main = document.querySelector('main');
const { entry, paying } = JSON.parse(main.dataset.config);
const details = main.querySelector('details.entry');

if (entry && details) {
  const frame = details.querySelector('iframe');
  const form = details.querySelector('form');
  const load = () => {
    if (details.open && !frame.src) frame.src = entry;
  };
  details.hidden = false;
  details.addEventListener('toggle', load);
  load();
  addEventListener('message', ({ origin, source, data }) => {
    if (origin !== new URL(entry).origin || source !== frame.contentWindow || data?.type !== 'icommerce.card') return;
    form.card_token.value = data.token;
    form.submit();
  });
}

// A second press sends nothing: the first is on its way.
for (const form of main.querySelectorAll('form.once')) {
  form.addEventListener('submit', (event) => {
    const button = form.querySelector('button');
    if (button.getAttribute('aria-disabled') === 'true') event.preventDefault();
    button.setAttribute('aria-disabled', 'true');
    button.textContent = paying;
  });
}
