"""What a search asks for, read in the shop's own words, and how it is loosened when nothing meets it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from engine.catalog.filters import Filters
from engine.catalog.lexicon import Lexicon
from engine.catalog.matching import match_categories, match_option
from engine.catalog.prices import Selling
from engine.compliance.policy import CompliancePolicy
from engine.compliance.service import USUAL
from engine.kit.errors import InvalidInput

SORTS: Final = ("relevance", "price_low", "price_high", "rating")
MAX_LIMIT: Final = 200
MAX_QUERY: Final = 500


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What to look for. Prices are minor units of ``currency`` (``None``: the home currency), in which it must be sold;
    ``ships_to`` is an ISO 3166 country code.
    """

    query: str = ""
    category: str | None = None
    min_price: int | None = None
    max_price: int | None = None
    options: dict[str, str] = field(default_factory=dict)
    in_stock: bool = False
    ships_to: str | None = None
    currency: str | None = None
    sort: str = "relevance"
    limit: int = 20
    cursor: str | None = None


def check(request: SearchRequest) -> None:
    """Raises ``InvalidInput`` for a sort, limit or query that cannot be."""
    if request.sort not in SORTS:
        raise InvalidInput(f"Sort by one of {', '.join(SORTS)}.", param="sort")
    if not 1 <= request.limit <= MAX_LIMIT:
        raise InvalidInput(f"A page holds 1 to {MAX_LIMIT} products.", param="limit")
    if len(request.query) > MAX_QUERY:
        raise InvalidInput(f"A question has at most {MAX_QUERY} letters.", param="query")


def read_filters(
    request: SearchRequest, lexicon: Lexicon, selling: Selling | None = None, *, rules: CompliancePolicy = USUAL
) -> Filters:
    """The request's filters in this shop's categories and option values, by its ``rules`` of where goods may go."""
    categories = None
    if request.category and request.category.strip():
        categories = tuple(match_categories(request.category, lexicon.categories))
    return Filters(
        categories=categories,
        min_price=request.min_price,
        max_price=request.max_price,
        options=tuple(_option(name, value, lexicon) for name, value in request.options.items()),
        in_stock=request.in_stock,
        ships_to=request.ships_to,
        home=lexicon.country,
        rules=rules,
        selling=selling,
    )


def _option(name: str, value: str, lexicon: Lexicon) -> tuple[str, tuple[str, ...]]:
    matched = match_option(name, value, lexicon.options)
    return (matched[0], tuple(matched[1])) if matched else (name, ())


def relaxations(request: SearchRequest) -> Iterator[SearchRequest]:
    """The request itself, then with one wish given up at a time, then several. Where it ships is never given up."""
    yield request
    nearby = _priced(request, 5, 4)
    anywhere = replace(request, min_price=None, max_price=None)
    plain = replace(anywhere, options={})
    seen = [request]
    for loose in (
        replace(request, options={}),
        nearby,
        anywhere,
        replace(request, in_stock=False),
        _wider(request),
        plain,
        replace(plain, in_stock=False),
        _wider(plain),
        _wider(replace(plain, in_stock=False)),
    ):
        if loose not in seen:
            seen.append(loose)
            yield loose


def _priced(request: SearchRequest, more: int, than: int) -> SearchRequest:
    """A quarter above the highest and below the lowest price."""
    high = None if request.max_price is None else request.max_price * more // than
    low = None if request.min_price is None else request.min_price * than // more
    return replace(request, min_price=low, max_price=high)


def _wider(request: SearchRequest) -> SearchRequest:
    """The category's name as words of the question."""
    if not request.category:
        return request
    return replace(request, category=None, query=f"{request.query} {request.category}".strip())
