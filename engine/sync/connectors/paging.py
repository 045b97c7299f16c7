"""Reading lists: by page numbers, which move while they are read; and whatever in them cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, TypeVar

from engine.sync.errors import Rejected
from engine.sync.port import Unread, Unreadable

T = TypeVar("T")


def numbered(read: Callable[[int], Sequence[T]], key: Callable[[T], str], *, size: int) -> Iterator[T]:
    """Every row once, page by page (from 1) until one is empty or brings nothing new.

    A row that moved to a later page made the ones behind it move up, past what was read: where a row came twice, or a
    page was short and not the last, everything is read once more, until that brings nothing.
    """
    seen: set[str] = set()
    again = True
    while again:
        again = brought = short = False
        here: set[str] = set()
        for number in count(1):
            page = read(number)
            new = [row for row in page if key(row) not in here]
            if not new:
                break
            again = again or short or len(new) < len(page)
            short = len(page) < size
            here.update(key(row) for row in new)
            fresh = [row for row in new if key(row) not in seen]
            brought = brought or bool(fresh)
            seen.update(key(row) for row in fresh)
            yield from fresh
        again = again and brought


def chunks(rows: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """The rows in their order, at most so many at a time."""
    for start in range(0, len(rows), most):
        yield rows[start : start + most]


def each(
    rows: Iterable[Any], read: Callable[[Any], T], unread: Unreadable | None, *, name: str = "id", changed: str
) -> Iterator[T]:
    """The rows, read. One that cannot be is given to ``unread`` under its ``name``, with what it says of its change;
    without a taker, or a name, it is refused. Raises ``Rejected``.
    """
    for row in rows:
        try:
            found = read(row)
        except Rejected as error:
            called = row.get(name) if isinstance(row, Mapping) else None
            if unread is None or not isinstance(called, str | int) or not str(called):
                raise
            unread(Unread(str(called), str(row.get(changed) or ""), error))
        else:
            yield found
