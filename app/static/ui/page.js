// The page around the cards, as templates. `chat` is the element: state, config and what can be done.
import { html, live, nothing, repeat } from '../vendor/lit-3.3.3.min.js';
import { card } from './cards/index.js';
import { icons } from './icons.js';
import './message.js';
import { ASKING, find, isBusy, outcomeOf } from './store.js';
import { items, say, texts, told } from './texts.js';

const NEAR_ENTRIES = 60; // those before are not laid out until they are near the screen

export const page = (chat) => html`
  <a class="ic-skip" href="#composer" @click=${chat.toComposer}>${texts.skip}</a>
  ${header(chat)}
  <div popover id="ic-prefs" class="ic-prefs" role="group" aria-label=${texts.settings}><ic-preferences .languages=${chat.shop.languages}></ic-preferences></div>
  ${banner(chat)}
  <div class="ic-body">
    <main class="ic-main">
      ${chat.failed ? failure(chat) : conversation(chat)} ${composer(chat)}
    </main>
    <aside class="ic-aside" aria-label=${texts.cart}>${cart(chat)}</aside>
  </div>
  <div class=${chat.toast ? 'ic-toast ic-shown' : 'ic-toast'} aria-hidden="true">${chat.toast}</div>
  <div class="sr" role="status" aria-live="polite">${chat.announcement}</div>
  ${dialogs(chat)}
`;

const header = (chat) => html`
  <header class="ic-head">
    ${chat.shop.logo
      ? html`<img class="ic-logo" src=${chat.shop.logo} alt="" width="40" height="40" />`
      : html`<span class="ic-mark" aria-hidden="true">${chat.shop.name.slice(0, 1)}</span>`}
    <div class="ic-title">
      <h1>${chat.shop.name}</h1>
      <p class="small muted ic-badge" data-mode=${mode(chat)}>
        <span>${(mode(chat) === 'agent' && chat.shop.assistant) || texts.badge[mode(chat)]}</span>${chat.config.demo ? html`<span class="ic-demo">${texts.demo} <span>${texts.demoNote}</span></span>` : nothing}
      </p>
    </div>
    <div class="ic-tools">
      ${switcher(chat)} ${person(chat)}
      <a class="button ic-round" href="/account" aria-label=${texts.account} title=${texts.account}>${icons.account}</a>
      <button type="button" class="ic-round" popovertarget="ic-prefs" @click=${() => import('./preferences.js')} aria-label=${texts.settings} title=${texts.settings}>${icons.globe}</button>
      <button type="button" class="ic-round" aria-label=${texts.newConversation} title=${texts.newConversation} @click=${chat.newConversation}>
        ${icons.plus}
      </button>
      <button type="button" class="ic-round ic-bag" aria-label=${say(texts.openCart, { items: items(count(chat)) })} @click=${chat.openCart}>
        ${icons.bag}${count(chat) ? html`<span class="ic-count" aria-hidden="true">${count(chat)}</span>` : nothing}
      </button>
    </div>
  </header>
`;

const mode = (chat) => chat.state.thread?.mode ?? 'agent';
const count = ({ state: { cart: held } }) =>
  held?.item_count ?? held?.lines.reduce((sum, line) => sum + line.quantity, 0) ?? 0;

const person = (chat) => {
  const asked = mode(chat) !== 'agent';
  const words = { agent: texts.talkToPerson, waiting_human: texts.personAsked, human: texts.withPerson }[mode(chat)];
  return html`
    <button type="button" class="ic-person" ?disabled=${asked} @click=${chat.askPerson}>${icons.person}<span>${words}</span></button>
  `;
};

const switcher = (chat) =>
  chat.shops.length > 1
    ? html`
        <label class="ic-switch">
          <span class="sr">${texts.switchShop}</span>
          <select .value=${live(chat.shop.slug)} @change=${(event) => chat.switchShop(event.target.value)}>
            ${chat.shops.map((shop) => html`<option value=${shop.slug} ?selected=${shop.slug === chat.shop.slug}>${shop.name}</option>`)}
          </select>
        </label>
      `
    : nothing;

const banner = (chat) =>
  chat.trouble ? html`<p class="ic-banner" role="status">${navigator.onLine ? texts.reconnecting : texts.offline}</p>` : nothing;

