"""Two opinions on what fits a question, by words and by meaning, and how they become one order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Float, cast, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, REAL
from sqlalchemy.orm import Session

from engine.catalog.filters import Filters, cheapest, has_variant, product_conditions
from engine.catalog.models import Product
from engine.catalog.question import Question, Term
from engine.catalog.vectors import Hit

MAX_CANDIDATES: Final = 500
_WEIGHTS: Final = [0.05, 0.1, 0.35, 1.0]
"""Of the classes D, C, B, A … as ``ts_rank`` wants them; C is description, A the title and its like."""
_BEST_OF_ONE: Final = 0.76
"""``ts_rank`` of a word that occurs twice in class A: about the best a single word gets."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """Found on the graded queries in ``evals/search``; see ``docs/search.md``."""

    k: int = 60
    words: float = 1.0
    """Weight of the ranking by words; 0 leaves it out."""
    meaning: float = 1.0
    """Weight of the ranking by vectors; 0 leaves it out."""
    nearest: int = 100
    """Vectors asked for; filters are applied to them in PostgreSQL."""
    least_similar: float = 0.25
    """A cosine below this is no hit."""
    least_similar_alone: float = 0.32
    """The same for a question of which the shop knows no word: gibberish is near to something, too."""
    similar_span: float = 0.25
    """Nor is one this far below the best."""
    least_said: float = 0.15
    """A product that answers less than this share of the question's words is no hit by words."""
    said_span: float = 0.4
    """Nor is one that answers less than this share of what the best one does."""
    said_fully: float = 0.7
    """The ranking by words has its whole weight when its best product answers this share of the question …"""
    named: float = 0.5
    """Weight of "this is the kind of thing that was asked for"."""
    hushed: float = 0.3
    """… and never less than this part of it: on a paraphrase, words mostly meet by chance."""


class Candidate(NamedTuple):
    """A product that meets the filters, with what both sides say of it."""

    id: str
    said: float
    """Share of the question's weight that its words answer."""
    similarity: float
    price: int
    rating: int
    position: int
    category: str = ""


def candidates(
    session: Session, tenant_id: str, filters: Filters, question: Question, hits: Sequence[Hit]
) -> list[Candidate]:
    """Products that meet the filters and are found by words or are among ``hits``, the best 500 by words."""
    said = _said(question.terms)
    similar = {hit.product_id: hit.similarity for hit in hits}
    ranked = (
        select(Product.tenant_id, Product.id, Product.category, Product.rating, Product.position, said.label("said"))
        .where(*product_conditions(tenant_id, filters), or_(*_found(question.terms, list(similar))))
        .order_by(said.desc(), Product.position, Product.id)
        .offset(0)  # a fence: rank first, then look at variants only until enough products meet the filters
        .subquery()
        .c
    )
    rows = session.execute(
        select(
            ranked.id,
            ranked.said,
            cheapest(filters, ranked.tenant_id, ranked.id),
            ranked.rating,
            ranked.position,
            ranked.category,
        )
        .where(has_variant(filters, ranked.tenant_id, ranked.id))
        .order_by(ranked.said.desc(), ranked.position, ranked.id)
        .limit(MAX_CANDIDATES)
    )
    whole = question.weight * _BEST_OF_ONE or 1.0
    return [
        Candidate(key, round(score / whole, 6), similar.get(key, 0.0), price, rating, position, category)
        for key, score, price, rating, position, category in rows
    ]


def _found(terms: Sequence[Term], ids: list[str]) -> list[ColumnElement[bool]]:
    ways: list[ColumnElement[bool]] = [Product.id.in_(ids)] if ids else []
    if terms:
        anything = " | ".join(term.tsquery for term in terms)
        ways.append(Product.search.op("@@")(func.to_tsquery("simple", anything)))
    return ways


def _said(terms: Sequence[Term]) -> ColumnElement[float]:
    """Each word's rank times its rarity, added up: a rare word in the title beats many common ones."""
    total: ColumnElement[float] = literal(0.0, Float)
    weights = cast(_WEIGHTS, ARRAY(REAL))
    for term in terms:
        rank = func.ts_rank(weights, Product.search, func.to_tsquery("simple", term.tsquery))
        total = total + literal(term.weight, Float) * rank
    return total


