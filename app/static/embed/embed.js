// The chat of a shop on another page: a button, and a frame that it opens. Nothing else of the page is touched.
(() => {
  const told = "__TOLD__";
  const script = document.currentScript;
  const { position = 'end', accent = told.accent, lang } = script.dataset;
  const wanted = [lang, document.documentElement.lang, navigator.language].map((tag) => (tag ?? '').split('-')[0]);
  const language = wanted.find((tag) => told.languages.includes(tag)) ?? told.languages[0];
  const words = told.words[language];
  const address = new URL(told.frame, script.src);
  address.searchParams.set('lang', language);
  const color = /^#[0-9a-f]{6}$/i.test(accent) ? accent : told.accent;
  const side = position === 'start' ? 'inset-inline-start' : 'inset-inline-end';

  const host = document.createElement('div');
  host.dir = words.dir === 'rtl' ? 'rtl' : document.dir || 'ltr';
  const root = host.attachShadow({ mode: 'open' });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    :host { all: initial; }
    button { font: 600 16px/1.4 system-ui, sans-serif; cursor: pointer; }
    :focus-visible { outline: 3px solid #1a5fd0; outline-offset: 2px; box-shadow: 0 0 0 2px #fff; }
    .open { position: fixed; bottom: 16px; ${side}: 16px; z-index: 2147483000; min-height: 48px; padding: 8px 20px; border: 0; border-radius: 24px; background: ${color}; color: #fff; box-shadow: 0 4px 16px rgb(0 0 0 / 25%); }
    dialog { position: fixed; inset: auto; bottom: 16px; ${side}: 16px; width: min(26rem, 100vw - 32px); height: min(42rem, 100dvh - 32px); max-width: none; max-height: none; margin: 0; padding: 0; border: 0; border-radius: 18px; overflow: hidden; background: Canvas; box-shadow: 0 12px 48px rgb(0 0 0 / 35%); }
    dialog[open] { display: flex; flex-direction: column; }
    dialog::backdrop { background: rgb(0 0 0 / 30%); }
    .bar { display: flex; justify-content: flex-end; background: ${color}; }
    .close { min-width: 48px; min-height: 44px; border: 0; background: none; color: #fff; font-size: 20px; }
    .close:focus-visible { outline-color: #fff; outline-offset: -5px; box-shadow: none; }
    iframe { flex: 1; width: 100%; border: 0; }
    @media (max-width: 40rem) { dialog { inset: 0; width: 100vw; height: 100dvh; border-radius: 0; } }
  `);
  root.adoptedStyleSheets = [sheet];

  const make = (name, properties) => Object.assign(document.createElement(name), properties);
  const open = make('button', { type: 'button', className: 'open', textContent: words.open });
  const close = make('button', { type: 'button', className: 'close', textContent: '×' });
  close.setAttribute('aria-label', words.close);
  open.setAttribute('aria-haspopup', 'dialog');
  const dialog = make('dialog', {});
  dialog.setAttribute('aria-label', told.name);
  const bar = make('div', { className: 'bar' });
  bar.append(close);
  dialog.append(bar);
  root.append(open, dialog);
  let frame = null;

  // A modal dialog keeps the focus inside and closes by Escape; what is typed in the frame is told from there.
  open.addEventListener('click', () => {
    if (!frame) {
      frame = make('iframe', { title: told.name, referrerPolicy: 'origin', src: address.href });
      dialog.append(frame);
    }
    dialog.showModal();
    frame.focus();
  });
  close.addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => open.focus());
  addEventListener('message', ({ source, origin, data }) => {
    if (source === frame?.contentWindow && origin === address.origin && data === 'icommerce.close') dialog.close();
  });
  const place = () => document.body.append(host);
  if (document.body) place();
  else addEventListener('DOMContentLoaded', place);
})();
