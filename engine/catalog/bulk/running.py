"""What every import is: items in chunks, a verdict for each, item by item or all at once, tried or kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import Any, Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from engine.catalog.bulk.reading import Item
from engine.kit.errors import DomainError, InvalidInput
from engine.kit.identity import Identity
from engine.kit.views import View
from engine.runtime import Runtime

CHUNK: Final = 500
"""Variants (or items without any) of one transaction, when a file goes in item by item."""
SHOWN: Final = 1_000
"""Rows of a report at most; the counts are of all."""
SHOWN_CHARACTERS: Final = 1_000_000


class Verdict(StrEnum):
    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class FieldDiff(View):
    field: str
    before: Any
    after: Any


class Row(View):
    line: int
    key: str
    verdict: Verdict
    changes: list[FieldDiff] = []  # noqa: RUF012 (a pydantic default is copied)
    problems: list[str] = []  # noqa: RUF012 (a pydantic default is copied)


class Report(View):
    """``rows`` holds the first of what is not unchanged; ``applied`` whether the good ones are in the shop."""

    counts: dict[Verdict, int]
    rows: list[Row]
    applied: bool
    atomic: bool


Bring = Callable[[Session, Identity, Sequence[Item]], list[Row]]
"""Brings a chunk into the shop in the session's transaction; a row for each item, in their order."""
After = Callable[[Session, "Tally"], None]
"""Told after each chunk, in its transaction."""


class Tally:
    """What became of the items so far, and which things the file has named."""

    def __init__(self, begun: Report | None = None) -> None:
        self.counts = dict.fromkeys(Verdict, 0) | (begun.counts if begun else {})
        self.rows = list(begun.rows) if begun else []
        self.seen: set[str] = set()
        self._room = SHOWN_CHARACTERS - sum(map(_size, self.rows))

    @property
    def done(self) -> int:
        return sum(self.counts.values())

    def add(self, row: Row) -> None:
        self.counts[row.verdict] += 1
        if row.verdict == Verdict.UNCHANGED or len(self.rows) >= SHOWN or self._room <= 0:
            return
        self._room -= _size(row)
        self.rows.append(row)

    def first_time(self, item: Item) -> bool:
        """Whether the file has not named the item before."""
        names = {f"{name} {item.said[name]}" for name in ("slug", "external_id", "code", "id") if item.said.get(name)}
        fresh = not names & self.seen
        self.seen |= names
        return fresh

    def report(self, *, applied: bool, atomic: bool) -> Report:
        return Report(counts=self.counts, rows=self.rows, applied=applied, atomic=atomic)


def run(
    runtime: Runtime,
    identity: Identity,
    items: Iterator[Item],
    bring: Bring,
    *,
    dry_run: bool,
    atomic: bool,
    begun: Report | None = None,
    after: After | None = None,
) -> Report:
    """Bring the shop to what the items say. Item by item: the good ones go in, a chunk at a time, the bad ones are
    told. ``atomic``: all of them or, with one bad, none. ``dry_run`` tries all of it and takes it back. ``begun`` is
    the report of those that are in already. ``after`` is told of each chunk.

    Raises ``InvalidInput`` where the file ends to be such a file.
    """
    tally = Tally(begun)
    for _ in range(tally.done):
        tally.first_time(next(items))
    chunks = _chunks(items)
    if atomic:
        applied = _transact(
            runtime, identity, _stock_at_once(chunks), bring, tally, keep=not dry_run, whole=True, after=after
        )
        return tally.report(applied=applied, atomic=True)
    for chunk in chunks:
        one = iter([chunk])
        _transact(runtime, identity, one, bring, tally, keep=not dry_run, whole=False, after=after)
    return tally.report(applied=not dry_run, atomic=False)


def _stock_at_once(chunks: Iterator[list[Item]]) -> Iterator[list[Item]]:
    """The chunks of one transaction. What is on the shelf is locked until its end: more than a chunk of it would keep
    those who buy waiting, and could meet them in another order. Raises ``InvalidInput``.
    """
    stock = False
    for number, chunk in enumerate(chunks):
        stock = stock or any(row.get("stock") for item in chunk for row in item.variants)
        if stock and number:
            raise InvalidInput(f"A file with stock goes in all at once with at most {CHUNK} variants.", param="atomic")
        yield chunk


def together_or_apart(
    session: Session, identity: Identity, items: Sequence[Item], bring: Bring, refused: Callable[[Item, Exception], Row]
) -> list[Row]:
    """A chunk at once; where the store refuses something in it, each half for itself, down to the one it refuses."""
    if not items:
        return []
    try:
        with session.begin_nested():
            rows = bring(session, identity, items)
            session.flush()
            return rows
    except (DomainError, IntegrityError) as error:
        session.expunge_all()
        if len(items) == 1:
            return [refused(items[0], error)]
    half = len(items) // 2
    return [
        *together_or_apart(session, identity, items[:half], bring, refused),
        *together_or_apart(session, identity, items[half:], bring, refused),
    ]


def _transact(
    runtime: Runtime,
    identity: Identity,
    chunks: Iterator[list[Item]],
    bring: Bring,
    tally: Tally,
    *,
    keep: bool,
    whole: bool,
    after: After | None,
) -> bool:
    """One transaction; false when it was taken back."""
    with runtime.unit_of_work(identity.tenant_id) as session:
        outer = session.begin_nested()
        for chunk in chunks:
            _go(session, identity, chunk, bring, tally)
            if after and whole:
                with runtime.unit_of_work(identity.tenant_id) as beside:
                    after(beside, tally)
        keep = keep and not (whole and tally.counts[Verdict.REFUSED])
        if keep:
            outer.commit()
        else:
            outer.rollback()
        if after and not whole:
            after(session, tally)
    return keep


def _chunks(items: Iterator[Item]) -> Iterator[list[Item]]:
    chunk: list[Item] = []
    weight = 0
    for item in items:
        chunk.append(item)
        weight += max(1, len(item.variants))
        if weight >= CHUNK:
            yield chunk
            chunk, weight = [], 0
    if chunk:
        yield chunk


def _go(session: Session, identity: Identity, items: Sequence[Item], bring: Bring, tally: Tally) -> None:
    fresh = [tally.first_time(item) for item in items]
    brought = iter(bring(session, identity, [item for item, first in zip(items, fresh, strict=True) if first]))
    for item, first in zip(items, fresh, strict=True):
        tally.add(next(brought) if first else refusal(item, "The file names this twice; its rows stand together."))
    session.expunge_all()


def refusal(item: Item, *problems: str) -> Row:
    """The row of an item that does not go in."""
    return Row(line=item.line, key=item.key, verdict=Verdict.REFUSED, problems=list(problems))


def _size(row: Row) -> int:
    return (
        100
        + sum(len(one) for one in row.problems)
        + sum(len(str(one.before)) + len(str(one.after)) for one in row.changes)
    )
