// <ic-queue>: who waits, what is mine, everything; live, and worked by keys.
import { LitElement, html, nothing, repeat } from '../vendor/lit-3.3.3.min.js';
import { get, post } from './api.js';
import { followDesk } from './live.js';
import { el, formDialog, shortcut, toast } from './shell.js';
import { MOODS, PRIORITIES, called, due, learn, mine, reason, waits } from './words.js';

const TABS = { waiting: 'Waiting', mine: 'Mine', all: 'All' };
const EMPTY = {
  waiting: 'Nobody waits. Well done.',
  mine: 'You have no case. “Take next” gives you the one that is due first.',
  all: 'There is no case yet. A shopper who asks for a person opens one.',
};
const PAGE = 50;
const TICK_MS = 15_000;
const TYPED_MS = 250;

class Queue extends LitElement {
  static properties = Object.fromEntries(
    ['view', 'q', 'items', 'cursor', 'counts', 'present', 'now', 'problem', 'said', 'busy'].map((name) => [name, { state: true }]),
  );

  constructor() {
    super();
    const asked = new URLSearchParams(location.search);
    this.view = TABS[asked.get('view')] ? asked.get('view') : 'waiting';
    this.q = asked.get('q') ?? '';
    Object.assign(this, { items: null, cursor: null, counts: null, present: [], now: Date.now(), problem: '', said: '', busy: false });
  }

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    this.replaceChildren();
    super.connectedCallback();
    get('/v1/staff/colleagues').then(({ items }) => { learn(items); this.requestUpdate(); }, () => {});
    this.load();
    followDesk((news) => this.#hear(news));
    setInterval(() => (this.now = Date.now()), TICK_MS);
    const keys = [
      ['j', 'Next case', () => this.#step(1)],
      ['k', 'Case before', () => this.#step(-1)],
      ['Enter', 'Open the case', () => this.#focused()?.click()],
      ['t', 'Take the case, or the next one', () => this.#take()],
      ['c', 'New case', () => this.#newCase()],
      ['/', 'Search', () => this.querySelector('#q').focus()],
      ['1', 'Waiting', () => this.#show('waiting')],
      ['2', 'Mine', () => this.#show('mine')],
      ['3', 'All', () => this.#show('all')],
    ];
    keys.forEach(([key, words, act]) => shortcut(key, words, act));
  }

  async load(more = false) {
    const asked = this.q.trim() ? { q: this.q.trim() } : { view: this.view };
    const size = more ? PAGE : Math.min(200, Math.max(PAGE, this.items?.length ?? 0));
    const query = new URLSearchParams({ ...asked, limit: size, ...(more && { cursor: this.cursor }) });
    const turn = (this.turn = (this.turn ?? 0) + 1);
    try {
      const page = await get(`/v1/cases?${query}`);
      if (turn !== this.turn) return;
      this.items = more ? [...this.items, ...page.items] : page.items;
      this.cursor = page.next_cursor;
      this.problem = '';
    } catch (problem) {
      if (turn === this.turn) this.problem = problem.message;
    }
  }

  #hear(news) {
    if (news) [this.counts, this.present] = [news.counts, news.present];
    if (news && !news.changed.length) return;
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.load(), 60);
  }

  // The focus stays on its case, wherever that moves; when the case goes, on the one in its place.

  willUpdate() {
    const row = this.#focused();
    this.held = row && { id: row.dataset.id, place: this.#rows().indexOf(row) };
  }

  updated() {
    if (!this.held) return;
    const rows = this.#rows();
    const wanted = rows.find((row) => row.dataset.id === this.held.id) ?? rows[Math.min(this.held.place, rows.length - 1)];
    if (wanted && document.activeElement !== wanted) wanted.focus({ preventScroll: true });
  }

  #rows() {
    return [...this.querySelectorAll('.ds-row')];
  }

  #focused() {
    return document.activeElement?.closest?.('.ds-row');
  }

  #step(by) {
    const rows = this.#rows();
    const at = rows.indexOf(this.#focused());
    rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + by))]?.focus();
  }

  #show(view) {
    this.view = view;
    this.q = '';
    this.items = null;
    this.#address();
    this.load();
  }

  #address() {
    const query = this.q.trim() ? `?q=${encodeURIComponent(this.q.trim())}` : this.view === 'waiting' ? '' : `?view=${this.view}`;
    history.replaceState(null, '', `/staff${query}`);
  }

  #typed = (event) => {
    this.q = event.target.value;
    clearTimeout(this.typing);
    this.typing = setTimeout(() => { this.#address(); this.load(); }, TYPED_MS);
  };

  #searchKey = (event) => {
    if (event.key === 'Escape') this.#show(this.view);
    if (event.key === 'ArrowDown' || event.key === 'Enter') {
      event.preventDefault();
      this.#step(0);
    }
  };

