"""Pictures of reports: where bars stand. The template draws them as SVG, and their words as text beside it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from engine.kit.money import format_minor
from engine.reports.schemas import Column, ReportView, Unit

STEP: Final = 10
"""How wide a bar is with the gap after it."""
HEIGHT: Final = 100
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_NICE: Final = (1, 2, 5, 10)
_WHOLE_SHARE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Bar:
    """In units of the picture's box, with the words for it."""

    x: int
    y: int
    height: int
    words: str
    percent: int
    """Its length, of the longest there may be."""


@dataclass(frozen=True, slots=True)
class Plot:
    """One column of a report as bars, in a box of ``width`` by ``HEIGHT``."""

    title: str
    about: str
    width: int
    bars: list[Bar]
    base: int
    """Where zero is, from the top."""
    top: str
    bottom: str
    ends: tuple[str, str]
    by_day: bool
    height: int = HEIGHT


def plot(view: ReportView) -> Plot:
    """The picture of the column that the report says."""
    column = next(one for one in view.columns if one.key == view.plotted)
    values = [row.values[column.key] for row in view.rows]
    high, low = _scale(column, values)
    base = HEIGHT * high // (high - low)
    bars = [
        _bar(number, value, f"{row.title}: {told(value, column, view.currency)}", base, high - low)
        for number, (row, value) in enumerate(zip(view.rows, values, strict=True))
        if value is not None
    ]
    return Plot(
        title=f"{view.title}: {column.title.lower()}",
        about=_about(view, column),
        width=max(1, len(values)) * STEP,
        bars=bars,
        base=base,
        top=told(high, column, view.currency),
        bottom=told(low, column, view.currency),
        ends=(view.rows[0].title, view.rows[-1].title) if view.rows else ("", ""),
        by_day=by_day(view),
    )


def by_day(view: ReportView) -> bool:
    """Whether a row is a day; else it is a thing."""
    return all(row.key == row.title for row in view.rows)


def told(value: int | None, column: Column, currency: str | None) -> str:
    """A value in words: ``$12.00``, ``1,204``, ``12 min``, ``43.1 %``."""
    if value is None:
        return "-"
    if column.unit == Unit.MONEY:
        return format_minor(value, currency or "")
    if column.unit == Unit.SECONDS:
        return _lasting(value)
    if column.unit == Unit.SHARE:
        return f"{value // 10_000}.{value % 10_000 // 1_000} %"
    return f"{value:,}"


def _lasting(seconds: int) -> str:
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min"
    if seconds < _DAY:
        return f"{seconds // _HOUR} h {seconds % _HOUR // _MINUTE:02d} min"
    return f"{seconds // _DAY} d {seconds % _DAY // _HOUR} h"


def _about(view: ReportView, column: Column) -> str:
    whole = told(view.totals[column.key], column, view.currency)
    known = [(row.values[column.key], row.title) for row in view.rows if row.values[column.key] is not None]
    if not known:
        return "Nothing in this period."
    most = max(known, key=lambda one: one[0] or 0)
    return f"In all {whole}; the most is {told(most[0], column, view.currency)}, {most[1]}."


def _scale(column: Column, values: list[int | None]) -> tuple[int, int]:
    """The highest and the lowest value that the picture has room for: round ones."""
    if column.unit == Unit.SHARE:
        return _WHOLE_SHARE, 0
    known = [value for value in values if value is not None]
    return _round(max([1, *known])), -_round(-min(known)) if known and min(known) < 0 else 0


def _round(value: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50 …"""
    power: int = 10 ** (len(str(value)) - 1)
    steps = [number * power for number in _NICE]
    return next(step for lower, step in pairwise([0, *steps]) if lower < value <= step)


def _bar(number: int, value: int, words: str, base: int, span: int) -> Bar:
    length = abs(value) * HEIGHT // span
    length = max(length, 1) if value else 0
    return Bar(number * STEP, base if value < 0 else base - length, length, words, length)
