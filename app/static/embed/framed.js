// The chat in a frame: paying and pages of the shop open in a tab of their own, and Escape leaves the frame.
import { get } from '../ui/api.js';

const LOOK_MS = 1500;
const OPEN_MS = 15 * 60_000;
const chat = document.querySelector('ic-chat');
const shop = JSON.parse(chat.dataset.config).tenant.slug;
const seen = new Set();

const pageOf = (id) => get(`/v1/checkout/page?card=${encodeURIComponent(id)}`);

/** Opens our own page for this payment card, and has the conversation go on when it was decided there. */
async function payOutside(id) {
  const tab = open('', '_blank');
  const { url } = await pageOf(id);
  if (tab) tab.location = url;
  if (seen.has(id)) return;
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
    payOutside(event.detail.id);
  },
  true,
);

addEventListener(
  'ic-action',
  (event) => {
    const card = event.target.closest('[data-id]')?.dataset.id;
    if (event.detail.name !== 'enter_card' || event.target.localName !== 'ic-confirm' || !card) return;
    event.stopImmediatePropagation();
    payOutside(card);
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
