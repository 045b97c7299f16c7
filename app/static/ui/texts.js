// The words of the page, sent by the server in the shopper's language. No word stands in JavaScript.
import { formatOf } from './format.js';

const sent = document.getElementById('ic-texts');
export const texts = sent ? JSON.parse(sent.textContent) : {};

export const isEnglish = document.documentElement.lang.startsWith('en');
const mirrored = document.dir === 'rtl';
// In a line that runs the other way, a name or a number keeps its own direction.
const apart = (value) => (mirrored ? `\u2068${value}\u2069` : value);

/** Words with their {placeholders} filled. Words that depend on `count` are an object of plural forms. */
export function say(words, values = {}) {
  const form = words?.other ? words[formatOf('PluralRules', {}).select(values.count)] ?? words.other : words;
  return (form ?? '').replace(/\{(\w+)\}/g, (_, name) => apart(values[name] ?? ''));
}

/** What went wrong, in the shopper's language where there are words for it. */
export const told = ({ code, message }) => texts.problems?.[code] ?? message;

export const items = (count) => say(texts.items, { count });
