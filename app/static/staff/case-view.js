// What a case looks like. `page` is <ic-case>: the case, the story, and what can be done.
import { html, nothing, repeat } from '../vendor/lit-3.3.3.min.js';
import { card } from '../ui/cards/index.js';
import { markdown } from '../ui/markdown.js';
import { MOODS, PRIORITIES, STATUSES, called, clock, due, mine, reason, waits } from './words.js';

export function view(page) {
  if (page.problem) return failed(page);
  if (!page.one) return html`<h1>Case</h1><p class="st-state" data-state="loading">Loading the case…</p>`;
  return html`
    ${header(page)}
    <div class="ds-case">
      ${handed(page)}
      <div class="ds-talk">
        ${story(page)}
        <div class="ds-foot">
          ${others(page)} ${banner(page)}
          <ic-composer .about=${page.one.id} .locked=${lock(page)} .macros=${page.macros}></ic-composer>
        </div>
      </div>
      <aside class="ds-side" aria-label="Order and shopper">
        ${page.panel ? html`<ic-order-panel .target=${target(page)}></ic-order-panel>` : nothing}
      </aside>
    </div>
  `;
}

const failed = (page) => html`
  <h1>Case</h1>
  <p class="st-problem" role="alert">${page.problem}</p>
  <p><a class="button" href="/staff">To the queue</a></p>
`;

/** The same object while it is about the same things: the panel reads anew when it is another. */
function target(page) {
  const { order_id: order, shopper_id: shopper, thread_id: thread, id } = page.one;
  const now = { ...(order && { order_id: order }), ...(shopper && { shopper_id: shopper }), ...(thread && { thread_id: thread }), case_id: id };
  if (JSON.stringify(now) !== JSON.stringify(page.about)) page.about = now;
  return page.about;
}

// The head: what it is, how it stands, what can be done

function header(page) {
  const { one, now } = page;
  const time = due(one, now);
  const waiting = waits(one, now);
  return html`
    <header class="ds-top">
      <a class="ds-back small" href="/staff">← Queue</a>
      <div class="ds-name">
        <h1>${one.subject || reason(one.reason)}</h1>
        <p class="ds-facts small">
          <span class="num">${one.number}</span><span>${one.shopper_name || 'Guest'}</span>
          ${one.order_number ? html`<span class="num">${one.order_number}</span>` : nothing}
          ${page.isOver ? nothing : html`<span class="ds-due" data-due=${time.kind}>${time.words}</span>`}
          ${waiting ? html`<span>waits ${waiting}</span>` : nothing}
          ${one.reopened ? html`<span>came back ${one.reopened}×</span>` : nothing}
          <span class="ds-owned">${page.isOver ? STATUSES[one.status] : html`Owner: <strong>${called(one.assignee)}</strong>`}</span>
        </p>
      </div>
      <div class="ds-acts">${acts(page)}</div>
    </header>
  `;
}

function acts(page) {
  const { one, busy } = page;
  if (one.status === 'closed') return nothing;
  if (one.status === 'resolved') return html`<button type="button" ?disabled=${busy} @click=${page.reopen}>Reopen</button>`;
  return html`
    <label class="sr" for="priority">Priority</label>
    <select id="priority" .value=${one.priority} ?disabled=${busy} @change=${page.setPriority}>
      ${Object.entries(PRIORITIES).map(([value, words]) => html`<option value=${value} ?selected=${value === one.priority}>${words}</option>`)}
    </select>
    <label class="sr" for="give">Give the case to</label>
    <select id="give" ?disabled=${busy} @change=${page.give}>
      <option value="">Assign…</option>
      ${page.people.filter(({ who }) => who !== one.assignee).map(({ who, name }) => html`<option value=${who}>${who === mine() ? `${name} (you)` : name}</option>`)}
      ${one.assignee ? html`<option value="-">Nobody</option>` : nothing}
    </select>
    ${page.isMine
      ? html`
          <button type="button" class="main" ?disabled=${busy} @click=${page.giveBack}>${one.thread_id ? 'Return to assistant' : 'Resolve'}</button>
          <button type="button" ?disabled=${busy} @click=${page.close}>Close</button>
        `
      : nothing}
  `;
}

// The hand-off package: what to know before the first word

