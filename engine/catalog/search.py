"""Finding products: by words and by meaning, fused; filtered, sorted and paged on what is true now.

PostgreSQL holds the words, prices and stock; the vector index only names candidates. Without an index, or when it
does not answer, search goes on by words alone.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from engine.catalog import repository
from engine.catalog.embedder import Embedder, Vector
from engine.catalog.errors import IndexUnavailable
from engine.catalog.filters import Filters, cheapest, conditions
from engine.catalog.lexicon import Lexicon, Lexicons
from engine.catalog.matching import named_categories
from engine.catalog.models import Product
from engine.catalog.prices import selling_in
from engine.catalog.question import Question, read_question
from engine.catalog.ranking import Tuning, candidates, fused, in_sort, worth_hearing
from engine.catalog.schemas import ProductView
from engine.catalog.vectors import Hit, NoIndex, VectorIndex
from engine.catalog.wishes import SearchRequest, check, read_filters, relaxations
from engine.compliance.policy import CompliancePolicy
from engine.compliance.service import USUAL
from engine.kit.errors import InvalidInput
from engine.kit.idempotency import fingerprint
from engine.kit.pagination import decode_cursor, encode_cursor
from engine.kit.policies import policy_of

__all__ = ["CatalogSearch", "SearchPage", "SearchRequest"]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SearchPage:
    """``total`` counts all that was found, up to 500 for a question in words.

    ``near_matches`` is true when nothing met every filter and these are the closest.
    """

    items: Sequence[ProductView]
    total: int
    next_cursor: str | None = None
    near_matches: bool = False


class CatalogSearch:
    """One per process. Safe to share between threads."""

    def __init__(
        self,
        index: VectorIndex | None = None,
        embedder: Embedder | None = None,
        *,
        tuning: Tuning | None = None,
    ) -> None:
        self._index = index or NoIndex()
        self._embedder = embedder
        self._tuning = tuning or Tuning()
        self._lexicons = Lexicons()
        self._embedded = lru_cache(maxsize=512)(self._embed)

    def search(self, session: Session, tenant_id: str, request: SearchRequest) -> SearchPage:
        """The page of products asked for, best first. Raises ``InvalidInput`` for a bad cursor, sort or limit, and
        ``CurrencyNotSold``.
        """
        check(request)
        start = _Start.of(tenant_id, request)
        lexicon = self._lexicons.of(session, tenant_id)
        for step, wanted in enumerate(relaxations(request)):
            ids, total = self._slice(session, tenant_id, wanted, lexicon, start)
            if total:
                return _page(session, tenant_id, request, start, ids, total=total, near=step > 0)
        return SearchPage(items=(), total=0)

    def forget(self, tenant_id: str) -> None:
        """The tenant's catalog has changed: read its words again."""
        self._lexicons.forget(tenant_id)

    def _slice(
        self, session: Session, tenant_id: str, request: SearchRequest, lexicon: Lexicon, start: _Start
    ) -> tuple[list[str], int]:
        """Ids of one page (and one more, if there is more), and how many there are in all."""
        rules = policy_of(session, tenant_id, CompliancePolicy) if request.ships_to else USUAL
        filters = read_filters(request, lexicon, selling_in(session, tenant_id, request.currency), rules=rules)
        if not request.query.strip():
            return _browse(session, tenant_id, filters, request, start)
        question = read_question(session, request.query, lexicon, is_word=self._is_word)
        hits = self._nearest(tenant_id, question)
        if not (question.terms or hits):
            return [], 0
        about = named_categories(question.mended, lexicon.categories)
        found = fused(candidates(session, tenant_id, filters, question, hits), self._tuning, about)
        ids = [candidate.id for candidate in in_sort(found, request.sort, about)]
        begin = start.after(ids)
        return ids[begin : begin + request.limit + 1], len(ids)

    def _is_word(self, word: str) -> bool:
        return self._embedder is not None and self._embedder.knows(word)

    def _nearest(self, tenant_id: str, question: Question) -> list[Hit]:
        if not (self._embedder and self._index.open and self._tuning.meaning and question.mended):
            return []
        try:
            vector = self._embedded(question.mended)
            hits = self._index.nearest(tenant_id, vector, limit=self._tuning.nearest)
        except IndexUnavailable:
            log.warning("the product index does not answer: searching by words alone", exc_info=True)
            return []
        return worth_hearing(hits, question, self._tuning)

    def _embed(self, text: str) -> Vector:
        assert self._embedder is not None
        return self._embedder.embed([text])[0]


@dataclass(frozen=True, slots=True)
class _Start:
    """Where a page begins: after ``last_id``, or at ``offset`` should that product have gone since."""

    asked: str
    offset: int = 0
    last_id: str = ""

    @classmethod
    def of(cls, tenant_id: str, request: SearchRequest) -> _Start:
        """Raises ``InvalidInput`` when the cursor is not ours, or is another question's or another shop's."""
        asked = fingerprint([tenant_id, asdict(replace(request, cursor=None, limit=0))])[:16]
        if not request.cursor:
            return cls(asked)
        theirs, offset, last_id = decode_cursor(request.cursor, size=3)
        if theirs != asked or not isinstance(offset, int) or offset < 1 or not isinstance(last_id, str):
            raise InvalidInput("The cursor does not belong to this search.", param="cursor")
        return cls(asked, offset, last_id)

    def after(self, ids: Sequence[str]) -> int:
        return ids.index(self.last_id) + 1 if self.last_id in ids else self.offset

    def then(self, shown: int, last_id: str) -> str:
        return encode_cursor([self.asked, self.offset + shown, last_id])


def _page(
    session: Session,
    tenant_id: str,
    request: SearchRequest,
    start: _Start,
    ids: Sequence[str],
    *,
    total: int,
    near: bool,
) -> SearchPage:
    shown = ids[: request.limit]
    more = len(ids) > len(shown)
    known = repository.load(session, tenant_id, shown, currency=request.currency)
    items = [repository.summary(known[key]) for key in shown if key in known]
    return SearchPage(items, total, start.then(len(shown), shown[-1]) if more else None, near)


def _browse(
    session: Session, tenant_id: str, filters: Filters, request: SearchRequest, start: _Start
) -> tuple[list[str], int]:
    """Without a question: everything that meets the filters, in the shop's order or the one asked for."""
    meeting = conditions(tenant_id, filters)
    total = session.scalar(select(func.count()).select_from(Product).where(*meeting)) or 0
    query = select(Product.id).where(*meeting).order_by(*_order(request.sort, filters), Product.position, Product.id)
    return list(session.scalars(query.offset(start.offset).limit(request.limit + 1))), total


def _order(sort: str, filters: Filters) -> list[ColumnElement[int]]:
    orders: dict[str, list[ColumnElement[int]]] = {
        "price_low": [cheapest(filters).asc()],
        "price_high": [cheapest(filters).desc()],
        "rating": [Product.rating.desc(), Product.rating_count.desc()],
    }
    return orders.get(sort, [])
