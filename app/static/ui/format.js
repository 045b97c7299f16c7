// Money in the shop's own way, and the locale that dates follow too.
let locale = 'en-US';
const formats = new Map();

export function setLocale(tag) {
  locale = tag || locale;
  formats.clear();
}

/** An Intl format of the shop's locale, made once: formatOf("DateTimeFormat", {dateStyle: "medium"}). */
export function formatOf(kind, options) {
  const key = kind + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl[kind](locale, options));
  return formats.get(key);
}

/** Minor units to text: money(24900, "USD") is "$249.00", money(5000, "JPY") is "¥5,000". A sum always reads one way. */
export function money(amount, currency) {
  const format = formatOf('NumberFormat', { style: 'currency', currency });
  const text = format.format(amount / 10 ** format.resolvedOptions().maximumFractionDigits);
  return document.dir === 'rtl' ? `\u2066${text.replaceAll('\u200f', '')}\u2069` : text;
}

export const price = (value) => money(value.amount, value.currency);
export const options = (chosen) => Object.values(chosen ?? {}).join(' · ');