def fused(found: Sequence[Candidate], tuning: Tuning, about: frozenset[str] = frozenset()) -> list[Candidate]:
    """One order of both opinions by reciprocal rank: Σ weight / (k + rank). Weak opinions have no voice.

    Products of the categories that the question is ``about`` are lifted, as if a third opinion named them first.
    """
    said = max((candidate.said for candidate in found), default=0.0)
    loudness = tuning.words * max(tuning.hushed, min(1.0, said / tuning.said_fully))
    opinions = ((loudness, by_words(found, tuning)), (tuning.meaning, by_meaning(found)))
    scores: dict[str, float] = {}
    for weight, ranked in opinions:
        for rank, candidate in enumerate(ranked if weight else (), start=1):
            scores[candidate.id] = scores.get(candidate.id, 0.0) + weight / (tuning.k + rank)
    known: Mapping[str, Candidate] = {candidate.id: candidate for candidate in found}
    lifted = _lifted(found, about)
    for key in scores.keys() & lifted:
        scores[key] += tuning.named / (tuning.k + 1)
    order = sorted(scores, key=lambda key: (-round(scores[key], 9), known[key].position, key))
    return [known[key] for key in order]


def _lifted(found: Sequence[Candidate], about: frozenset[str]) -> set[str]:
    """The products of the kind asked for, unless another kind answers the words better: a life jacket is a vest."""
    inside = {candidate.id: candidate.said for candidate in found if candidate.category in about}
    outside = max((candidate.said for candidate in found if candidate.category not in about), default=0.0)
    return set(inside) if max(inside.values(), default=0.0) >= outside else set()


def by_words(found: Sequence[Candidate], tuning: Tuning) -> list[Candidate]:
    said = max((candidate.said for candidate in found), default=0.0)
    floor = max(tuning.least_said, said * tuning.said_span)
    heard = [candidate for candidate in found if candidate.said >= floor]
    return sorted(heard, key=lambda candidate: (-candidate.said, candidate.position, candidate.id))


def by_meaning(found: Sequence[Candidate]) -> list[Candidate]:
    heard = [candidate for candidate in found if candidate.similarity > 0]
    return sorted(heard, key=lambda candidate: (-candidate.similarity, candidate.position, candidate.id))


def worth_hearing(hits: Sequence[Hit], question: Question, tuning: Tuning) -> list[Hit]:
    """Hits that are near enough, by themselves and beside the nearest: a vector search always finds something."""
    nearest = max((hit.similarity for hit in hits), default=0.0)
    least = tuning.least_similar if question.known else tuning.least_similar_alone
    floor = max(least, nearest - tuning.similar_span)
    return [hit for hit in hits if hit.similarity >= floor]


def clearly_meant(found: Sequence[Candidate], about: frozenset[str]) -> list[Candidate]:
    """Without the stragglers: what is left may be sorted by price and still be an answer.

    The cheapest tent is a tent: where the kind asked for is known, only that kind is left.
    """
    if kind := _lifted(found, about):
        return [candidate for candidate in found if candidate.id in kind]
    said = max((candidate.said for candidate in found), default=0.0)
    similar = max((candidate.similarity for candidate in found), default=0.0)
    return [
        candidate
        for candidate in found
        if (said and candidate.said >= said * 0.6) or (similar and candidate.similarity >= similar - 0.1)
    ]


def in_sort(found: Sequence[Candidate], sort: str, about: frozenset[str] = frozenset()) -> list[Candidate]:
    """``found`` (best first) in the order asked for."""
    if sort == "price_low":
        return sorted(clearly_meant(found, about), key=lambda one: (one.price, one.position, one.id))
    if sort == "price_high":
        return sorted(clearly_meant(found, about), key=lambda one: (-one.price, one.position, one.id))
    if sort == "rating":
        return sorted(clearly_meant(found, about), key=lambda one: (-one.rating, one.position, one.id))
    return list(found)
