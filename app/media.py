"""Product pictures, drawn by us: one flat drawing per motif on a soft ground, colored by the product's id."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib import resources
from typing import Final


@dataclass(frozen=True, slots=True)
class Palette:
    """Colors by tone; ``ground`` and ``hill`` lie behind, ``i`` is also the outline."""

    ground: str
    hill: str
    m: str
    d: str
    l: str  # noqa: E741 (the tones are one letter in the drawings)
    a: str
    w: str = "#fffdf8"
    i: str = "#2b3440"


PALETTES: Final = (
    Palette("#e6efe9", "#d3e2d8", "#5f9a7c", "#3f7059", "#b9d8c5", "#f2b66a"),
    Palette("#e6eef6", "#d2e0ee", "#5b8fc0", "#3b678f", "#bcd6ea", "#f4a56f"),
    Palette("#f6ece2", "#ecdcca", "#d08a5b", "#9a5f3b", "#f0cfae", "#5b93a8"),
    Palette("#f1eaf4", "#e2d6e9", "#9078b6", "#66518a", "#d4c6e6", "#f0bf62"),
    Palette("#f8e9e8", "#efd7d4", "#cf7470", "#974e4d", "#f1c3bd", "#6aa39a"),
    Palette("#e5f1f1", "#cfe4e4", "#4f9da1", "#337276", "#b3dcdc", "#ee9f7d"),
    Palette("#f5f1df", "#e9e2c4", "#c2a13f", "#8a712a", "#ecdc9f", "#5d85b5"),
    Palette("#ebedf1", "#dadee5", "#76849a", "#505c70", "#c8d0dc", "#e8936c"),
)
_HILLS: Final = (
    '<path d="M0 176C70 138 120 206 190 170S280 148 320 172V240H0Z" fill="{hill}"/>',
    '<circle cx="160" cy="116" r="98" fill="{hill}"/>',
    '<path d="M0 188H320V240H0Z" fill="{hill}"/><circle cx="248" cy="62" r="30" fill="{hill}"/>',
    '<rect x="52" y="26" width="216" height="172" rx="86" fill="{hill}"/>',
)


def product_svg(motif: str, seed: str, label: str) -> str:
    """The picture as an SVG document, 320 by 240, without scripts or references to anything outside.

    The same ``seed`` (the product's id) always gives the same colors; ``label`` is its accessible name. An
    unknown motif is drawn as a plain box.
    """
    digest = hashlib.sha256(seed.encode()).digest()
    palette = PALETTES[digest[0] % len(PALETTES)]
    hill = _HILLS[digest[1] % len(_HILLS)].format(hill=palette.hill)
    drawings = motifs()
    shapes = "".join(_shape(spec, palette) for spec in drawings.get(motif, drawings["box"]))
    name = escape(label)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 240" role="img" '
        f'aria-label="{name}"><title>{name}</title>'
        f'<rect width="320" height="240" fill="{palette.ground}"/>{hill}'
        f'<ellipse cx="160" cy="197" rx="84" ry="8" fill="{palette.i}" opacity=".13"/>'
        f'<g transform="translate(76 46) scale(1.4)" stroke="{palette.i}" stroke-width="2.2" '
        f'stroke-linejoin="round" stroke-linecap="round">{shapes}</g></svg>'
    )


@cache
def motifs() -> dict[str, tuple[str, ...]]:
    """Name → shapes of every drawing in ``motifs.txt``, which says how they are written."""
    lines = (resources.files("app") / "motifs.txt").read_text(encoding="utf-8").splitlines()
    found: dict[str, tuple[str, ...]] = {}
    name = ""
    for line in lines:
        if line.startswith("["):
            name = line.strip("[]")
            found[name] = ()
        elif line and not line.startswith("#"):
            found[name] += (line,)
    return found


def _shape(spec: str, palette: Palette) -> str:
    tone, kind, numbers = spec.split(" ", 2)
    fill = "none" if tone == "n" else getattr(palette, tone)
    if kind == "P":
        return f'<path d="{numbers}" fill="{fill}"/>'
    names = {
        "C": ("circle", "cx cy r"),
        "E": ("ellipse", "cx cy rx ry"),
        "R": ("rect", "x y width height rx"),
    }
    element, attributes = names[kind]
    pairs = zip(attributes.split(), numbers.split(), strict=True)
    return f"<{element} " + " ".join(f'{key}="{value}"' for key, value in pairs) + f' fill="{fill}"/>'
