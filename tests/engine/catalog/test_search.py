from __future__ import annotations

from dataclasses import replace

import pytest

from engine.catalog import indexing, service
from engine.catalog.errors import IndexUnavailable
from engine.catalog.filters import barred_restrictions
from engine.catalog.ranking import Candidate, Tuning, fused
from engine.catalog.search import CatalogSearch, SearchPage, SearchRequest
from engine.catalog.vectors import NoIndex
from engine.kit.errors import InvalidInput
from tests.engine.catalog.conftest import PRODUCTS, Catalog, catalog_file, fill, product_row


def ask(catalog: Catalog, search: CatalogSearch, query: str = "", **wanted) -> SearchPage:
    with catalog.uow() as session:
        return search.search(session, catalog.tenant_id, SearchRequest(query=query, **wanted))


def slugs(catalog: Catalog, page: SearchPage) -> list[str]:
    return catalog.slugs([item.id for item in page.items])


@pytest.fixture
def words() -> CatalogSearch:
    return CatalogSearch()


@pytest.fixture
def whole(catalog, index, embedder) -> CatalogSearch:
    indexing.ensure(catalog.store, catalog.tenant_id, index, embedder)
    return CatalogSearch(index, embedder)


@pytest.mark.parametrize(("query", "first"), [
    ("ridge tent", "ridge-tent"),
    ("TENTS", "ridge-tent"),
    ("a tent for the rain", "rain-shell"),
    ("pegs", "tent-pegs"),
    ("burner", "gas-stove"),
    ("head torch", "headlamp"),
    ("head lamp", "headlamp"),
    ("tentpegs", "tent-pegs"),
    ("headlmap", "headlamp"),
    ("knfie", "camp-knife"),
    ("stov", "gas-stove"),
    ("rain shell", "rain-shell"),
    ("moss green", "ridge-tent"),
    ("'; DROP TABLE products; -- knife", "camp-knife"),
    ("knife & | ! :* <->", "camp-knife"),
    ("zzzz qqqq knives", "camp-knife"),
])  # fmt: skip
def test_words_find_it_also_when_misspelled(catalog: Catalog, words: CatalogSearch, query: str, first: str) -> None:
    page = ask(catalog, words, query)
    assert slugs(catalog, page)[0] == first
    assert page.near_matches is False


@pytest.mark.parametrize("query", ["zzzz", "the of and", "!!! ???", "mortgage insurance", "'"])
def test_nonsense_finds_nothing(catalog: Catalog, whole: CatalogSearch, query: str) -> None:
    assert ask(catalog, whole, query, in_stock=True) == SearchPage(items=(), total=0)


def test_a_real_word_the_shop_does_not_use_is_not_taken_for_an_error(catalog: Catalog, whole: CatalogSearch) -> None:
    catalog = fill(catalog.store, _other(catalog), catalog_file(product_row("cloves", "Dried Cloves", "spices")))
    assert slugs(catalog, ask(catalog, CatalogSearch(), "gloves")) == ["cloves"]
    assert slugs(catalog, ask(catalog, whole, "gloves")) == []


def _other(catalog: Catalog):
    from engine.kit.ids import new_id
    from engine.kit.tenancy import Tenant

    key = new_id("tenant")
    other = Tenant(id=key, slug=key.replace("_", "-"), name="Other", currency="EUR", country="DE", demo=True)
    with catalog.store.without_tenant() as session:
        session.add(other)
    return other


def test_meaning_finds_what_words_do_not(catalog: Catalog, words: CatalogSearch, whole: CatalogSearch) -> None:
    assert ask(catalog, words, "coat").items == ()
    assert slugs(catalog, ask(catalog, whole, "something to cook with"))[0] == "gas-stove"
    assert slugs(catalog, ask(catalog, whole, "coat")) == ["rain-shell"]


def test_filters_hold_for_one_variant(catalog: Catalog, words: CatalogSearch) -> None:
    found = lambda **wanted: slugs(catalog, ask(catalog, words, **wanted))  # noqa: E731 (a local shorthand)
    assert found(category="tent") == ["ridge-tent", "dome-tent"]
    assert found(category="tents", in_stock=True) == ["ridge-tent"]
    assert found(category="tents", max_price=19500) == ["ridge-tent"]
    assert found(category="tents", min_price=26000) == ["dome-tent"]
    assert found(options={"Colour": "blue"}) == ["ridge-tent"]
    assert found(options={"size": "medium"}, in_stock=True) == ["rain-shell"]
    page = ask(catalog, words, "tent", options={"color": "blue"}, max_price=19500)
    assert page.near_matches, "blue costs 20,000: no single variant is blue and cheaper"


def test_a_price_is_searchable_at_its_commit(catalog: Catalog, whole: CatalogSearch) -> None:
    assert slugs(catalog, ask(catalog, whole, "tent", max_price=10000, category="tents")) == ["ridge-tent", "dome-tent"]
    assert ask(catalog, whole, "tent", max_price=10000, category="tents").near_matches
    with catalog.uow() as session:
        service.set_price(session, catalog.staff, variant_id=catalog.variant("DOME-TENT-0"), amount=9900)
    page = ask(catalog, whole, "tent", max_price=10000, category="tents")
    assert (slugs(catalog, page), str(page.items[0].price), page.near_matches) == (["dome-tent"], "$99.00", False)