  async #take() {
    const row = this.#focused();
    const one = row && this.items.find(({ id }) => id === row.dataset.id);
    if (!one) return this.#takeNext();
    return this.#open(() => post(`/v1/staff/cases/${one.id}/assign`, { assignee: 'me', expected: one.assignee }));
  }

  #takeNext = () => this.#open(() => post('/v1/staff/cases/next'));

  async #open(take) {
    if (this.busy) return;
    this.busy = true;
    try {
      const { id } = await take();
      location.assign(`/staff/cases/${id}`);
    } catch (problem) {
      toast(problem.message, 'bad');
      this.load();
    } finally {
      this.busy = false;
    }
  }

  /** Who called or wrote elsewhere: a case that staff write down themselves. */
  #newCase = async () => {
    const option = ([value, words]) => el('option', { value, selected: value === 'normal' }, words);
    const made = await formDialog({
      title: 'New case',
      say: 'For who called or wrote elsewhere. It is nobody’s until somebody takes it.',
      fields: [
        { name: 'subject', label: 'What it is about', input: el('input', { required: true, maxlength: 120, autocomplete: 'off' }) },
        { name: 'order', label: 'Order number (may be empty)', input: el('input', { maxlength: 40, autocomplete: 'off', spellcheck: 'false' }) },
        { name: 'priority', label: 'Priority', input: el('select', {}, ...Object.entries(PRIORITIES).map(option)) },
        { name: 'summary', label: 'What they said', input: el('textarea', { rows: 5, maxlength: 2000 }) },
      ],
      action: 'Write it down',
      act: async ({ subject, order, priority, summary }, key) => {
        const about = order.trim() && (await get(`/v1/staff/orders/${encodeURIComponent(order.trim())}`)).row.id;
        return post('/v1/staff/cases', { subject, summary, priority, ...(about && { order_id: about }) }, key);
      },
    });
    if (made) location.assign(`/staff/cases/${made.id}`);
  };

  render() {
    return html`
      <div class="st-bar">
        <h1>Queue</h1>
        <button type="button" aria-keyshortcuts="c" @click=${this.#newCase}>New case</button>
        <button type="button" class="main" aria-keyshortcuts="t" ?disabled=${this.busy} @click=${this.#takeNext}>Take next</button>
      </div>
      <div class="ds-tools">
        <nav class="ds-tabs" aria-label="Cases">
          ${Object.entries(TABS).map(([view, words]) => this.#tab(view, words))}
        </nav>
        <search class="ds-search">
          <label class="sr" for="q">Search by number, name, e-mail, order or words</label>
          <input id="q" type="search" autocomplete="off" maxlength="120" placeholder="Number, name, order, words" .value=${this.q} @input=${this.#typed} @keydown=${this.#searchKey} />
        </search>
      </div>
      ${this.problem ? html`<p class="st-problem" role="alert">${this.problem} <button type="button" class="plain" @click=${() => this.load()}>Try again</button></p>` : nothing}
      ${this.#list()}
      <p class="sr" role="status">${this.#told()}</p>
    `;
  }

  #tab(view, words) {
    const current = !this.q.trim() && view === this.view;
    const late = view === 'waiting' && this.counts?.late;
    return html`
      <button type="button" class="plain" aria-pressed=${current} @click=${() => this.#show(view)}>
        ${words}<span class="ds-count num">${this.counts?.[view] ?? ''}</span>${late ? html`<span class="ds-late num">${late} late</span>` : nothing}
      </button>
    `;
  }

  #list() {
    if (!this.items) return this.problem ? nothing : html`<p class="st-state" data-state="loading">Loading the cases…</p>`;
    if (!this.items.length) return html`<p class="st-state ds-none">${this.q.trim() ? `Nothing is found for “${this.q.trim()}”.` : EMPTY[this.view]}</p>`;
    return html`
      <div class="ds-columns" aria-hidden="true"><span>Shopper</span><span>About</span><span>Time</span><span>Owner</span></div>
      <ul class="ds-list">
        ${repeat(this.items, ({ id }) => id, (one) => this.#row(one))}
      </ul>
      ${this.cursor ? html`<p><button type="button" @click=${() => this.load(true)}>Show more</button></p>` : nothing}
    `;
  }

  #row(one) {
    const time = due(one, this.now);
    const here = this.present.filter(({ case_id: id, who }) => id === one.id && who !== mine());
    const waiting = waits(one, this.now);
    return html`
      <li>
        <a class="ds-row" href="/staff/cases/${one.id}" data-id=${one.id} data-due=${time.kind}>
          <span class="ds-who">
            <strong>${one.shopper_name || 'Guest'}</strong>
            <span class="small muted num">${one.number}${one.order_number ? ` · ${one.order_number}` : ''}</span>
          </span>
          <span class="ds-about">
            <span class="ds-marks">
              <span class="ds-reason">${reason(one.reason)}</span>
              ${one.sentiment === 'calm' ? nothing : html`<span class="st-chip ds-mood" data-mood=${one.sentiment}>${MOODS[one.sentiment]}</span>`}
              ${one.priority === 'normal' ? nothing : html`<span class="st-chip" data-priority=${one.priority}>${PRIORITIES[one.priority]}</span>`}
            </span>
            <span class="ds-last">${one.last_words ? html`<span class="muted">${one.last_speaker === 'shop' ? 'We: ' : ''}</span>${one.last_words}` : one.subject}</span>
          </span>
          <span class="ds-time">
            <span class="ds-due" data-due=${time.kind}>${time.words}</span>
            ${waiting ? html`<span class="small muted">waits ${waiting}</span>` : nothing}
          </span>
          <span class="ds-owner">
            <span class=${one.assignee ? '' : 'muted'}><span class="sr">Owner: </span>${called(one.assignee)}</span>
            ${here.length ? html`<span class="small ds-here">${here.map(({ who, typing }) => `${called(who)} ${typing ? 'writes' : 'looks'}`).join(', ')}</span>` : nothing}
          </span>
        </a>
      </li>
    `;
  }

  #told() {
    return this.q.trim() && this.items ? `${this.items.length} found` : '';
  }
}

customElements.define('ic-queue', Queue);
