// <ic-case>: one case and its conversation, live. What is done here goes through `/v1`; what it looks like is case-view.js.
import { LitElement } from '../vendor/lit-3.3.3.min.js';
import { get, post } from './api.js';
import { view } from './case-view.js';
import './composer.js';
import { Said } from './drafts.js';
import { follow, followDesk } from './live.js';
import { Presence } from './presence.js';
import { confirmDialog, shortcut, toast } from './shell.js';
import { Story } from './story.js';
import { called, learn, mine } from './words.js';

const TICK_MS = 15_000;
const NEAR_END_PX = 160;
const BURST_MS = 60;
const SOUGHT_MS = 400;
const CHANGES = new Set(['ACTIVITY_SNAPSHOT', 'RUN_FINISHED', 'CUSTOM']); // other orders and cards may be there than before

class CasePage extends LitElement {
  static properties = {
    caseId: { attribute: 'case-id' },
    ...Object.fromEntries(['one', 'problem', 'busy', 'people', 'macros', 'present', 'now', 'panel'].map((name) => [name, { state: true }])),
  };

  constructor() {
    super();
    Object.assign(this, { one: null, problem: '', busy: 0, people: [], macros: [], present: [], now: Date.now(), panel: false });
    this.story = new Story();
    this.notes = new Map();
    this.said = { note: new Said(), reply: new Said() };
    this.acts = Promise.resolve();
  }

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    this.replaceChildren();
    super.connectedCallback();
    this.addEventListener('ic-send', ({ detail }) => this.#send(detail));
    this.addEventListener('ic-macro', ({ detail }) => this.#macro(detail.id));
    this.addEventListener('ic-typed', () => this.presence?.typed());
    this.addEventListener('ic-changed', () => this.load());
    setInterval(() => (this.now = Date.now()), TICK_MS);
    this.#begin();
  }

  async #begin() {
    const [colleagues, macros] = [get('/v1/staff/colleagues'), get('/v1/macros?limit=200')];
    await colleagues.then(({ items }) => learn((this.people = items)), () => {});
    macros.then(({ items }) => (this.macros = items), () => {});
    await this.load();
    if (!this.one) return;
    this.caseId = this.one.id;
    document.title = `${this.one.number} · ${document.title}`;
    this.presence = new Presence(this.caseId);
    followDesk((news) => this.#hear(news));
    if (this.one.thread_id) follow(`/v1/threads/${this.one.thread_id}/events`, { event: (event, seq) => this.#read(event, seq) });
    this.#keys();
    import('./order-panel.js').then(() => (this.panel = true), () => {});
  }

  #keys() {
    shortcut('r', 'Write a reply', () => this.composer.open('reply'));
    shortcut('n', 'Write a note', () => this.composer.open('note'));
    shortcut('t', 'Take over', () => this.canTake && !this.busy && this.takeOver());
    shortcut('e', 'Resolve: return to the assistant', () => this.isMine && this.giveBack());
    shortcut('q', 'Back to the queue', () => location.assign('/staff'));
  }

  async load() {
    try {
      this.#set(await get(`/v1/cases/${this.caseId}`));
    } catch (problem) {
      if (!this.one) this.problem = problem.status === 404 ? 'There is no such case.' : problem.message;
    }
  }

  /** A burst of news, such as the log from its beginning, is one question. */
  #loadSoon() {
    this.soon ??= setTimeout(() => {
      this.soon = null;
      this.load();
    }, BURST_MS);
  }

  /** So is what became of the orders. */
  #panelSoon() {
    this.sought ??= setTimeout(() => {
      this.sought = null;
      this.querySelector('ic-order-panel')?.load?.();
    }, SOUGHT_MS);
  }

