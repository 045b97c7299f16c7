// What the page knows, as a pure function: reduce(state, action) → state. No clock, no network, no DOM.

export const emptyState = Object.freeze({
  thread: null, // {id, mode}
  items: [], // {id, kind: "message"|"card", …} in order of appearance
  pending: [], // own messages not yet seen in the log: {key, text, runId, failed}
  runs: [], // ids of turns under way
  begun: [], // every turn that began: the words of each are in the log before it
  awaited: false, // true from the shopper's words in the log until their turn begins
  turnStart: null, // id of the first item of the newest turn
  tools: [], // {id, name, done} of the turn under way
  error: null, // {message} of the last turn
  cart: null,
  typing: false, // somebody of the shop's people writes
  decisions: {}, // confirmation id → {approved, error}
  lastEvent: 0,
  connection: 'live',
});

export function reduce(state, action) {
  return ACTIONS[action.type](state, action);
}

const ACTIONS = {
  snapshot: (state, { snapshot }) => fromSnapshot(state, snapshot),
  event: (state, { seq, event }) => {
    if (seq <= state.lastEvent) return state;
    return { ...(EVENTS[event.type]?.(state, event) ?? state), lastEvent: seq };
  },
  sending: (state, { key, text }) => ({
    ...state,
    error: null,
    pending: [...state.pending.filter((one) => one.key !== key), { key, text, runId: null, failed: null }],
  }),
  sent: (state, { key, runId }) => ({
    ...state,
    pending: state.begun.includes(runId)
      ? state.pending.filter((one) => one.key !== key)
      : state.pending.map((one) => (one.key === key ? { ...one, runId } : one)),
  }),
  sendFailed: (state, { key, message }) => ({
    ...state,
    pending: state.pending.map((one) => (one.key === key ? { ...one, failed: message } : one)),
  }),
  actionFailed: (state, { message }) => ({ ...state, error: { message } }),
  deciding: (state, { id, approved }) => withDecision(state, id, { approved, error: null }),
  decideFailed: (state, { id, message }) => withDecision(state, id, { ...state.decisions[id], error: message }),
  connection: (state, { value }) => ({ ...state, connection: value }),
};

const EVENTS = {
  RUN_STARTED: (state, { runId }) => ({
    ...state,
    runs: [...state.runs.filter((id) => id !== runId), runId],
    begun: [...state.begun, runId],
    awaited: false,
    pending: state.pending.filter((one) => one.runId !== runId),
    turnStart: state.items.at(-1)?.role === 'user' ? state.items.at(-1).id : null,
    tools: [],
    error: null,
  }),
  RUN_FINISHED: (state, { runId, outcome }) => {
    const ended = endRun(state, runId);
    return (outcome?.interrupts ?? []).reduce(
      (next, open) => withInterrupt(next, open.id, open.reason, open.expiresAt, open.metadata),
      ended,
    );
  },
  RUN_ERROR: (state, { runId, code, message }) => ({ ...endRun(state, runId), error: { code, message } }),
  TEXT_MESSAGE_START: (state, { messageId, role, name }) =>
    put(role === 'user' ? state : { ...state, typing: false }, { id: messageId, kind: 'message', role, name: name ?? '', text: '', streaming: true }),
  TEXT_MESSAGE_CONTENT: (state, { messageId, delta }) => {
    const next = change(state, messageId, (item) => ({ ...item, text: item.text + delta, streaming: true }));
    return find(next, messageId)?.role === 'user' ? echoed(next, delta) : next;
  },
  TEXT_MESSAGE_END: (state, { messageId }) => {
    const next = change(state, messageId, (item) => ({ ...item, streaming: false }));
    return find(next, messageId)?.role === 'user' ? { ...next, awaited: !next.runs.length } : next;
  },
  TOOL_CALL_START: (state, { toolCallId, toolCallName }) => ({
    ...state,
    tools: [...state.tools, { id: toolCallId, name: toolCallName, done: false }],
  }),
  TOOL_CALL_END: (state, { toolCallId }) => ({
    ...state,
    tools: state.tools.map((tool) => (tool.id === toolCallId ? { ...tool, done: true } : tool)),
  }),
  ACTIVITY_SNAPSHOT: (state, { messageId, activityType, content }) => putCard(state, messageId, activityType, content),
  STATE_SNAPSHOT: (state, { snapshot }) => (snapshot?.cart ? { ...state, cart: snapshot.cart } : state),
  CUSTOM: (state, { name, value }) => CUSTOM[name]?.(state, value) ?? state,
};

