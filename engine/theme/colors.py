"""Colors as people see them: how far apart two are, and the nearest one that can be read (WCAG 2.2, 1.4.3)."""

from __future__ import annotations

from typing import Final, NamedTuple

READABLE: Final = 4.5
"""The least contrast of words on their ground."""
_STEPS: Final = 40


class Color(NamedTuple):
    red: int
    green: int
    blue: int

    @classmethod
    def of(cls, text: str) -> Color:
        """From ``#rrggbb``. Raises ``ValueError``."""
        digits = text.removeprefix("#")
        if len(digits) != len("rrggbb"):
            raise ValueError(text)
        return cls(*bytes.fromhex(digits))

    def __str__(self) -> str:
        return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"

    def mixed(self, other: Color, percent: int) -> Color:
        """``percent`` of ``other`` in it."""
        parts = [round((own * (100 - percent) + its * percent) / 100) for own, its in zip(self, other, strict=True)]
        return Color(*parts)


WHITE: Final = Color(255, 255, 255)
BLACK: Final = Color(0, 0, 0)


def contrast(one: Color, other: Color) -> float:
    """From 1 (the same) to 21 (black on white)."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def readable(color: Color, ground: Color, *, towards: Color) -> Color:
    """``color`` moved ``towards`` another one until words in it can be read on ``ground``."""
    for step in range(_STEPS):
        mixed = color.mixed(towards, step * 100 // _STEPS)
        if contrast(mixed, ground) >= READABLE:
            return mixed
    return towards


def _luminance(color: Color) -> float:
    red, green, blue = (_linear(part / 255) for part in color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)
