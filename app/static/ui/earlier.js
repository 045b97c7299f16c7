// What was said before, in a conversation too long to be shown whole: more of it when the shopper comes near.
const SHOWN_MORE = 100;
let watched = null;
let near = null;
let showing = null;

/** Looks after the button above the oldest entry: near the screen it presses itself. */
export function watch(chat) {
  const more = chat.querySelector('.ic-earlier');
  if (more === watched) return;
  watched = more;
  near ??= new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && !chat.follower.following && earlier(chat), { rootMargin: '600px 0px' });
  near.disconnect();
  if (more) near.observe(more);
}

/** Shows more of it: what is on the screen stays where it is. Once at a time: where it is would not be known meanwhile. */
export const earlier = (chat) => (showing ??= show(chat).finally(() => (showing = null)));

async function show(chat) {
  const kept = [...chat.querySelectorAll('.ic-entry')].find((one) => one.getBoundingClientRect().bottom > 0);
  const before = kept?.getBoundingClientRect().top;
  chat.first = Math.max(0, chat.first - SHOWN_MORE);
  await chat.updateComplete;
  await new Promise(requestAnimationFrame);
  if (kept) scrollBy({ top: kept.getBoundingClientRect().top - before, behavior: 'instant' });
}
