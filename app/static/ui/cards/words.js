// The small words that cards make from data: dates, statuses, addresses, weights.
import { formatOf } from '../format.js';
import { say, texts } from './texts.js';

/** A moment's day where the shopper is; a date without a time is the same in every time zone. */
export const day = (iso) => formatOf('DateTimeFormat', { dateStyle: 'medium', ...(iso.length === 10 && { timeZone: 'UTC' }) }).format(new Date(iso));

/** The days between which it arrives, as "Tue, Dec 1 – Thu, Dec 3": dates without a time, the same in every time zone. */
export function days(earliest, latest) {
  const format = formatOf('DateTimeFormat', { weekday: 'short', day: 'numeric', month: 'short', timeZone: 'UTC' });
  return format.formatRange(new Date(earliest), new Date(latest));
}
export const moment = (iso) =>
  formatOf('DateTimeFormat', { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(iso));

/** Milliseconds to "9:05". */
export function clock(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

export const sentence = (word) => word.charAt(0).toUpperCase() + word.slice(1).replaceAll('_', ' ');

const UNITS = { c: '°C', g: 'g', grams: 'g', liters: 'L', inches: 'in', watts: 'W', kg: 'kg', mm: 'mm', cm: 'cm', m: 'm', ml: 'mL', kn: 'kN', wh: 'Wh', mah: 'mAh', hz: 'Hz', db: 'dB', gb: 'GB' };
const SPELLED = /\b(usb c|usb|hdmi|hdr|gps|upf|pfas|ip|pps|wifi)\b/gi;

/** A product's fact as people read it: ["comfort_temp_c", 2] is ["Comfort temp", "2 °C"]. */
export function fact(name, value) {
  const words = name.replaceAll('_', ' ');
  const label = (text) => sentence(text).replace(SPELLED, (word) => (/wifi/i.test(word) ? 'Wi-Fi' : word.toUpperCase().replace(' ', '-')));
  const last = words.split(' ').at(-1);
  if (!/^-?\d+$/.test(value) || last === words) return [label(words), value];
  const shorter = label(words.slice(0, -last.length - 1));
  if (last === 'tenths') return [shorter, String(value / 10)];
  return UNITS[last] ? [shorter, `${value} ${UNITS[last]}`] : [label(words), value];
}
export const status = (value) => texts.orderStatus[value] ?? sentence(value);

/** Tenths of a star to "4.7". */
export const stars = (tenths) => (tenths / 10).toFixed(1);

/** The lines of an address as written on a parcel. */
export function address(value) {
  const place = [value.city, [value.state, value.postal_code].filter(Boolean).join(' '), value.country];
  return [value.name, value.line_one, value.line_two, place.filter(Boolean).join(', ')].filter(Boolean);
}

export const returnTitle = ({ kind, number }) => say(kind === 'exchange' ? texts.exchangeOf : texts.returnOf, { number });

/** Months as people say them: 24 is "2 years". */
export const term = (months) =>
  months % 12 ? say(texts.months, { count: months }) : say(texts.years, { count: months / 12 });

export const weight = (grams) => (grams >= 1000 ? `${(grams / 1000).toFixed(1)} kg` : `${grams} g`);
