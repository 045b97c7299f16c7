// The shop's accent colour, made readable on both themes.
const LIGHT_SURFACE = [255, 255, 255];
const DARK_SURFACE = [31, 34, 38];
const READABLE = 4.6; // WCAG AA asks 4.5

/** Sets the accent and its readable companions as custom properties (through CSSOM: a strict CSP allows it). */
export function applyAccent(color) {
  const accent = parse(color);
  if (!accent) return;
  const set = (name, rgb) => document.documentElement.style.setProperty(name, `rgb(${rgb.map(Math.round).join(' ')})`);
  const onWhite = mixUntilReadable(accent, [0, 0, 0], LIGHT_SURFACE);
  set('--ic-accent', onWhite);
  set('--ic-accent-ink-light', mixUntilReadable(onWhite, [0, 0, 0], [238, 236, 230]));
  set('--ic-accent-ink-dark', mixUntilReadable(accent, [255, 255, 255], DARK_SURFACE));
}

function parse(color) {
  const match = /^#?([\da-f]{2})([\da-f]{2})([\da-f]{2})$/i.exec((color ?? '').trim());
  return match && match.slice(1).map((pair) => parseInt(pair, 16));
}

function mixUntilReadable(color, towards, surface) {
  for (let share = 0; share < 1; share += 0.05) {
    const mixed = color.map((value, index) => value + (towards[index] - value) * share);
    if (contrast(mixed, surface) >= READABLE) return mixed;
  }
  return towards;
}

function contrast(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(rgb) {
  const [r, g, b] = rgb.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
