// The chat in a frame: paying and pages of the shop open in a tab of their own, and Escape leaves the frame.
import { get, post } from '../ui/api.js';
import { texts, told } from '../ui/texts.js';

const LOOK_MS = 1500;
const OPEN_MS = 15 * 60_000;
const PAYS = ['ic-confirm', 'ic-checkout', 'ic-payment-problem'];
const chat = document.querySelector('ic-chat');
const shop = JSON.parse(chat.dataset.config).tenant.slug;
const seen = new Set();

const pageOf = (id) => get(`/v1/checkout/page?card=${encodeURIComponent(id)}`);
const pageOfCheckout = () => post('/v1/checkout/page', { thread_id: chat.conversation.state.thread.id });

/** Opens our own page to pay on, and has the conversation go on when it was decided there. */
async function payOutside(ask) {
  const tab = open('', '_blank');
  if (!tab) return chat.tell(texts.payPageBlocked);
  let page;
  try {
    page = await ask();
  } catch (problem) {
    tab.close();
    return chat.tell(problem.status ? told(problem) : texts.payPageFailed);
  }
  tab.location = page.url;
  return seen.has(page.card) ? undefined : goOn(page.card);
}

async function goOn(id) {
  seen.add(id);
  const until = Date.now() + OPEN_MS;
  while (Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const { card, status } = await pageOf(id).catch(() => ({}));
    if (status === 'approved' || status === 'claimed') return chat.conversation.decide(card, true, { again: true });
    if (status === 'declined') return chat.conversation.decide(card, false, { again: true });
    if (status === 'expired') return undefined;
  }
  return undefined;
}

addEventListener(
  'ic-decide',
  (event) => {
    if (!event.detail.approved || !event.detail.id.startsWith('cnf_') || event.target.localName !== 'ic-confirm') return;
    event.stopImmediatePropagation();
    // Nothing was decided here: the card can be pressed again.
    const card = event.target;
    queueMicrotask(() => {
      card.pressed = false;
      card.requestUpdate();
    });
    payOutside(() => pageOf(event.detail.id));
  },
  true,
);

addEventListener(
  'ic-action',
  (event) => {
    if (event.detail.name !== 'enter_card' || !PAYS.includes(event.target.localName)) return;
    const card = event.target.localName === 'ic-confirm' && event.target.closest('[data-id]')?.dataset.id;
    event.stopImmediatePropagation();
    payOutside(card ? () => pageOf(card) : pageOfCheckout);
  },
  true,
);

addEventListener('click', (event) => {
  const link = event.target.closest?.('a[href^="/products/"], a[href^="/order/"], a[href="/account"]');
  if (!link) return;
  const address = new URL(link.href);
  address.searchParams.set('shop', shop);
  link.href = address.href;
  link.target = '_blank';
  link.rel = 'noopener';
});

addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || event.defaultPrevented || document.querySelector('dialog[open], :popover-open')) return;
  parent.postMessage('icommerce.close', '*');
});
