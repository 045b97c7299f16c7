// What is said of a cart that changed, aloud and in a toast.
import { price } from './format.js';
import { items, say, texts } from './texts.js';

const told = (cart) => JSON.stringify([cart?.lines.map((line) => [line.variant_id, line.quantity]), cart?.total]);

/** What was added and what is in it now; nothing of an empty cart or of one that shows the same. */
export function changeOf(former, cart) {
  if (!cart.lines.length || told(former) === told(cart)) return '';
  const had = new Map((former?.lines ?? []).map((line) => [line.variant_id, line.quantity]));
  const more = ({ variant_id: id, quantity }) => quantity - (had.get(id) ?? 0);
  const count = cart.lines.reduce((sum, line) => sum + line.quantity, 0);
  const now = say(texts.cartNow, { items: items(count), total: price(cart.total) });
  const grown = cart.lines.filter((line) => more(line) > 0);
  return [...grown.map((line) => say(texts.added, { quantity: more(line), title: line.title })), now].join('. ');
}
