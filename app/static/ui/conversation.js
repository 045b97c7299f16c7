// One shopper's conversation: thread, stream, sends and decisions. Knows the server, not the page.
import { Problem, get, isOf, post } from './api.js';
import { emptyState, find, reduce } from './store.js';
import { subscribe } from './stream.js';
import { isEnglish, texts, told } from './texts.js';

// A decision on a card has one key in every tab: it says no language, or two tabs would ask for two things.
const inLanguage = isEnglish ? {} : { language: document.documentElement.lang };

/** Private windows may refuse storage: the conversation then lives as long as the tab. */
const tolerant = (work) => {
  try {
    return work();
  } catch {
    return null;
  }
};
export const memory = {
  read: (key) => tolerant(() => localStorage.getItem(key)),
  write: (key, value) => tolerant(() => localStorage.setItem(key, value)),
};

export class Conversation extends EventTarget {
  state = emptyState;
  #end = () => {};

  /** `shop` is the tenant's slug; it is sent only where a demo lets the shopper choose. */
  constructor(shop, { chooses = false } = {}) {
    super();
    this.shop = shop;
    this.chooses = chooses;
    if (chooses) isOf(shop);
  }

  async start() {
    const known = [location.hash.slice(1), memory.read(this.#key)].filter((id) => /^thr_\w+$/.test(id ?? ''));
    for (const id of known) if (await this.#open(id)) return;
    const made = await this.#create();
    // Coming back to a demo shop, creating brings back who the shopper was there: the conversation of then opens now.
    for (const id of this.chooses ? [...known, made] : [made]) if (await this.#open(id)) return;
  }

  async startNew() {
    await this.#open(await this.#create());
  }

  async #create() {
    const { id } = await post('/v1/threads', this.chooses ? { tenant: this.shop } : {});
    if (location.hash) history.replaceState(null, '', location.pathname + location.search);
    return id;
  }

  stop() {
    this.#end();
    this.#end = () => {};
  }

  async send(text, key = crypto.randomUUID()) {
    this.#apply({ type: 'sending', key, text });
    try {
      const { run_id: runId } = await this.#run({ message: text, ...inLanguage }, key);
      this.#apply({ type: 'sent', key, runId });
    } catch (error) {
      this.#apply({ type: 'sendFailed', key, message: wordsOf(error) });
    }
  }

  async act(name, args = {}) {
    try {
      await this.#run({ action: { name, args }, ...inLanguage }, crypto.randomUUID());
    } catch (error) {
      this.#apply({ type: 'actionFailed', message: wordsOf(error) });
    }
  }

  /** A press on a card. One key per card and answer: presses, tabs and retries are one, unless `again`. */
  async decide(id, approved, { choice, again = false } = {}) {
    const former = this.state.decisions[id];
    if (!again && (find(this.state, id)?.data.status !== 'open' || (former && !former.error))) return;
    this.#apply({ type: 'deciding', id, approved });
    const resume = [{ interruptId: id, status: 'resolved', payload: { approved, ...(choice && { choice }) } }];
    const key = again ? crypto.randomUUID() : [id, approved ? 'approve' : 'decline', choice].filter(Boolean).join(':');
    try {
      await this.#run({ resume }, key);
    } catch (error) {
      await this.#undecided(id, error);
    }
  }

  get #key() {
    return `ic.thread.${this.shop}`;
  }

  get #path() {
    return `/v1/threads/${this.state.thread.id}`;
  }

  #run(body, key) {
    return post(`${this.#path}/runs`, body, key);
  }

  async #open(id) {
    const snapshot = await get(`/v1/threads/${id}`).catch((error) => {
      if ([401, 403, 404].includes(error.status)) return null;
      throw error;
    });
    if (!snapshot) return false;
    this.stop();
    this.state = emptyState;
    memory.write(this.#key, id);
    this.#apply({ type: 'snapshot', snapshot });
    this.#end = subscribe(`/v1/threads/${id}/events${this.chooses ? `?shop=${this.shop}` : ''}`, snapshot.last_event, {
      event: (seq, event) => this.#apply({ type: 'event', seq, event }),
      state: (value) => this.#apply({ type: 'connection', value }),
      gone: () => this.startNew().catch(() => this.#apply({ type: 'connection', value: 'lost' })),
    });
    return true;
  }

  /** No answer: the card stays as it is and may be pressed again. A refusal: the server knows better, ask it. */
  async #undecided(id, error) {
    if (error.status === 0 || error.status >= 500) {
      this.#apply({ type: 'decideFailed', id, message: texts.payRetry });
      return;
    }
    this.#apply({ type: 'decideFailed', id, message: wordsOf(error) });
    const snapshot = await get(this.#path).catch(() => null);
    if (snapshot) this.#apply({ type: 'snapshot', snapshot });
  }

  #apply(action) {
    const former = this.state;
    this.state = reduce(former, action);
    if (this.state !== former) this.dispatchEvent(new CustomEvent('change', { detail: { former, action } }));
  }
}

function wordsOf(error) {
  return error instanceof Problem && error.status ? told(error) : texts.networkProblem;
}
