"""The picture of lanes in units of its box. The template draws it as SVG, and says the same in a table below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.operations.pipeline.lanes import Lane, Mark, Picture, Span

ROW: Final = 48
HEAD: Final = 40
"""Above the lanes: which run the columns are of."""
_WIDTHS: Final = ((10, 112), (24, 72), (10_000, 30))
"""Up to so many columns: how wide each is."""
_GAP: Final = 3
_TALL: Final = 32
_ROOM: Final = 40
_SIGN: Final = 26
_TIMES: Final = 50
_LETTER: Final = 7.4
_SIGNS: Final = {"done": "✓", "failed": "✕", "waiting": "↻", "running": "…"}


@dataclass(frozen=True, slots=True)
class Box:
    """A mark where it stands, with the words that fit it."""

    mark: Mark
    x: int
    y: int
    width: int
    height: int
    words: str
    sign: str
    times: str
    """How often it was tried, where it was more than once."""
    first: bool
    """Whether the keyboard comes in here."""


@dataclass(frozen=True, slots=True)
class Band:
    """A run's columns."""

    span: Span
    x: int
    width: int
    words: str


@dataclass(frozen=True, slots=True)
class Thread:
    """From a step down, or up, to a request of it."""

    x: int
    top: int
    bottom: int


@dataclass(frozen=True, slots=True)
class Plot:
    picture: Picture
    boxes: list[Box]
    bands: list[Band]
    threads: list[Thread]
    width: int
    height: int
    row: int = ROW
    head: int = HEAD

    @property
    def lanes(self) -> list[Lane]:
        return self.picture.lanes


def plot(picture: Picture) -> Plot:
    """Where everything stands."""
    unit = next(width for most, width in _WIDTHS if picture.columns <= most or most == _WIDTHS[-1][0])
    focus = picture.failed or next(iter(picture.marks), None)
    boxes = [_box(mark, unit, first=mark is focus) for mark in picture.marks]
    bands = [
        Band(span, span.column * unit, span.columns * unit, _fitting(span.title, span.columns * unit))
        for span in picture.spans
    ]
    engine = {mark.step: mark for mark in picture.marks if mark.call_id is None}
    threads = [
        _thread(engine[mark.step].lane, mark, unit)
        for mark in picture.marks
        if mark.call_id is not None and mark.step in engine
    ]
    return Plot(picture, boxes, bands, threads, max(1, picture.columns) * unit, HEAD + len(picture.lanes) * ROW)


def _box(mark: Mark, unit: int, *, first: bool) -> Box:
    width = mark.columns * unit - 2 * _GAP
    times = f"{mark.attempts}x" if mark.attempts > 1 and width > _ROOM else ""
    return Box(
        mark=mark,
        x=mark.column * unit + _GAP,
        y=HEAD + mark.lane * ROW + (ROW - _TALL) // 2,
        width=width,
        height=_TALL,
        words=_fitting(mark.label, width - (_TIMES if times else _SIGN)),
        sign=_SIGNS[mark.state],
        times=times,
        first=first,
    )


def _thread(step_lane: int, mark: Mark, unit: int) -> Thread:
    upper, lower = sorted((step_lane, mark.lane))
    edge = (ROW - _TALL) // 2
    return Thread(
        x=mark.column * unit + unit // 2, top=HEAD + (upper + 1) * ROW - edge, bottom=HEAD + lower * ROW + edge
    )


def _fitting(words: str, width: int) -> str:
    """The words, or as much of them as there is room for; nothing where that says nothing."""
    most = int(width / _LETTER)
    if len(words) <= most:
        return words
    return f"{words[: most - 1]}…" if most > 3 else ""
