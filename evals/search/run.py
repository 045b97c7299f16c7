"""``python -m evals.search.run``: nDCG@10 and recall@10 of search by words, by vectors and fused.

It makes both demo shops in a database and an index of its own, in a temporary folder, and leaves nothing behind.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from sqlalchemy import select

from engine.catalog import indexing, vectors
from engine.catalog.embedder import Embedder, MiniLM
from engine.catalog.importing import import_products
from engine.catalog.models import Product
from engine.catalog.ranking import Tuning
from engine.catalog.search import CatalogSearch, SearchRequest
from engine.catalog.shop_file import CatalogFile, read_catalog
from engine.catalog.vectors import VectorIndex
from engine.db import Store, open_addresses
from engine.inventory.models import Location
from engine.kit.ids import new_id
from engine.kit.tenancy import Tenant
from engine.migrate import migrate
from engine.settings import Settings
from evals.search.measure import CUT, Figures, Score, Suite, figures, read_suites, score

SHOPS: Final = Path(__file__).resolve().parents[2] / "engine" / "demo" / "data"


def ways(tuning: Tuning | None = None) -> Mapping[str, Tuning]:
    """The three contestants: the same search with one opinion left out, and whole."""
    whole = tuning or Tuning()
    return {"lexical": replace(whole, meaning=0.0), "vector": replace(whole, words=0.0), "fused": whole}


def open_shop(store: Store, shop: str, index: VectorIndex, embedder: Embedder) -> str:
    """Make a tenant of a demo shop's products, indexed; returns its id."""
    file = read_catalog(SHOPS / shop)
    tenant_id = new_id("tenant")
    with store.without_tenant() as session:
        session.add(
            Tenant(
                id=tenant_id,
                slug=tenant_id.replace("_", "-"),
                name=file.shop.name,
                currency=file.shop.currency,
                country=file.shop.country,
                demo=True,
            )
        )
    with store.unit_of_work(tenant_id) as session:
        places = _places(tenant_id, file)
        session.add_all(places)
        session.flush()
        import_products(session, tenant_id, file, {place.code: place.id for place in places})
    indexing.ensure(store, tenant_id, index, embedder)
    return tenant_id


def _places(tenant_id: str, file: CatalogFile) -> list[Location]:
    return [
        Location(tenant_id=tenant_id, id=new_id("location"), position=position, **row.model_dump())
        for position, row in enumerate(file.locations)
    ]


def contest(
    store: Store,
    tenant_id: str,
    suite: Suite,
    index: VectorIndex,
    embedder: Embedder,
    tuning: Tuning | None = None,
) -> dict[str, list[Score]]:
    """Way of searching → the score of each query."""
    with store.unit_of_work(tenant_id) as session:
        slugs = dict(session.execute(select(Product.id, Product.slug)).all())
    results = {}
    for name, chosen in ways(tuning).items():
        search = CatalogSearch(index, embedder, tuning=chosen)

        def find(query: str, search: CatalogSearch = search) -> Sequence[str]:
            with store.unit_of_work(tenant_id) as session:
                page = search.search(session, tenant_id, SearchRequest(query=query, limit=CUT))
            return [slugs[item.id] for item in page.items]

        results[name] = score(suite, find)
    return results


def table(results: Mapping[str, Figures]) -> str:
    """The figures as a Markdown table."""
    kinds = list(next(iter(results.values())).by_kind)
    head = ["", "nDCG@10", "recall@10", *kinds, "stray"]
    lines = [head, ["---"] * len(head)]
    for name, one in results.items():
        numbers = [one.ndcg, one.recall, *(one.by_kind[kind] for kind in kinds)]
        lines.append([name, *(f"{number:.3f}" for number in numbers), f"{one.stray:.1f}"])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> int:
    """Print the figures of each shop and of both, and the queries fused answers worst."""
    embedder = MiniLM()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.from_env({"ICOMMERCE_HOME": folder})
        addresses = open_addresses(replace(settings, durable=False), start=True)
        try:
            migrate(addresses)
            store = Store(addresses.runtime)
            index = vectors.open_folder(Path(folder) / "chroma", embedder=embedder.name)
            _report(store, index, embedder)
            store.close()
        finally:
            if addresses.embedded:
                addresses.embedded.stop()
    return 0


def _report(store: Store, index: VectorIndex, embedder: Embedder) -> None:
    every: dict[str, list[Score]] = {}
    for suite in read_suites():
        began = time.perf_counter()
        tenant_id = open_shop(store, suite.shop, index, embedder)
        print(f"\n{suite.shop}: {len(suite.queries)} queries, indexed in {time.perf_counter() - began:.1f} s\n")
        results = contest(store, tenant_id, suite, index, embedder)
        print(table({name: figures(scores) for name, scores in results.items()}))
        for name, scores in results.items():
            every.setdefault(name, []).extend(scores)
    print("\nboth shops\n")
    print(table({name: figures(scores) for name, scores in every.items()}))
    print("\nworst answered")
    for one in sorted((s for s in every["fused"] if s.query.relevant), key=lambda s: s.ndcg)[:10]:
        print(f"  {one.ndcg:.2f}  {one.query.kind:10} {one.query.query}")


if __name__ == "__main__":
    sys.exit(main())
