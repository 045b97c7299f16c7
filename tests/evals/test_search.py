"""The graded queries are sound, the measure can fail, and the fusion pays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.catalog import vectors
from engine.catalog.embedder import MiniLM, Vector
from engine.catalog.remembered import Remembered
from engine.catalog.shop_file import read_catalog
from engine.db import Store
from engine.demo.vectors import FILE
from evals.search.measure import Query, Suite, figures, ndcg, read_suites, recall, score
from evals.search.run import SHOPS, contest, open_shop, table

SUITES = read_suites()


class Recording(MiniLM):
    """The shipped model, and what it was asked to embed many at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.made: dict[str, Vector] = {}

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        vectors = super().embed(texts)
        if len(texts) > 1:
            self.made.update(zip(texts, vectors, strict=True))
        return vectors


class NeverAsked(MiniLM):
    """The shipped model's name alone."""

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        raise AssertionError(f"not written down (run `python -m engine.demo.vectors`): {texts[0]}")


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.shop)
def test_queries_grade_products_that_exist(suite: Suite) -> None:
    known = {product.slug for product in read_catalog(SHOPS / suite.shop).products}
    assert {slug for query in suite.queries for slug in query.relevant} - known == set()
    assert {grade for query in suite.queries for grade in query.relevant.values()} <= {1, 2, 3}
    assert all(bool(query.relevant) is (query.kind != "nothing") for query in suite.queries)
    assert len(suite.queries) >= 30


def test_the_measures_tell_good_from_bad() -> None:
    grades = {"a": 3, "b": 2, "c": 1}
    assert ndcg(["a", "b", "c"], grades) == 1.0
    assert ndcg(["c", "b", "a"], grades) == pytest.approx(0.6806, abs=1e-4)
    assert ndcg(["x", "y"], grades) == 0.0
    assert recall(["a", "x"], grades) == 0.5
    suite = Suite(
        shop="s",
        queries=[Query(kind="plain", query="q", relevant=grades), Query(kind="nothing", query="z", relevant={})],
    )
    blind = figures(score(suite, lambda _: ["x", "y"]))
    assert (blind.ndcg, blind.recall, blind.stray) == (0.0, 0.0, 2.0)


@pytest.mark.timeout(300)
def test_the_fusion_pays(store: Store, tmp_path: Path) -> None:
    embedder = Recording()
    index = vectors.open_folder(tmp_path / "chroma", embedder=embedder.name)
    scores: dict[str, list] = {}
    for suite in SUITES:
        tenant_id = open_shop(store, suite.shop, index, embedder)
        for way, found in contest(store, tenant_id, suite, index, embedder).items():
            scores.setdefault(way, []).extend(found)
    results = {way: figures(found) for way, found in scores.items()}
    shown = table(results)
    assert results["fused"].ndcg >= 0.87, shown
    assert results["fused"].recall >= 0.91, shown
    assert results["fused"].ndcg >= results["lexical"].ndcg + 0.04, shown
    assert results["fused"].ndcg >= results["vector"].ndcg + 0.02, shown
    assert results["fused"].stray <= 2.0, shown
    _what_is_written_down_is_what_the_model_says(embedder.made)


def _what_is_written_down_is_what_the_model_says(made: dict[str, Vector]) -> None:
    """Of each product of the demo shops, as the index asked for it just now. The int8 model's numbers differ a little
    by processor and by the company a text is embedded in.
    """
    assert len(made) > 300
    written = Remembered(NeverAsked(), FILE).embed(list(made))
    alike = [
        sum(a * b for a, b in zip(one, other, strict=True)) for one, other in zip(made.values(), written, strict=True)
    ]
    assert min(alike) > 0.98