  #set(one) {
    if (this.one && one.version < this.one.version) return;
    this.notes = new Map(one.notes.map((note) => [note.id, note]));
    this.one = one;
  }

  #hear(news) {
    if (news) this.present = news.present.filter(({ case_id: id, who }) => id === this.caseId && who !== mine());
    if (news && !news.changed.includes(this.caseId)) return;
    this.#loadSoon();
    this.#panelSoon();
  }

  #read(event, seq) {
    this.story.take(event, seq);
    if (event.name?.startsWith('case.') && !this.busy) this.#loadSoon();
    if (CHANGES.has(event.type)) this.#panelSoon();
    this.requestUpdate();
  }

  /** The newest is seen until the reader scrolls up; cards grow when their modules and pictures come. */
  firstUpdated() {
    this.follows = true;
    this.sizes = new ResizeObserver(() => this.#toEnd());
  }

  updated() {
    const told = this.querySelector('.ds-story');
    if (told && told !== this.told) {
      this.sizes.observe((this.told = told));
      this.sizes.observe(told.parentElement);
      told.parentElement.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    }
    this.#toEnd();
  }

  #toEnd() {
    const log = this.querySelector('.ds-log');
    if (!log || !this.follows) return;
    log.scrollTop = log.scrollHeight;
    this.top = log.scrollTop;
  }

  /** Only who goes up themselves leaves the end: a card that grows under them does not. */
  #scrolled() {
    const { scrollTop } = this.querySelector('.ds-log');
    if (this.#atEnd()) this.follows = true;
    else if (scrollTop < (this.top ?? 0)) this.follows = false;
    this.top = scrollTop;
  }

  #atEnd() {
    const log = this.querySelector('.ds-log');
    return log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX;
  }

  get composer() {
    return this.querySelector('ic-composer');
  }

  get isMine() {
    return this.one?.assignee === mine() && ['waiting_staff', 'waiting_customer'].includes(this.one.status);
  }

  get isOver() {
    return ['resolved', 'closed'].includes(this.one?.status);
  }

  get canTake() {
    return this.one && !this.isMine && !this.isOver;
  }

  // What is done

  /** What is asked for while something is under way, by keys, is done after it; not where that failed: nobody returns a
   * case of which the shopper has not had the answer. Whether it was done.
   */
  act(...asked) {
    const waits = this.busy > 0;
    this.busy += 1;
    const next = async (done) => (!waits || done) && this.#act(...asked);
    return (this.acts = this.acts.then(next).finally(() => (this.busy -= 1)));
  }

  async #act(name, body = {}, { said = '', key = crypto.randomUUID() } = {}) {
    try {
      this.#set(await post(`/v1/staff/cases/${this.caseId}/${name}`, body, key));
      if (said) toast(said);
      return true;
    } catch (problem) {
      toast(problem.code === 'case_taken' ? `Owned by ${await this.#owner()}.` : problem.message, 'bad');
      return false;
    }
  }

  async #owner() {
    await this.load();
    return called(this.one.assignee, { you: 'you' });
  }

  takeOver = async () => {
    if (await this.act('assign', { assignee: 'me', expected: this.one.assignee })) {
      await this.updateComplete;
      this.composer?.open('reply');
    }
  };

  give = async (event) => {
    const to = event.target.value;
    event.target.value = '';
    if (!to) return;
    const assignee = to === '-' ? null : to;
    await this.act('assign', { assignee, expected: this.one.assignee }, { said: `The case is with ${called(assignee)} now.` });
  };

  setPriority = (event) => this.act('priority', { priority: event.target.value });

  giveBack = async () => {
    const talks = Boolean(this.one.thread_id);
    const answer = await confirmDialog({
      title: talks ? 'Return to the assistant' : 'Resolve the case',
      facts: [['Case', this.one.number], ['Shopper', this.one.shopper_name || 'Guest']],
      say: talks ? 'The case is resolved and the assistant answers again. It goes on from your summary; the shopper does not see it.' : 'It is done, and can be taken up again for some days.',
      action: talks ? 'Return' : 'Resolve it',
      reason: { label: 'What you did, in a sentence or two', required: true },
    });
    if (answer) await this.act('resolve', { then: 'agents', summary: answer.reason }, { said: talks ? 'The assistant answers again.' : 'The case is resolved.' });
  };

  close = async () => {
    const answer = await confirmDialog({
      title: 'Close for good',
      facts: [['Case', this.one.number]],
      say: `${this.one.thread_id ? 'The assistant answers again, and nothing' : 'Nothing'} brings this case back: what the shopper asks next is a new one.`,
      action: 'Close the case',
      reason: { label: 'Summary for the assistant (may be empty)' },
    });
    if (answer) await this.act('resolve', { then: 'close', ...(answer.reason && { summary: answer.reason }) }, { said: 'The case is closed.' });
  };

  reopen = () => this.act('reopen', {}, { said: 'The case is open again.' });

  useReply = () => this.composer.insert(this.one.package.suggested_reply);

  async #send({ kind, text }) {
    this.presence.rest();
    const key = this.said[kind].keyOf(text);
    if (!(await this.act(kind === 'note' ? 'notes' : 'reply', { text }, { key }))) return;
    this.said[kind].answered();
    this.composer.clear(kind, text);
  }

  async #macro(id) {
    try {
      const { text } = await post(`/v1/staff/macros/${id}/render`, { case_id: this.caseId });
      this.composer.insert(text);
    } catch (problem) {
      toast(problem.message, 'bad');
    }
  }

  render() {
    return view(this);
  }
}

customElements.define('ic-case', CasePage);
