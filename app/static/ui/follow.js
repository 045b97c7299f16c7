// Keeps the newest turn in sight until the shopper scrolls up; never moves its beginning out of sight.
const NEAR_PX = 48;
const AIR_PX = 16;

export class Follower {
  following = true;
  #lastTop = 0;
  #lastHeight = 0;

  /** `onChange(atEnd)` hears whether the end is in sight. `anchor()` is the newest turn's first element. */
  constructor({ anchor, onChange }) {
    this.anchor = anchor;
    this.onChange = onChange;
    addEventListener('scroll', () => this.#scrolled(), { passive: true });
  }

  /** After new content. */
  grown() {
    if (this.following) this.#move(this.#target());
    this.#report();
  }

  toEnd() {
    this.following = true;
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    scrollTo({ top: this.#end(), behavior: calm ? 'instant' : 'smooth' });
  }

  #page() {
    return document.scrollingElement;
  }

  #end() {
    return this.#page().scrollHeight - innerHeight;
  }

  #target() {
    const first = this.anchor();
    if (!first) return this.#end();
    const covered = document.querySelector('.ic-head')?.offsetHeight ?? 0;
    const top = first.getBoundingClientRect().top + scrollY - covered - AIR_PX;
    return Math.min(this.#end(), Math.max(0, top));
  }

  #move(top) {
    if (top > scrollY + 1) scrollTo({ top, behavior: 'instant' });
    this.#lastTop = scrollY;
    this.#lastHeight = this.#page().scrollHeight;
  }

  #scrolled() {
    const shrunk = this.#page().scrollHeight < this.#lastHeight;
    if (scrollY < this.#lastTop - 2 && !shrunk) this.following = false;
    if (this.#end() - scrollY < NEAR_PX) this.following = true;
    this.#lastTop = scrollY;
    this.#lastHeight = this.#page().scrollHeight;
    this.#report();
  }

  #report() {
    this.onChange(this.#end() - scrollY < NEAR_PX * 2);
  }
}
