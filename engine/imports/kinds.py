"""What can be handed in: how such a file is read, and how a chunk of it comes into the shop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from engine.carts import promotion_file
from engine.catalog.bulk import reading, running, working
from engine.catalog.bulk.reading import Item
from engine.catalog.bulk.running import After, Bring, Report
from engine.catalog.bulk.streams import MOST_ITEMS, Form, Opener
from engine.catalog.changes import staff_only
from engine.kit.errors import InvalidInput
from engine.kit.identity import Identity
from engine.runtime import Runtime

KindName = Literal["products", "promotions"]


@dataclass(frozen=True, slots=True)
class Kind:
    items_of: Callable[[Opener, Form], Iterator[Item]]
    bring: Bring


KINDS: Final[Mapping[str, Kind]] = {
    "products": Kind(reading.items_of, working.bring),
    "promotions": Kind(promotion_file.items_of, promotion_file.bring),
}


def count(kind: str, opener: Opener, form: Form) -> int:
    """How many items a file has; reads it to its end. Raises ``InvalidInput`` for one that is none."""
    counted = 0
    for counted, _ in enumerate(KINDS[kind].items_of(opener, form), 1):
        if counted > MOST_ITEMS:
            raise InvalidInput(f"A file has at most {MOST_ITEMS:,} items.", param="content")
    return counted


def run(
    runtime: Runtime,
    identity: Identity,
    opener: Opener,
    form: Form,
    *,
    kind: str = "products",
    dry_run: bool,
    atomic: bool,
    begun: Report | None = None,
    after: After | None = None,
) -> Report:
    """Bring the shop to what a file says that was counted before (``running.run``). Raises ``Forbidden``,
    ``InvalidInput``.
    """
    staff_only(identity)
    items = KINDS[kind].items_of(opener, form)
    return running.run(
        runtime, identity, items, KINDS[kind].bring, dry_run=dry_run, atomic=atomic, begun=begun, after=after
    )
