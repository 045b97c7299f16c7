// A conversation as staff see it: one story in the order of the log, with who said what and what happened to the case.
import { called } from './words.js';

/** Reads events into `items`: {id, kind: message | card | tool | note | news, at, …}. `changed` is called after each. */
export class Story {
  items = [];
  mode = 'agent';
  working = false;
  #by = new Map();
  #spoke = new Map();

  /** Takes one event. */
  take(event, seq) {
    READ[event.type]?.call(this, event, seq);
  }

  find(id) {
    return this.#by.get(id);
  }

  add(item) {
    const former = this.#by.get(item.id);
    if (former) return Object.assign(former, item, { at: former.at });
    this.#by.set(item.id, item);
    this.items.push(item);
    return item;
  }

  news(words, event, seq) {
    this.add({ id: `news-${seq}`, kind: 'news', words, at: event.timestamp });
  }

  spoke(id, by) {
    this.#spoke.set(id, by);
  }

  speaker({ messageId, role, name }) {
    if (role === 'user') return 'Shopper';
    if (this.#spoke.has(messageId)) return `${called(this.#spoke.get(messageId), { you: 'You' })} · Support`;
    return name || 'Assistant';
  }
}

const READ = {
  RUN_STARTED() {
    this.working = true;
  },
  RUN_FINISHED() {
    this.working = false;
  },
  RUN_ERROR(event, seq) {
    this.working = false;
    this.news(`The assistant’s turn failed: ${event.message}`, event, seq);
  },
  TEXT_MESSAGE_START(event) {
    const { messageId: id, role, timestamp: at } = event;
    const ours = role !== 'user' && event.name === 'Support';
    this.add({ id, kind: 'message', role: ours ? 'staff' : role, name: this.speaker(event), text: '', at });
  },
  TEXT_MESSAGE_CONTENT({ messageId, delta }) {
    const item = this.find(messageId);
    if (item) item.text += delta;
  },
  ACTIVITY_SNAPSHOT({ messageId: id, activityType: type, content: data, timestamp: at }) {
    if (type !== 'suggestions') this.add({ id, kind: 'card', type, data, at });
  },
  TOOL_CALL_START({ toolCallId: id, toolCallName: name, timestamp: at }) {
    this.add({ id: `tool-${id}`, kind: 'tool', name, given: '', result: null, at });
  },
  TOOL_CALL_ARGS({ toolCallId: id, delta }) {
    const item = this.find(`tool-${id}`);
    if (item) item.given += delta;
  },
  TOOL_CALL_RESULT({ toolCallId: id, content }) {
    const item = this.find(`tool-${id}`);
    if (item) item.result = content;
  },
  CUSTOM(event, seq) {
    CUSTOM[event.name]?.call(this, event.value, event, seq);
  },
};

const CUSTOM = {
  'conversation.mode'({ mode }, event, seq) {
    this.mode = mode;
    if (mode === 'waiting_human') this.news('The shopper waits for a person', event, seq);
  },
  'confirm.resolved'({ id, status }) {
    const item = this.find(id);
    if (item) item.data = { ...item.data, status };
  },
  'case.spoke'({ message, by }) {
    this.spoke(message, by);
  },
  'case.note'({ id, by }, event) {
    this.add({ id, kind: 'note', by, at: event.timestamp });
  },
  'case.assigned'({ to, by }, event, seq) {
    const words = to === by ? `${called(by, { you: 'You' })} took the case` : `${called(by, { you: 'You' })} gave the case to ${called(to)}`;
    this.news(words, event, seq);
  },
  'case.resolved'({ by, then }, event, seq) {
    this.news(`${called(by, { you: 'You' })} ${then === 'close' ? 'closed the case' : 'gave the conversation back to the assistant'}`, event, seq);
  },
  'case.reopened'({ by }, event, seq) {
    this.news(`${called(by, { you: 'You' })} took the case up again`, event, seq);
  },
  'case.priority'({ to, by }, event, seq) {
    this.news(`${called(by, { you: 'You' })} set the priority to ${to}`, event, seq);
  },
};