const failure = (chat) => html`
  <section class="ic-empty">
    <p>${texts.startFailed}</p>
    <button type="button" class="main" @click=${chat.begin}>${texts.tryAgain}</button>
  </section>
`;

const conversation = (chat) => {
  const { state } = chat;
  const quiet = !state.items.length && !state.pending.length;
  return html`
    <section class="ic-log" aria-label=${texts.conversation} aria-busy=${isBusy(state)}>
      ${state.thread ? nothing : loading}
      ${texts.assistantSpeaks ? html`<p class="ic-note">${texts.assistantSpeaks}</p>` : nothing}
      ${state.thread && quiet ? welcome(chat) : nothing}
      ${chat.first ? html`<button type="button" class="ic-earlier" @click=${chat.earlier}>${texts.earlier}</button>` : nothing}
      ${repeat(state.items.slice(chat.first), (item) => item.id, (item, index) => entry(chat, item, chat.first + index))}
      ${repeat(state.pending, (one) => one.key, (one) => waiting(chat, one))} ${working(state)} ${failedTurn(chat)}
    </section>
  `;
};

const loading = html`
  <div class="ic-wait" role="status"><span class="sr">${texts.loading}</span>${[1, 2, 3].map(() => html`<i aria-hidden="true"></i>`)}</div>
`;

const welcome = (chat) => html`
  <div class="ic-empty">
    <h2>${chat.shop.greeting || texts.hello}</h2>
    <p class="muted">${chat.shop.tagline}</p>
    <p class="small muted ic-trust">${texts.trust}</p>
    <ul class="ic-starts">
      ${chat.suggestions.map((text) => html`<li><button type="button" @click=${() => chat.say(text)}>${text}</button></li>`)}
    </ul>
    ${switcher(chat)}
  </div>
`;

const entry = (chat, item, index) => {
  const content = item.kind === 'card' ? activity(chat, item, index) : message(chat.state, item, index);
  const far = chat.state.items.length - index > NEAR_ENTRIES;
  return content ? html`<div class=${far ? 'ic-entry ic-far' : 'ic-entry'} data-id=${item.id} data-role=${item.role ?? 'card'}>${content}</div>` : nothing;
};

function message(state, item, index) {
  if (!item.text && item.role !== 'user') return null;
  let at = index - 1;
  while (at >= 0 && state.items[at].kind !== 'message') at -= 1;
  const before = state.items[at];
  const label = item.name && (before?.role !== item.role || before?.name !== item.name) ? item.name : '';
  return html`<ic-message .item=${item} .label=${label}></ic-message>`;
}

const FOLLOWED = ['return', 'claim', 'handoff'];

function activity({ state, wide }, { id, cardType, data }, index) {
  const { thread } = state;
  const later = state.items.slice(index + 1);
  if (cardType === 'suggestions' && (later.some((one) => one.kind === 'message') || state.pending.length)) return null;
  if (cardType === 'cart') {
    const newest = !wide && state.cart?.lines.length && !later.some((one) => one.cardType === 'cart');
    return card('cart', newest ? state.cart : { ...data, past: true });
  }
  if (cardType === 'checkout') {
    const confirming = later.find((one) => one.cardType === 'confirmation')?.data.status;
    const past = later.some((one) => one.cardType === 'checkout') || (confirming && confirming !== 'open');
    return card('checkout', { ...data, past, confirming });
  }
  if (cardType === 'payment_problem') {
    return card('payment_problem', { ...data, past: later.some((one) => one.cardType === 'confirmation') });
  }
  if (['sign_in', 'change_problem'].includes(cardType)) return card(cardType, { ...data, past: later.some((one) => one.kind === 'card') });
  if (FOLLOWED.includes(cardType)) return card(cardType, { ...data, thread, past: later.some((one) => one.cardType === cardType && one.data.id === data.id) });
  if (!ASKING.includes(cardType)) return card(cardType, data);
  const asked = { ...data, decision: state.decisions[id] };
  if (cardType !== 'confirmation') return card(cardType, { ...asked, problem: find(state, `problem-${id}`) });
  return card(cardType, { ...asked, outcome: outcomeOf(state, id) });
}