const CUSTOM = {
  presence: (state, { typing }) => ({ ...state, typing }),
  'conversation.mode': (state, { mode }) => ({ ...state, typing: false, thread: { ...state.thread, mode } }),
  'confirm.resolved': (state, { id, status }) =>
    change(state, id, (item) => ({ ...item, data: { ...item.data, status } })),
};

function fromSnapshot(state, snapshot) {
  if (state.thread?.id === snapshot.id && snapshot.last_event < state.lastEvent) return state;
  const same = state.thread?.id === snapshot.id;
  const fresh = {
    ...emptyState,
    connection: state.connection,
    pending: same ? state.pending.filter((one) => one.failed) : [],
    decisions: same ? state.decisions : {},
    thread: { id: snapshot.id, mode: snapshot.mode },
    items: snapshot.messages.map(fromMessage),
    cart: snapshot.cart ?? null,
    lastEvent: snapshot.last_event,
  };
  return (snapshot.interrupts ?? []).reduce(
    (next, { id, reason, expires_at: until, ...shown }) => withInterrupt(next, id, reason, until, shown),
    fresh,
  );
}

function fromMessage(message) {
  if (message.role === 'activity') {
    return { id: message.id, kind: 'card', cardType: message.activity_type, data: message.data };
  }
  const { id, role, name, content } = message;
  return { id, kind: 'message', role, name: name ?? '', text: content, streaming: false };
}

export const find = (state, id) => state.items.find((item) => item.id === id);

const change = (state, id, how) => ({
  ...state,
  items: state.items.map((item) => (item.id === id ? how(item) : item)),
});

function put(state, item) {
  if (find(state, item.id)) return change(state, item.id, () => item);
  const newTurn = state.turnStart === null || state.runs.length === 0;
  return { ...state, items: [...state.items, item], turnStart: newTurn ? item.id : state.turnStart };
}

function putCard(state, id, cardType, data) {
  const former = find(state, id)?.data;
  // A decided card never opens again, in whatever order the news arrives.
  const decided = ASKING.includes(cardType) && former && former.status !== 'open' && data.status === 'open';
  return put(state, { id, kind: 'card', cardType, data: decided ? { ...data, status: former.status } : data });
}

export const ASKING = ['confirmation', 'change', 'claim_choice', 'return_cancel', 'default_address', 'staff_act'];

function withInterrupt(state, id, reason, expiresAt, shown) {
  const cardType = reason === 'order_change' ? 'change' : reason;
  if (find(state, id) || !ASKING.includes(cardType) || !shown) return state;
  return putCard(state, id, cardType, { id, status: 'open', expires_at: expiresAt, ...shown });
}

function endRun(state, runId) {
  const runs = runId ? state.runs.filter((id) => id !== runId) : [];
  const items = state.items.map((item) => (item.streaming && !runs.length ? { ...item, streaming: false } : item));
  return { ...state, runs, items, tools: [] };
}

/** The log shows the shopper's words: the copy that stood in for them goes. Words that were masked go with RUN_STARTED. */
function echoed(state, text) {
  const index = state.pending.findIndex((one) => !one.failed && one.text === text);
  return index < 0 ? state : { ...state, pending: state.pending.toSpliced(index, 1) };
}

function withDecision(state, id, decision) {
  return { ...state, decisions: { ...state.decisions, [id]: decision } };
}

/** True while the assistant has work to show. After a reload a turn under way tells of itself by its tools. */
export const isBusy = (state) =>
  state.runs.length > 0 ||
  (state.awaited && state.thread?.mode === 'agent') ||
  state.tools.some((tool) => !tool.done) ||
  state.pending.some((one) => !one.failed);

/** How the payment of a claimed card went: "paid", "failed" or null while nobody knows. */
export function outcomeOf(state, id) {
  const after = state.items.slice(state.items.findIndex((item) => item.id === id) + 1);
  for (const item of after) {
    if (item.cardType === 'confirmation') return null;
    if (item.cardType === 'receipt') return 'paid';
    if (item.cardType === 'payment_problem') return 'failed';
  }
  return null;
}
