// What pays: a card entered at its provider, a gift card, store credit. Fetched when one is first asked for.
import { html, nothing } from '../vendor/lit-3.3.3.min.js';
import { get, post, request } from './api.js';
import { closeOutside, sheetHead } from './page.js';
import { say, texts, told } from './texts.js';

const TENDERS = '/v1/checkout/tenders';

export const cardSheet = (chat) => html`
  <dialog class="ic-sheet" id="card-sheet" aria-label=${texts.cardEntry} @close=${() => (chat.entry = null)} @click=${closeOutside}>
    <div class="ic-sheet-in">
      ${sheetHead(chat, texts.cardEntry)}
      <p class="small muted">${texts.cardEntryHint}</p>
      ${chat.entry
        ? html`<iframe src=${chat.entry} title=${texts.cardEntryFrame} sandbox="allow-scripts allow-forms allow-same-origin"></iframe>`
        : nothing}
    </div>
  </dialog>
`;

/** What cards ask for, by the name of the action. A gift card's code goes to the checkout alone: into no message,
 * event or run. Without a code it is the shopper's own store credit.
 */
export const ACTS = {
  enter_card: (chat) => enterCard(chat),
  use_stored_value: (chat, { code }) => changed(chat, post(TENDERS, code ? { code } : {})),
  drop_stored_value: (chat) => changed(chat, request(TENDERS, { method: 'DELETE', headers: { 'Idempotency-Key': crypto.randomUUID() } })),
};

async function enterCard(chat) {
  try {
    chat.entry = (await get('/v1/checkout/card-entry')).url;
    chat.querySelector('#card-sheet').showModal();
  } catch {
    chat.tell(texts.cardEntryFailed);
  }
}

async function changed(chat, answer) {
  try {
    await answer;
  } catch (problem) {
    return chat.tell(problem.status ? told(problem) : texts.notApplied);
  }
  return chat.onAction('show_checkout', {});
}

/** The provider's form says which card was entered: believed only from that frame and that origin. */
export function cardEntered(chat, { origin, source, data }) {
  const frame = chat.querySelector('#card-sheet iframe');
  if (!frame || source !== frame.contentWindow || origin !== new URL(chat.entry).origin) return;
  if (data?.type !== 'icommerce.card' || typeof data.token !== 'string') return;
  chat.querySelector('#card-sheet').close();
  chat.tell(typeof data.label === 'string' ? say(texts.methodAdded, data) : say(texts.cardAdded, data));
  chat.onAction('use_payment_method', { card_token: data.token, ...(data.save === true && { save: true }) });
}
