import { html } from '../vendor/lit-3.3.3.min.js';

const icon = (path) =>
  html`<svg class="ic-icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true"><path d=${path} /></svg>`;

export const icons = {
  bag: icon('M6 8h12l1 12H5L6 8zm3 0V6.5a3 3 0 0 1 6 0V8'),
  plus: icon('M12 5v14M5 12h14'),
  person: icon('M4 20c1-4 4-5.5 8-5.5s7 1.5 8 5.5M12 11.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8z'),
  account: icon('M5 4h14v16l-3-2-2 2-2-2-2 2-2-2-3 2V4zm4 5h6m-6 4h6'),
  clip: icon('M20 11l-8.5 8.5a5 5 0 0 1-7-7L13 4a3.5 3.5 0 0 1 5 5l-8.5 8.5a1.5 1.5 0 0 1-2.5-2.5L15 8'),
  send: icon('M12 19V5m-6 6 6-6 6 6'),
  close: icon('M6 6l12 12M18 6 6 18'),
  globe: icon('M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3.5 9h17M3.5 15h17M12 3c5 5 5 13 0 18c-5-5-5-13 0-18z'),
  down: icon('M12 5v14m-6-6 6 6 6-6'),
  done: icon('M5 12.5l4.5 4.5L19 7.5'),
};
