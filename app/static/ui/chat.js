// <ic-chat>: the shopper's page. Turns presses into conversation calls and news into what is seen and heard.
import { LitElement } from '../vendor/lit-3.3.3.min.js';
import { load } from './cards/index.js';
import { Conversation, memory } from './conversation.js';
import { Follower } from './follow.js';
import { price, setLocale } from './format.js';
import { page } from './page.js';
import { ASKING, emptyState, find, outcomeOf } from './store.js';
import { say, texts } from './texts.js';

const SHOP_KEY = 'ic.shop';
const TOAST_MS = 4000;
const TROUBLE_AFTER_MS = 1500;
const SPOKEN_MS = 1000;
const QUIET_ACTIONS = ['add_to_cart', 'update_cart_line'];
const TENDERS = ['enter_card', 'use_stored_value', 'drop_stored_value'];
const CARD_WAIT_MS = 1000;
const SHOWN_FIRST = 50;
const CARDS_AFTER_CART = ['checkout', 'confirmation', 'receipt', 'payment_problem'];

class Chat extends LitElement {
  static properties = Object.fromEntries(
    ['state', 'shop', 'failed', 'atEnd', 'trouble', 'toast', 'announcement', 'tender', 'entry', 'cartOpen', 'wide', 'first'].map((name) => [name, { state: true }]),
  );

  constructor() {
    super();
    Object.assign(this, { state: emptyState, atEnd: true, toast: '', announcement: '', failed: false, entry: null, first: 0 });
  }

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    this.config = JSON.parse(this.dataset.config);
    this.shops = this.config.demo ? (this.config.tenants ?? []) : [];
    this.replaceChildren();
    super.connectedCallback();
    this.addEventListener('ic-action', ({ detail }) => this.onAction(detail.name, detail.args));
    this.addEventListener('ic-decide', ({ detail: { id, approved, ...more } }) => this.conversation.decide(id, approved, more));
    if (this.shops.length) this.addEventListener('click', this.#leads);
    addEventListener('message', (event) => this.tender?.cardEntered(this, event));
    for (const name of ['online', 'offline']) addEventListener(name, () => this.#connection());
    const room = matchMedia('(min-width: 68rem)'); // where chat.css shows the cart beside the conversation
    const fit = () => (this.wide = room.matches);
    room.addEventListener('change', fit);
    fit();
    this.follower = new Follower({ anchor: () => this.#newestTurn() ?? (this.querySelector('.ic-starts') && this.querySelector('.ic-log')), onChange: (atEnd) => (this.atEnd = atEnd) });
    this.#enterShop(memory.read(SHOP_KEY));
  }

  /** A card is shown when it can be drawn, so that nothing under it is pushed away; news that come faster than the
   * screen are shown together. A hidden page has no frames to wait for.
   */
  async scheduleUpdate() {
    if (this.hasUpdated && !document.hidden) await new Promise(requestAnimationFrame);
    const cards = this.state.items.slice(this.first).map((item) => load(item.cardType)).filter(Boolean);
    if (cards.length) await Promise.race([Promise.all(cards), new Promise((resolve) => setTimeout(resolve, CARD_WAIT_MS))]);
    super.scheduleUpdate();
  }

  render() {
    return page(this);
  }

  firstUpdated() {
    const sizes = new ResizeObserver(() => {
      const foot = this.querySelector('.ic-composer').offsetHeight;
      document.documentElement.style.setProperty('--ic-foot', `${foot}px`);
      this.follower.grown();
    });
    for (const part of ['.ic-main', '.ic-composer']) sizes.observe(this.querySelector(part));
    if (matchMedia('(pointer: fine)').matches) this.toComposer();
  }

  updated() {
    this.follower.grown();
    if (this.first) import('./earlier.js').then(({ watch }) => watch(this));
  }

  get suggestions() {
    return (this.shop.suggestions ?? this.config.suggestions ?? []).slice(0, 4);
  }

  // The shop and the conversation

  #enterShop(slug) {
    const chosen = this.shops.find((shop) => shop.slug === slug);
    this.shop = { ...this.config.tenant, ...(chosen ?? {}) };
    document.title = this.shop.name;
    setLocale(this.shop.locale);
    if (this.shop.theme) document.getElementById('ic-theme')?.setAttribute('href', this.shop.theme);
    this.begin();
  }

  begin = () => {
    this.conversation?.stop();
    this.conversation = new Conversation(this.shop.slug, { chooses: this.shops.length > 0 });
    this.conversation.addEventListener('change', ({ target, detail }) => {
      if (target !== this.conversation) return;
      if (detail.action.type === 'snapshot' && detail.former.thread?.id !== target.state.thread.id) {
        this.first = Math.max(0, target.state.items.length - SHOWN_FIRST);
      }
      this.state = target.state;
      this.#news(detail);
    });
    Object.assign(this, { state: emptyState, first: 0 });
    return this.#opening(this.conversation.start());
  };

  newConversation = async () => {
    await this.#opening(this.conversation.startNew());
    this.toComposer();
  };

  switchShop(slug) {
    memory.write(SHOP_KEY, slug);
    this.#enterShop(slug);
  }

  /** A link to another page of ours says of which shop. */
  #leads = ({ target }) => {
    const link = target.closest('a[href^="/"]');
    if (!link) return;
    const address = new URL(link.href);
    address.searchParams.set('shop', this.shop.slug);
    link.href = address.href;
  };

  #opening(promise) {
    this.failed = false;
    this.opening = promise.catch(() => (this.failed = true));
    return this.opening;
  }

  // What the shopper does

