// The desk's words: reasons, moods, times. A time is told from the reader's clock.
import { me } from './shell.js';

const MINUTE = 60_000;
const SOON_MS = 30 * MINUTE;

export const REASONS = {
  asked_for_person: 'Asked for a person',
  complaint: 'Complaint',
  payment_problem: 'Payment problem',
  cannot_help: 'Assistant could not help',
  by_hand: 'Written by hand',
  other: 'Other',
};
export const MOODS = { calm: 'Calm', unhappy: 'Unhappy', angry: 'Angry' };
export const PRIORITIES = { urgent: 'Urgent', high: 'High', normal: 'Normal', low: 'Low' };
export const STATUSES = {
  open: 'Nobody has it',
  waiting_staff: 'Our turn',
  waiting_customer: 'Shopper’s turn',
  resolved: 'Resolved',
  closed: 'Closed',
};

export const reason = (value) => REASONS[value] ?? value.replaceAll('_', ' ');

/** "3 h 20 min", "2 d 4 h", "under a minute". */
export function span(milliseconds) {
  const minutes = Math.floor(milliseconds / MINUTE);
  if (minutes < 1) return 'under a minute';
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return hours % 24 ? `${Math.floor(hours / 24)} d ${hours % 24} h` : `${hours / 24} d`;
}

/** How a case stands with its time: `{words, kind}`; kind is late, soon, fine or none. */
export function due(one, now) {
  if (!one.due_at) return { words: STATUSES[one.status], kind: 'none' };
  const left = new Date(one.due_at) - now;
  if (left <= 0) return { words: `Late by ${span(-left)}`, kind: 'late' };
  return { words: `Due in ${span(left)}`, kind: left < SOON_MS ? 'soon' : 'fine' };
}

export const waits = (one, now) => (one.waits_since ? span(Math.max(0, now - new Date(one.waits_since))) : '');

export const clock = (at) => new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });

const names = new Map();

/** Learns how colleagues are called: [{who, name}]. */
export const learn = (people) => people.forEach(({ who, name }) => names.set(who, name));

/** A colleague by name; "you" for the reader. */
export function called(who, { you = 'you' } = {}) {
  if (!who) return 'nobody';
  if (who === mine()) return you;
  return names.get(who) ?? who;
}

export const mine = () => me.person ?? me.id;
