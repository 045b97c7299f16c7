"""nDCG and recall over graded queries, and how often a question without an answer is left unanswered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log2
from pathlib import Path
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict

CUT: Final = 10
GOOD: Final = 2
"""From this grade on a product counts for recall."""
Find = Callable[[str], Sequence[str]]
"""A query to product slugs, best first."""


class Query(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    query: str
    relevant: dict[str, int]


class Suite(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    shop: str
    queries: list[Query]


@dataclass(frozen=True, slots=True)
class Score:
    """Of one query: how well it is answered, 0 to 1."""

    query: Query
    ndcg: float
    recall: float
    found: int
    """How many products came back; of a query of kind ``nothing`` each is one too many."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over the answerable queries, and over those of each kind."""

    ndcg: float
    recall: float
    by_kind: Mapping[str, float]
    """nDCG of each kind."""
    stray: float
    """Products shown per question that has no answer."""


def read_suites(folder: Path = Path(__file__).parent) -> list[Suite]:
    return [Suite.model_validate(yaml.safe_load(file.read_text())) for file in sorted(folder.glob("*.yaml"))]


def ndcg(found: Sequence[str], grades: Mapping[str, int]) -> float:
    """Normalized discounted cumulative gain at 10, gain 2^grade - 1 (Järvelin and Kekäläinen 2002)."""
    ideal = _dcg(sorted(grades.values(), reverse=True)[:CUT])
    return _dcg([grades.get(slug, 0) for slug in found[:CUT]]) / ideal if ideal else 0.0


def _dcg(grades: Sequence[int]) -> float:
    return sum(((1 << grade) - 1) / log2(rank + 1) for rank, grade in enumerate(grades, start=1))


def recall(found: Sequence[str], grades: Mapping[str, int]) -> float:
    """The share of good products (grade 2 and 3) among the first 10; 1 when all that fit are there."""
    good = {slug for slug, grade in grades.items() if grade >= GOOD}
    return len(good & set(found[:CUT])) / min(CUT, len(good)) if good else 0.0


def score(suite: Suite, find: Find) -> list[Score]:
    scores = []
    for query in suite.queries:
        found = find(query.query)
        scores.append(Score(query, ndcg(found, query.relevant), recall(found, query.relevant), len(found[:CUT])))
    return scores


def figures(scores: Sequence[Score]) -> Figures:
    answerable = [one for one in scores if one.query.relevant]
    without = [one.found for one in scores if not one.query.relevant]
    kinds = dict.fromkeys(one.query.kind for one in answerable)
    return Figures(
        ndcg=_mean([one.ndcg for one in answerable]),
        recall=_mean([one.recall for one in answerable]),
        by_kind={kind: _mean([one.ndcg for one in answerable if one.query.kind == kind]) for kind in kinds},
        stray=_mean(without),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