function handed({ one, isMine, ...page }) {
  const told = one.package;
  if (!told) return one.summary ? html`<section class="st-panel ds-package" aria-labelledby="why"><h2 id="why">${reason(one.reason)}</h2><p>${one.summary}</p></section>` : nothing;
  const { orders, money, open_cards: cards, cart } = told.facts;
  return html`
    <details class="st-panel ds-package" open>
      <summary>
        <h2 id="why">${reason(told.reason)}</h2>
        <span class="st-chip ds-mood" data-mood=${one.sentiment}>Sounds ${MOODS[one.sentiment].toLowerCase()}</span>
      </summary>
      <ul class="ds-summary">${told.summary.slice(1).map((line) => html`<li>${line}</li>`)}</ul>
      <dl class="ds-known">
        ${fact('Orders', orders.map((order) => `${order.number}: ${order.total}, ${order.payment}, ${order.fulfillment}`))}
        ${fact('Money back', money)} ${fact('Open cards', cards)}
        ${fact('Cart', cart.lines.length ? [`${cart.lines.join(', ')} = ${cart.total}`] : [])}
        ${fact('Last tool errors', told.last_tool_errors.map(({ tool, message }) => `${tool}: ${message}`), 'bad')}
      </dl>
      <div class="ds-suggested">
        <p><span class="small muted">Suggested reply</span><br />${told.suggested_reply}</p>
        <ic-use @click=${(event) => event.target.closest('ic-case').useReply()}><button type="button" ?disabled=${!isMine}>Use</button></ic-use>
      </div>
    </details>
  `;
}

const fact = (name, lines, kind = '') =>
  lines.length ? html`<div><dt>${name}</dt>${lines.map((line) => html`<dd class=${kind}>${line}</dd>`)}</div>` : nothing;

// The story

function story(page) {
  const { items, working, mode } = page.story;
  return html`
    <div class="ds-log st-panel" role="log" aria-label="Conversation" tabindex="0">
      ${page.one.thread_id ? nothing : html`<p class="muted">This case has no conversation. Notes are kept here.</p>`}
      <ol class="ds-story">
        ${repeat([...items, ...strays(page)], ({ id }) => id, (item) => entry(page, item))}
      </ol>
      ${working && mode === 'agent' ? html`<p class="small muted ds-works">The assistant is at work…</p>` : nothing}
    </div>
  `;
}

function others({ present }) {
  const told = present.map(({ who, typing }) => `${called(who)} ${typing ? 'is writing' : 'looks at this too'}`);
  return html`<p class="ds-others small" role="status">${told.join(' · ')}</p>`;
}

/** Notes of before the log told their place. */
const strays = ({ notes, story: told }) =>
  [...notes.values()].filter(({ id }) => !told.find(id)).map(({ id, author, created_at: at }) => ({ id, kind: 'note', by: author, at }));

const entry = (page, item) => html`<li class="ds-entry" data-kind=${item.kind} data-role=${item.role ?? nothing} data-id=${item.id}>${ENTRIES[item.kind](item, page)}</li>`;

const time = ({ at }) => (at ? html`<time class="small muted num">${clock(at)}</time>` : nothing);

const ENTRIES = {
  message: (item) => html`
    <p class="ds-by small"><strong>${item.name}</strong> ${time(item)}</p>
    <div class="ds-said">${item.role === 'user' ? html`<p>${item.text}</p>` : markdown(item.text)}</div>
  `,
  note: (item, page) => html`
    <p class="ds-by small"><strong>Note by ${called(page.notes.get(item.id)?.author ?? item.by)}</strong> <span>not seen by the shopper</span> ${time(item)}</p>
    <p class="ds-said">${page.notes.get(item.id)?.text ?? ''}</p>
  `,
  news: (item) => html`<p class="ds-news small muted">${item.words} ${time(item)}</p>`,
  card: (item) => html`<fieldset class="ds-card" disabled><legend class="small muted">Card: ${item.type.replaceAll('_', ' ')}</legend>${card(item.type, item.data) ?? nothing}</fieldset>`,
  tool: (item) => html`
    <details class="ds-tool small">
      <summary><span class="ds-tool-name">${item.name}</span> ${outcome(item)}</summary>
      <pre tabindex="0">${pretty(item.given)}</pre>
      ${item.result === null ? nothing : html`<pre tabindex="0">${pretty(item.result)}</pre>`}
    </details>
  `,
};

function outcome({ result }) {
  if (result === null) return html`<span class="muted">under way</span>`;
  return /^\s*\{\s*"ok"\s*:\s*false/.test(result) ? html`<span class="bad">refused</span>` : html`<span class="muted">done</span>`;
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2).slice(0, 4000);
  } catch {
    return text.slice(0, 4000);
  }
}

// Who may write

function lock(page) {
  return page.isMine && page.one.thread_id ? '' : 'locked';
}

function banner(page) {
  const { one, busy } = page;
  if (page.isMine) return nothing;
  const words = {
    closed: 'This case is closed. What the shopper asks next is a new one.',
    resolved: one.thread_id ? 'This case is resolved: the assistant answers here.' : 'This case is resolved.',
  }[one.status] ?? (one.assignee ? `Owned by ${called(one.assignee)}.` : !one.thread_id ? 'Nobody has this case yet.' : page.story.mode === 'agent' ? 'The assistant answers here. Take over to reply.' : 'Nobody has this case yet. Take over to reply.');
  return html`
    <div class="ds-banner" role="status">
      <span>${words}</span>
      ${page.canTake ? html`<button type="button" class="main" ?disabled=${busy} @click=${page.takeOver}>${one.assignee ? `Take over from ${called(one.assignee)}` : 'Take over'}</button>` : nothing}
    </div>
  `;
}
