"""The graded queries are sound, the measure can fail, and the fusion pays."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.catalog import vectors
from engine.catalog.embedder import MiniLM
from engine.catalog.shop_file import read_catalog
from engine.db import Store
from evals.search.measure import Query, Suite, figures, ndcg, read_suites, recall, score
from evals.search.run import SHOPS, contest, open_shop, table

SUITES = read_suites()


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


def test_the_fusion_pays(store: Store, tmp_path: Path) -> None:
    embedder = MiniLM()
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