def test_where_it_ships_is_never_given_up(catalog: Catalog, words: CatalogSearch) -> None:
    found = lambda country: slugs(catalog, ask(catalog, words, ships_to=country, limit=50))  # noqa: E731
    everything = [row["slug"] for row in PRODUCTS]
    assert found("US") == everything
    assert found("gb") == [slug for slug in everything if slug not in {"gas-stove", "camp-knife", "headlamp"}]
    assert found("FR") == []
    assert barred_restrictions(home="US", country="US") == []


@pytest.mark.parametrize(("wanted", "expected"), [
    ({"query": "dome tent", "category": "tents", "in_stock": True, "max_price": 5000}, ["ridge-tent"]),
    ({"category": "tents", "options": {"color": "chartreuse"}}, ["ridge-tent", "dome-tent"]),
    ({"category": "stoves", "max_price": 4500}, ["gas-stove"]),
    ({"category": "lanterns and knives"}, ["camp-knife"]),
    ({"category": "pegs for the ground"}, ["tent-pegs"]),
])  # fmt: skip
def test_the_nearest_is_shown_when_nothing_meets_every_filter(catalog, words, wanted, expected) -> None:
    page = ask(catalog, words, **wanted)
    assert slugs(catalog, page) == expected
    assert page.near_matches is (wanted.get("category") != "lanterns and knives")


def test_results_are_sorted_as_asked(catalog: Catalog, words: CatalogSearch) -> None:
    found = lambda sort, query="": slugs(catalog, ask(catalog, words, query, sort=sort, limit=3))  # noqa: E731
    assert found("price_low") == ["tent-pegs", "camp-knife", "gas-stove"]
    assert found("price_high") == ["dome-tent", "ridge-tent", "rain-shell"]
    assert found("rating") == ["camp-knife", "ridge-tent", "gas-stove"]
    assert found("price_high", "tent") == ["dome-tent", "ridge-tent"]  # pegs are no tent


@pytest.mark.parametrize("wanted", [
    {}, {"sort": "price_low"}, {"query": "tent made to be used outside"}, {"query": "tent", "sort": "price_high"},
    {"category": "tents", "options": {"color": "plaid"}},
])  # fmt: skip
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_neither_repeat_nor_skip(catalog: Catalog, whole: CatalogSearch, wanted, limit: int) -> None:
    at_once = ask(catalog, whole, **wanted, limit=50)
    seen, cursor = [], None
    while True:
        page = ask(catalog, whole, **wanted, limit=limit, cursor=cursor)
        seen += page.items
        assert (page.total, page.near_matches) == (at_once.total, at_once.near_matches)
        if (cursor := page.next_cursor) is None:
            break
    assert seen == list(at_once.items)
    assert at_once.total == len(seen)


def test_a_cursor_belongs_to_its_question_and_its_shop(catalog: Catalog, words: CatalogSearch) -> None:
    cursor = ask(catalog, words, limit=2).next_cursor
    other = fill(catalog.store, _other(catalog), catalog_file(*PRODUCTS))
    assert ask(catalog, words, limit=3, cursor=cursor).items
    for who, wanted in ((catalog, {"query": "tent"}), (catalog, {"in_stock": True}), (other, {})):
        with pytest.raises(InvalidInput):
            ask(who, words, **wanted, limit=2, cursor=cursor)


@pytest.mark.parametrize("wanted", [
    {"cursor": "garbage"}, {"cursor": "e30"}, {"cursor": "é"}, {"sort": "random"}, {"limit": 0}, {"limit": 201},
    {"query": "x" * 501},
])  # fmt: skip
def test_a_bad_request_is_refused(catalog: Catalog, words: CatalogSearch, wanted) -> None:
    with pytest.raises(InvalidInput):
        ask(catalog, words, **wanted)


class Down(NoIndex):
    open = True

    def nearest(self, tenant_id, vector, *, limit):  # noqa: ARG002 (the port's shape)
        raise IndexUnavailable("down")


def test_search_goes_on_without_its_index(catalog: Catalog, embedder, caplog) -> None:
    page = ask(catalog, CatalogSearch(Down(), embedder), "dome tent")
    assert slugs(catalog, page)[0] == "dome-tent"
    assert "searching by words alone" in caplog.text


def test_a_changed_catalog_is_read_again(catalog: Catalog, words: CatalogSearch) -> None:
    assert ask(catalog, words, "yurt").items == ()
    with catalog.uow() as session:
        changes = {"title": "Dome Yurt", "category": "yurts"}
        service.update_product(session, catalog.staff, product_id=catalog.product("dome-tent"), changes=changes)
    words.forget(catalog.tenant_id)
    assert slugs(catalog, ask(catalog, words, "yrut")) == ["dome-tent"]
    assert slugs(catalog, ask(catalog, words, category="yurt")) == ["dome-tent"]


def one(key: str, said: float, similarity: float) -> Candidate:
    return Candidate(key, said, similarity, price=100, rating=0, position=0)


def test_two_good_opinions_beat_one() -> None:
    found = [one("words", 0.9, 0.0), one("both", 0.8, 0.5), one("meaning", 0.0, 0.6)]
    assert [c.id for c in fused(found, Tuning())] == ["both", "meaning", "words"]
    assert [c.id for c in fused(found, replace(Tuning(), meaning=0.0))] == ["words", "both"]
    assert [c.id for c in fused(found, replace(Tuning(), words=0.0))] == ["meaning", "both"]


def test_words_that_answer_little_are_hushed() -> None:
    found = [one("by-chance", 0.2, 0.0), one("meant", 0.0, 0.5), one("meant-too", 0.0, 0.4)]
    assert [c.id for c in fused(found, Tuning())] == ["meant", "meant-too", "by-chance"]
    assert fused([one("barely", 0.1, 0.0)], Tuning()) == []
