from __future__ import annotations

import pytest

from engine.catalog import indexing, service, vectors
from engine.catalog.embedder import CallableEmbedder, MiniLM
from engine.catalog.errors import IndexUnavailable
from engine.catalog.vectors import ChromaIndex, NoIndex
from engine.kit import outbox
from tests.engine.catalog.conftest import PRODUCTS, Catalog, FewMeanings


def pending(catalog: Catalog) -> int:
    with catalog.uow() as session:
        return outbox.waiting(session, catalog.tenant_id, "search")


def test_the_import_is_indexed_through_the_outbox(catalog: Catalog, index: ChromaIndex, embedder: FewMeanings) -> None:
    assert indexing.index_pending(catalog.store, catalog.tenant_id, index, embedder) == len(PRODUCTS)
    assert len(index.fingerprints(catalog.tenant_id)) == len(embedder.embedded) == len(PRODUCTS)
    assert pending(catalog) == 0
    assert indexing.index_pending(catalog.store, catalog.tenant_id, index, embedder) == 0


def test_a_price_is_not_embedded_again_and_a_text_is(
    catalog: Catalog, index: ChromaIndex, embedder: FewMeanings
) -> None:
    indexing.index_pending(catalog.store, catalog.tenant_id, index, embedder)
    embedder.embedded.clear()
    with catalog.uow() as session:
        service.set_price(session, catalog.staff, variant_id=catalog.variant("GAS-STOVE-0"), amount=1)
    assert indexing.index_pending(catalog.store, catalog.tenant_id, index, embedder) == 1
    assert embedder.embedded == []
    with catalog.uow() as session:
        changes = {"description": "A knife that cuts."}
        service.update_product(session, catalog.staff, product_id=catalog.product("headlamp"), changes=changes)
    assert indexing.index_pending(catalog.store, catalog.tenant_id, index, embedder) == 1
    assert [text.endswith("A knife that cuts.") for text in embedder.embedded] == [True]
    nearest = index.nearest(catalog.tenant_id, embedder.embed(["knife"])[0], limit=2)
    assert set(catalog.slugs([hit.product_id for hit in nearest])) == {"camp-knife", "headlamp"}


def test_what_is_no_longer_sold_leaves_the_index(catalog: Catalog, index: ChromaIndex, embedder: FewMeanings) -> None:
    indexing.ensure(catalog.store, catalog.tenant_id, index, embedder)
    product_id = catalog.product("camp-knife")
    with catalog.uow() as session:
        service.update_product(session, catalog.staff, product_id=product_id, changes={"status": "archived"})
    indexing.index_pending(catalog.store, catalog.tenant_id, index, embedder)
    assert product_id not in index.fingerprints(catalog.tenant_id)


class Down(NoIndex):
    def fingerprints(self, tenant_id, product_ids=None):  # noqa: ARG002 (the port's shape)
        raise IndexUnavailable("down")


def test_events_wait_while_the_index_is_down(catalog: Catalog, embedder: FewMeanings) -> None:
    with pytest.raises(IndexUnavailable):
        indexing.index_pending(catalog.store, catalog.tenant_id, Down(), embedder)
    assert pending(catalog) == len(PRODUCTS)


def test_ensure_mends_what_differs_and_nothing_else(
    catalog: Catalog, index: ChromaIndex, embedder: FewMeanings
) -> None:
    seen: list[tuple[int, int]] = []
    count = len(PRODUCTS)
    note = lambda done, of: seen.append((done, of))  # noqa: E731 (a local shorthand)
    assert indexing.ensure(catalog.store, catalog.tenant_id, index, embedder, progress=note) == count
    assert seen[-1] == (count, count)
    assert indexing.ensure(catalog.store, catalog.tenant_id, index, embedder) == 0
    index.remove(catalog.tenant_id, [catalog.product("gas-stove")])
    index.put(catalog.tenant_id, [vectors.Entry("prd_stray", embedder.embed(["tent"])[0], "x")])
    assert indexing.ensure(catalog.store, catalog.tenant_id, index, embedder) == 1
    assert len(index.fingerprints(catalog.tenant_id)) == count
    assert indexing.rebuild(catalog.store, catalog.tenant_id, index, embedder) == count


def test_vectors_of_another_model_are_thrown_away(catalog, index, embedder, tmp_path) -> None:
    indexing.ensure(catalog.store, catalog.tenant_id, index, embedder)
    other = CallableEmbedder("two-floats", lambda texts: [[3.0, 4.0] for _ in texts])
    reopened = vectors.open_folder(tmp_path / "chroma", embedder=other.name)
    assert indexing.ensure(catalog.store, catalog.tenant_id, reopened, other) == len(PRODUCTS)
    assert reopened.nearest(catalog.tenant_id, [0.6, 0.8], limit=1)[0].similarity == pytest.approx(1.0, abs=1e-5)


def test_shops_do_not_share_vectors(catalog: Catalog, index: ChromaIndex, embedder: FewMeanings) -> None:
    indexing.ensure(catalog.store, catalog.tenant_id, index, embedder)
    assert index.nearest("tnt_another", embedder.embed(["tent"])[0], limit=5) == []
    index.clear("tnt_another")
    assert len(index.fingerprints(catalog.tenant_id)) == len(PRODUCTS)


def test_a_server_that_is_not_there_says_so() -> None:
    with pytest.raises(IndexUnavailable, match=r"127\.0\.0\.1:9"):
        vectors.open_server("http://127.0.0.1:9", embedder="x")


def test_another_model_comes_in_as_a_function() -> None:
    asked: list[list[str]] = []

    def call(texts: list[str]) -> list[list[float]]:
        asked.append(texts)
        return [[3.0, 4.0] for _ in texts]

    embedder = CallableEmbedder("m", call, batch=2)
    assert embedder.embed(["a", "b", "c"]) == [[0.6, 0.8]] * 3
    assert asked == [["a", "b"], ["c"]]
    with pytest.raises(ValueError, match="gave 1 vectors for 2 texts"):
        CallableEmbedder("m", lambda _: [[1.0]]).embed(["a", "b"])


def test_the_shipped_model_knows_what_is_alike() -> None:
    model = MiniLM()
    texts = ["a warm coat for winter", "an insulated jacket for cold weather", "a frying pan " * 200]
    coat, jacket, pan = model.embed(texts)
    dot = lambda one, other: sum(a * b for a, b in zip(one, other, strict=True))  # noqa: E731 (a local shorthand)
    assert len(coat) == 384
    assert dot(coat, coat) == pytest.approx(1.0, abs=1e-4)
    assert dot(coat, jacket) > 0.6
    assert dot(coat, pan) < 0.3
    assert (model.knows("coat"), model.knows("jaket")) == (True, False)
