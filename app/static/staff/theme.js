// Light, dark or as the system: chosen once, and set before anything is painted (`data-look`, see ui/base.css).
(() => {
  const KEY = 'ic-staff-theme';
  const LOOKS = ['light', 'dark'];

  const kept = () => {
    try {
      const value = localStorage.getItem(KEY);
      return LOOKS.includes(value) ? value : 'system';
    } catch {
      return 'system';
    }
  };

  const apply = (choice) => {
    const { dataset } = document.documentElement;
    if (LOOKS.includes(choice)) dataset.look = choice;
    else delete dataset.look;
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
