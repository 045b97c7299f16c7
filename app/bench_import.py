"""A catalogue by file, as a merchant hands it in: told, applied, handed in again, and searched for.

Each operation adds ``ITEM`` variants to the file, so that the usual 200 make one of 20,000.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

import psutil
from sqlalchemy import select

from app.bench_scene import Scene
from app.bench_timing import Say, cpu_seconds, figures
from engine.catalog.embedder import Embedder
from engine.catalog.indexing import index_pending
from engine.catalog.search import SearchRequest
from engine.catalog.vectors import VectorIndex
from engine.imports import service, work
from engine.imports.models import ImportStatus
from engine.imports.service import ImportView
from engine.inventory.models import Location
from engine.kit.identity import Actor, Identity, Scope

IMPORT: Final = "import_catalog"
ITEM: Final = 100
_OF_PRODUCT: Final = 4
_COLORS: Final = ("red", "blue", "green", "sand")
_KINDS: Final = ("kettle", "lantern", "jacket", "stove", "pack", "hammock", "bottle", "bivvy")
_STEP_SECONDS: Final = 0.02
_MB: Final = 1024 * 1024


def import_rows(scene: Scene, index: VectorIndex, embedder: Embedder, say: Say, n: int) -> Iterator[dict[str, Any]]:
    """Figures of reading, applying, applying again, and indexing; one operation is one variant."""
    staff = Identity(scene.tenant_id, Actor.API_KEY, "key_bench", scopes=frozenset({Scope.STAFF}))
    variants = n * ITEM
    with tempfile.TemporaryFile() as file:
        _write(scene, file, variants // _OF_PRODUCT)
        size = file.tell()
        what = f"{variants:,} variants of {variants // _OF_PRODUCT:,} products, {size / _MB:.1f} MB of JSON lines"
        for name, apply, expected in (("read", False, "added"), ("apply", True, "added"), ("again", True, "unchanged")):
            say(f"{IMPORT}: {name} {what}")
            made = _received(scene, staff, file)
            if apply:
                work.work(scene.runtime, scene.tenant_id)
                _begin(scene, staff, made)
            yield _row(scene, f"import_{name}", variants, what, lambda: work.work(scene.runtime, scene.tenant_id))
            _expect(scene, made, expected, variants // _OF_PRODUCT)
    say(f"{IMPORT}: indexing")
    yield _row(scene, "import_index", variants, what, lambda: _index(scene, index, embedder))


def _row(scene: Scene, name: str, variants: int, what: str, run: Callable[[], Any]) -> dict[str, Any]:
    with _peak() as peak:
        cpu, start = cpu_seconds(scene.house.addresses), time.perf_counter()
        run()
        wall, cpu = time.perf_counter() - start, cpu_seconds(scene.house.addresses) - cpu
    each = [wall / variants] * variants
    size = f"{what}; {wall:.1f} s, {peak[0] / _MB:.0f} MB of memory more at its peak"
    return figures(each, wall, cpu, clients=1) | {"name": name, "size": size}


def _write(scene: Scene, file: IO[bytes], products: int) -> None:
    with scene.uow() as session:
        mine = select(Location.code).where(Location.tenant_id == scene.tenant_id)
        places = session.scalars(mine.order_by(Location.code).limit(2)).all()
    for number in range(products):
        file.write(json.dumps(_product(number, places)).encode() + b"\n")


def _product(number: int, places: Any) -> dict[str, Any]:
    kind = _KINDS[number % len(_KINDS)]
    words = " ".join(f"{_KINDS[(number // step) % len(_KINDS)]} of series {number // step}" for step in (1, 7, 53))
    return {
        "slug": f"bench-{kind}-{number}",
        "external_id": f"B{number}",
        "title": f"Bench {kind.title()} {number}",
        "brand": "Bench",
        "category": "bench goods",
        "description": f"A {kind} for people who measure. It goes with the {words}. " * 3,
        "status": "active",
        "facts": {"materials": ["steel", "cork"], "attributes": {"capacity": number % 9}, "units": {"capacity": "l"}},
        "options": {"color": list(_COLORS)},
        "variants": [_variant(number, color, places) for color in _COLORS],
    }


def _variant(number: int, color: str, places: Any) -> dict[str, Any]:
    price = 1000 + number
    return {
        "sku": f"BENCH-{number}-{color.upper()}",
        "options": {"color": color},
        "price": price,
        "cost": 400,
        "weight_g": 500,
        "prices": {"EUR": price - 100},
        "stock": dict.fromkeys(places, number % 7 + 1),
    }


def _received(scene: Scene, staff: Identity, file: IO[bytes]) -> ImportView:
    file.seek(0)
    with scene.uow() as session:
        return service.receive(session, staff, file, "jsonl")


def _begin(scene: Scene, staff: Identity, made: ImportView) -> None:
    with scene.uow() as session:
        service.apply(session, staff, made.id)


def _expect(scene: Scene, made: ImportView, verdict: str, products: int) -> None:
    with scene.uow() as session:
        found = service.look(session, scene.tenant_id, made.id)
    told = found.report if found.status == ImportStatus.REPORTED else found.outcome
    if told is None or {name.value: count for name, count in told.counts.items()}[verdict] != products:
        raise RuntimeError(f"the benchmark's import ended as {found.status}: {told and told.rows[:1]}")


def _index(scene: Scene, index: VectorIndex, embedder: Embedder) -> None:
    while index_pending(scene.runtime.store, scene.tenant_id, index, embedder):
        pass
    scene.runtime.search.forget(scene.tenant_id)
    with scene.uow() as session:
        page = scene.runtime.search.search(session, scene.tenant_id, SearchRequest(query="Bench Lantern 1", limit=5))
    if not any(item.title.startswith("Bench") for item in page.items):
        raise RuntimeError("the benchmark's products are not found")


@contextmanager
def _peak() -> Iterator[list[int]]:
    """How many bytes of memory this process had more than at the start, at its peak."""
    process, over = psutil.Process(), threading.Event()
    first, most = process.memory_info().rss, [0]

    def watch() -> None:
        while not over.wait(_STEP_SECONDS):
            most[0] = max(most[0], process.memory_info().rss - first)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield most
    finally:
        over.set()
        watcher.join()
