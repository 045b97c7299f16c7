"""A restored shop's search index is made anew by the process that serves it, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from app.boot import fill_index
from engine.backup.taking import take_backup
from engine.catalog.vectors import Entry, Hit
from engine.kit import holds
from tests.engine.backup.conftest import MakePlace, Place
from tests.engine.catalog.conftest import FewMeanings
from tests.shop import Shop


class Kept:
    """An index in memory that says how often it was thrown away."""

    open = True

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, Entry]] = {}
        self.cleared: list[str] = []

    def nearest(self, tenant_id: str, vector: Sequence[float], *, limit: int) -> list[Hit]:  # noqa: ARG002
        return []

    def fingerprints(self, tenant_id: str, product_ids: Sequence[str] | None = None) -> Mapping[str, str]:
        kept = self.entries.get(tenant_id, {})
        return {key: entry.fingerprint for key, entry in kept.items() if product_ids is None or key in product_ids}

    def put(self, tenant_id: str, entries: Sequence[Entry]) -> None:
        self.entries.setdefault(tenant_id, {}).update({entry.product_id: entry for entry in entries})

    def remove(self, tenant_id: str, product_ids: Sequence[str]) -> None:
        for key in product_ids:
            self.entries.get(tenant_id, {}).pop(key, None)

    def clear(self, tenant_id: str) -> None:
        self.cleared.append(tenant_id)
        self.entries.pop(tenant_id, None)


def test_a_restored_shops_index_is_made_anew_once(
    source: Place, selling: Shop, make_place: MakePlace, tmp_path: Path
) -> None:
    file, index = tmp_path / "store.backup", Kept()
    take_backup(source.addresses, file)
    index.put(selling.tenant.id, [Entry("prd_gone", [0.0], "of another time")])
    target = make_place()
    target.restore(file)
    runtime = target.open()

    for _ in range(2):
        fill_index(runtime, index, FewMeanings(), lambda _: None)

    assert index.cleared == [selling.tenant.id]
    assert len(index.entries[selling.tenant.id]) == 1
    with runtime.unit_of_work(selling.tenant.id) as session:
        assert not holds.index_pending(session, selling.tenant.id)
        assert holds.held(session, selling.tenant.id)
