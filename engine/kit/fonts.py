"""One typeface for whatever we print: names are written in more alphabets than a PDF's built-in fonts know.

DejaVu Sans (``typefaces``, with its licence) covers Latin, Greek, Cyrillic, Arabic, Hebrew, Armenian, Georgian letters;
a PDF keeps only the glyphs it uses. Chinese, Japanese and Korean are set in the fonts that PDF viewers bring along.
"""

from __future__ import annotations

from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, Final

REGULAR: Final = "DejaVuSans"
BOLD: Final = "DejaVuSans-Bold"
_FOLDER: Final = Path(__file__).with_name("typefaces")
_BY_VIEWER: Final = (
    ("HeiseiKakuGo-W5", range(0x3040, 0x3100)),  # kana
    ("HYGothic-Medium", range(0xAC00, 0xD7B0)),  # hangul
    ("STSong-Light", range(0x2E80, 0xA000)),
    ("STSong-Light", range(0xF900, 0xFB00)),
    ("STSong-Light", range(0xFF00, 0xFFF0)),
)


@cache
def register() -> str:
    """Make the typeface known to reportlab, once; returns its name (``BOLD`` names the bold cut)."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfbase.ttfonts import TTFont

    for name in (REGULAR, BOLD):
        pdfmetrics.registerFont(TTFont(name, str(_FOLDER / f"{name}.ttf")))
    for name in {name for name, _ in _BY_VIEWER}:
        pdfmetrics.registerFont(UnicodeCIDFont(name))
    pdfmetrics.registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR, boldItalic=BOLD)
    return REGULAR


def runs(text: str, *, font: str = REGULAR) -> list[tuple[str, str]]:
    """``text`` in pieces that one font can set: ``[(font, piece)]``."""
    known = _glyphs(font)

    def choose(letter: str) -> str:
        code = ord(letter)
        if code in known:
            return font
        return next((name for name, letters in _BY_VIEWER if code in letters), font)

    return [(name, "".join(letters)) for name, letters in groupby(text, key=choose)]


def markup(text: str, *, font: str = REGULAR) -> str:
    """``text`` escaped for a reportlab paragraph set in ``font``, with a font tag wherever another must help."""
    from xml.sax.saxutils import escape

    pieces = runs(text, font=font)
    return "".join(
        escape(piece) if name == font else f'<font name="{name}">{escape(piece)}</font>' for name, piece in pieces
    )


def width(text: str, size: float, *, font: str = REGULAR) -> float:
    """How wide ``text`` prints, in points."""
    from reportlab.pdfbase.pdfmetrics import stringWidth

    return sum(float(stringWidth(piece, name, size)) for name, piece in runs(text, font=font))


def draw(canvas: Any, x: float, y: float, text: str, size: float, *, font: str = REGULAR) -> None:
    """Set one line at a place of a reportlab canvas, each piece in the font that has its letters."""
    for name, piece in runs(text, font=font):
        canvas.setFont(name, size)
        canvas.drawString(x, y, piece)
        x += width(piece, size, font=font)


@cache
def _glyphs(font: str) -> frozenset[int]:
    from reportlab.pdfbase import pdfmetrics

    register()
    return frozenset(pdfmetrics.getFont(font).face.charToGlyph)