  say(text, key) {
    this.follower.following = true;
    this.toast = '';
    this.#closeSheets();
    return this.conversation.send(text, key);
  }

  async onAction(name, args) {
    await this.opening;
    if (name === 'say') return this.say(args.text);
    if (TENDERS.includes(name)) return this.#tender(name, args);
    this.follower.following = !QUIET_ACTIONS.includes(name);
    if (!QUIET_ACTIONS.includes(name)) this.#closeSheets();
    return this.conversation.act(name, args);
  }

  pickPictures = () => [...this.querySelectorAll('ic-evidence')].at(-1)?.pick();
  askPerson = async () => {
    if (this.failed) await this.begin();
    if (!this.failed) this.onAction('request_human', {});
  };
  retry = () => this.onAction('retry', {});
  jump = () => this.follower.toEnd();

  earlier = async () => (await import('./earlier.js')).earlier(this);

  submit = async (event) => {
    event.preventDefault();
    const text = this.#box.value.trim();
    if (!text) return;
    this.#box.value = '';
    await this.opening;
    if (this.state.thread) this.say(text);
    else this.#box.value = text;
  };

  typed = (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!event.repeat) this.#box.form.requestSubmit();
  };

  toComposer = (event) => {
    event?.preventDefault();
    this.#box?.focus({ preventScroll: !event });
  };

  get #box() {
    return this.querySelector('#composer');
  }

  // Sheets

  openCart = () => {
    this.cartOpen = true;
    this.querySelector('#cart-sheet').showModal();
  };

  #closeSheets() {
    for (const sheet of this.querySelectorAll('dialog')) sheet.close();
    this.cartOpen = false;
  }

  /** What pays is looked after by a module that is fetched when it is first asked for. */
  async #tender(name, args) {
    try {
      this.tender ??= await import('./tender.js');
      await this.updateComplete;
    } catch {
      return this.tell(texts.notApplied);
    }
    return this.tender.ACTS[name](this, args);
  }

  // What the log tells

  #news({ former, action }) {
    if (former.connection !== this.state.connection) this.#connection();
    if (this.state.cart?.lines.length) CARDS_AFTER_CART.forEach(load);
    if (action.type === 'snapshot') this.follower.following = true;
    if (action.type !== 'event') return;
    if (former.cart !== this.state.cart) this.#cartChanged(former.cart, this.state.cart);
    if (action.event.type === 'TEXT_MESSAGE_END') this.#heard(action.event.messageId);
    if (ASKING.includes(action.event.activityType)) this.#asked(former, action.event);
    if (['receipt', 'payment_problem', 'change_problem'].includes(action.event.activityType)) this.#backToComposer();
    if (former.thread?.mode !== this.state.thread?.mode) this.#announce(texts.handoff[this.state.thread.mode]);
  }

  #heard(id) {
    const item = find(this.state, id);
    if (item?.role !== 'user' && item?.text) this.#announce(`${item.name || texts.assistant}: ${item.text}`);
  }

  /** The words for it are fetched with the first change. */
  async #cartChanged(former, cart) {
    const { changeOf } = await import('./cart-news.js');
    const words = changeOf(former, cart);
    if (words) this.tell(words);
  }

  /** A new card takes the focus, unless the shopper is writing; a decided one gives it back. */
  #asked(former, { messageId: id, activityType: kind }) {
    const { status, checkout } = find(this.state, id).data;
    if (status !== 'open') return this.#backToComposer(id);
    if (find(former, id)) return undefined;
    const parts = [...(checkout?.tenders ?? []), checkout?.payment_method].filter(Boolean).map(({ label }) => label);
    this.#announce(checkout ? say(texts.cardAnnounce, { total: price(checkout.total), method: parts.join(', ') }) : texts.askedAnnounce);
    this.toast = '';
    if (this.#box.value || this.querySelector('dialog[open]')) return undefined;
    const shown = kind === 'confirmation' ? 'ic-confirm' : `ic-${kind.replace('_', '-')}`;
    return Promise.all([this.updateComplete, customElements.whenDefined(shown)]).then(() => this.#cardOf(id)?.present());
  }

  #cardOf(id) {
    return this.querySelector(`[data-id="${CSS.escape(id)}"] > .ic-card`);
  }

  #backToComposer(id) {
    const on = document.activeElement;
    const held = on === document.body || on?.closest('.ic-asked');
    const waits = id && find(this.state, id).data.status === 'approved' && !outcomeOf(this.state, id);
    if (held && !waits && matchMedia('(pointer: fine)').matches) this.updateComplete.then(() => this.toComposer());
  }

  #connection() {
    clearTimeout(this.troubleTimer);
    const lost = !navigator.onLine || this.state.connection === 'lost';
    if (!lost) this.trouble = false;
    else this.troubleTimer = setTimeout(() => (this.trouble = true), navigator.onLine ? TROUBLE_AFTER_MS : 0);
  }

  tell(text) {
    this.toast = text;
    this.announcement = text;
    this.saidAt = Date.now();
    clearTimeout(this.toastTimer);
    this.toastTimer = setTimeout(() => (this.toast = ''), TOAST_MS);
  }

  /** A toast's words that are replaced too soon are never read out: what follows at once is added to them. */
  #announce(text) {
    const soon = this.announcement === this.toast && Date.now() - this.saidAt < SPOKEN_MS;
    this.announcement = soon ? `${this.announcement} ${text}` : text;
  }

  #newestTurn() {
    const id = this.state.pending.at(-1)?.key ?? this.state.turnStart;
    return id && this.querySelector(`[data-id="${CSS.escape(id)}"]`);
  }
}

customElements.define('ic-chat', Chat);
