"""Every benchmark's operation does what it says, so that its figures mean something."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url

from app import bench_import, bench_turn
from app.bench_operations import BENCHMARKS
from app.bench_scene import Scene, lift_limits
from app.boot import House
from engine.catalog import vectors
from engine.catalog.models import Product
from engine.checks import check_tenant
from engine.db import Addresses
from engine.runtime import Runtime
from graph import checkpointer
from tests.engine.catalog.conftest import FewMeanings
from tests.shop import Shop


@pytest.fixture
def scene(addresses: Addresses, runtime: Runtime, shop: Shop) -> Scene:
    """Three items in plenty, in a shop of this test's own."""
    items = tuple(shop.add(sku, price=6000, stock={"EAST": 100, "WEST": 100}) for sku in ("A", "B", "C"))
    made = Scene(House(addresses, runtime), shop.tenant.id, items, Random(1))  # noqa: S311 (no secret)
    lift_limits(made)
    return made


@pytest.mark.parametrize("name", BENCHMARKS)
def test_an_operation_goes_through(scene: Scene, name: str) -> None:
    for _ in range(2):
        BENCHMARKS[name](scene)()
    faults = [one for one in check_tenant(scene.runtime, scene.tenant_id, "bench") if not one.ok]
    assert faults == [] or name == "money_floor"  # its rows alone are a sale's: it asks no gateway


def test_turns_are_measured_from_their_words_to_their_end(scene: Scene, addresses: Addresses) -> None:
    assert addresses.owner is not None
    checkpointer.setup(addresses.owner, make_url(addresses.runtime).username or "")
    said: list[str] = []
    rows = bench_turn.turn_rows(scene, said.append, 2, 1)
    assert [(row["name"], row["n"]) for row in rows] == [("turn_overhead", 2), ("turn_first_words", 2)]
    assert all(row["p50_ms"] > 0 for row in rows)
    assert said == ["turn_overhead: 2 turns in 1 conversations", "turn_first_words: 2 turns in 1 conversations"]


def test_a_catalogue_by_file_goes_in_once_and_is_found(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_import, "ITEM", 8)
    words = FewMeanings()
    index = vectors.open_folder(tmp_path / "chroma", embedder=words.name)
    said: list[str] = []
    rows = list(bench_import.import_rows(scene, index, words, said.append, 1))
    assert [(row["name"], row["n"]) for row in rows] == [
        ("import_read", 8), ("import_apply", 8), ("import_again", 8), ("import_index", 8),
    ]  # fmt: skip
    assert rows[0]["size"].startswith("8 variants of 2 products, 0.0 MB of JSON lines; ")
    assert len(said) == 4
    with scene.uow() as session:
        mine = (Product.tenant_id == scene.tenant_id, Product.brand == "Bench")
        assert sorted(session.scalars(select(Product.slug).where(*mine))) == ["bench-kettle-0", "bench-lantern-1"]
    assert [one for one in check_tenant(scene.runtime, scene.tenant_id, "bench") if not one.ok] == []
