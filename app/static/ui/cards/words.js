// The small words that cards make from data: dates, statuses, addresses, weights.
import { formatOf } from '../format.js';
import { texts } from '../texts.js';

export const day = (iso) => formatOf('DateTimeFormat', { dateStyle: 'medium' }).format(new Date(iso));
export const moment = (iso) =>
  formatOf('DateTimeFormat', { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(iso));

/** Milliseconds to "9:05". */
export function clock(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

export const sentence = (word) => word.charAt(0).toUpperCase() + word.slice(1).replaceAll('_', ' ');
export const status = (value) => texts.orderStatus[value] ?? sentence(value);

/** Tenths of a star to "4.7". */
export const stars = (tenths) => (tenths / 10).toFixed(1);

/** The lines of an address as written on a parcel. */
export function address(value) {
  const place = [value.city, [value.state, value.postal_code].filter(Boolean).join(' '), value.country];
  return [value.name, value.line_one, value.line_two, place.filter(Boolean).join(', ')].filter(Boolean);
}

export const weight = (grams) => (grams >= 1000 ? `${(grams / 1000).toFixed(1)} kg` : `${grams} g`);