const waiting = (chat, { key, text, failed }) => html`
  <div class="ic-entry" data-id=${key} data-role="user">
    <p class=${failed ? 'ic-own' : 'ic-own ic-sending'}>${text}</p>
    ${failed
      ? html`
          <p class="ic-unsent small" role="alert">
            <span class="bad">${texts.notSent} ${failed}</span>
            <button type="button" class="plain" @click=${() => chat.say(text, key)}>${texts.tryAgain}</button>
          </p>
        `
      : nothing}
  </div>
`;

function working(state) {
  if (state.typing && state.thread?.mode === 'human') return html`<div class="ic-working ic-typing">${chip(texts.supportTyping)}</div>`;
  const speaking = state.items.at(-1)?.streaming && state.items.at(-1).role === 'assistant' && state.items.at(-1).text;
  if (!isBusy(state) || (speaking && !state.tools.some((tool) => !tool.done))) return nothing;
  if (state.thread?.mode !== 'agent') return nothing;
  const done = state.tools.filter((tool) => tool.done);
  const now = state.tools.findLast((tool) => !tool.done);
  return html`
    <div class="ic-working">
      ${done.map((tool) => html`<span class="ic-chip">${icons.done}${wordsFor(tool).replace('…', '')}</span>`)}
      ${chip(now ? wordsFor(now) : html`<span class="sr">${texts.thinking}</span>`)}
    </div>
  `;
}

const chip = (words) => html`<span class="ic-chip"><span class="ic-dots" aria-hidden="true"><i></i><i></i><i></i></span>${words}</span>`;

const wordsFor = ({ name }) => texts.tools[name] ?? texts.tools[name.split('_')[0]] ?? texts.thinking;

const failedTurn = (chat) =>
  chat.state.error
    ? html`
        <div class="ic-failed" role="alert">
          <p>${told(chat.state.error) || texts.runFailed}</p>
          <button type="button" @click=${chat.retry}>${texts.tryAgain}</button>
        </div>
      `
    : nothing;

const composer = (chat) => html`
  <form class="ic-composer" @submit=${chat.submit}>
    <div class="ic-box">
      ${asksPictures(chat)
        ? html`<button type="button" class="ic-round" aria-label=${texts.addPictures} title=${texts.addPictures} @click=${chat.pickPictures}>${icons.clip}</button>`
        : nothing}
      <label class="sr" for="composer">${texts.composer}</label>
      <textarea
        id="composer"
        rows="1"
        maxlength="4000"
        enterkeyhint="send"
        autocomplete="off"
        placeholder=${texts.placeholder}
        @keydown=${chat.typed}
      ></textarea>
      <button type="submit" class="main ic-round" aria-label=${texts.send}>${icons.send}</button>
    </div>
    <div class="ic-foot small muted">
      <span>${texts.trust}</span>${person(chat)}
      ${chat.atEnd ? nothing : html`<button type="button" class="ic-jump" aria-label=${texts.jump} @click=${chat.jump}>${icons.down}<span>${texts.latest}</span></button>`}
    </div>
  </form>
`;

/** Whether a card in the conversation asks for pictures. */
const asksPictures = ({ state: { items } }) =>
  items.some(({ cardType, data }) => data?.evidence_wanted || (cardType === 'claim' && ['submitted', 'in_review', 'need_info'].includes(data.status)));

const cart = ({ state }) => card('cart', state.cart ?? { lines: [] });

const dialogs = (chat) => html`
  <dialog class="ic-sheet" id="cart-sheet" aria-label=${texts.cart} @click=${closeOutside}>
    <div class="ic-sheet-in">
      ${sheetHead(chat, '')} ${chat.cartOpen ? cart(chat) : nothing}
    </div>
  </dialog>
  ${chat.tender?.cardSheet(chat)}
`;

export const sheetHead = (chat, title) => html`
  <div class="ic-sheet-head">
    ${title ? html`<h2>${title}</h2>` : nothing} ${person(chat)}
    <button type="button" class="ic-round" aria-label=${texts.close} @click=${(event) => event.target.closest('dialog').close()}>
      ${icons.close}
    </button>
  </div>
`;

export const closeOutside = (event) => event.target === event.currentTarget && event.target.close();
