// Light, dark or as the system: chosen once, before anything is painted. The dark rules of our style sheets stand under
// `prefers-color-scheme: dark`; a choice switches those rules on or off, so that no colour is written down twice.
(() => {
  const KEY = 'ic-staff-theme';
  const WORDS = ['system', 'light', 'dark'];
  const DARK = /prefers-color-scheme:\s*dark/;
  const original = new WeakMap();

  const kept = () => {
    try {
      const value = localStorage.getItem(KEY);
      return WORDS.includes(value) ? value : 'system';
    } catch {
      return 'system';
    }
  };

  const apply = (choice) => {
    document.documentElement.style.colorScheme = choice === 'system' ? '' : choice;
    for (const sheet of document.styleSheets) {
      let rules;
      try {
        rules = sheet.cssRules;
      } catch {
        continue; // not ours to read
      }
      for (const rule of rules) {
        if (!rule.media) continue;
        const said = original.get(rule) ?? rule.media.mediaText;
        if (!DARK.test(said)) continue;
        original.set(rule, said);
        rule.media.mediaText = choice === 'dark' ? 'all' : choice === 'light' ? 'not all' : said;
      }
    }
  };

  globalThis.icTheme = {
    get choice() {
      return kept();
    },
    set choice(value) {
      try {
        localStorage.setItem(KEY, value);
      } catch {
        // a browser that keeps nothing: the choice lasts as long as the page
      }
      apply(value);
    },
  };
  apply(kept());
  addEventListener('storage', (event) => event.key === KEY && apply(kept()));
})();
