"""Orders are found by the beginnings of words of a name, by an index, wherever the name was written."""

from __future__ import annotations

from importlib import import_module

import pytest
from sqlalchemy import text

from engine.orders.filters import OrderFilter
from engine.panel import rows
from tests.engine.orders.desk import buy
from tests.shop import Shop

migration = import_module("migrations.versions.0050_order_words")
BUYER = """UPDATE app.orders SET buyer = '{"name": "Zoë D''Arc-Núñez"}', ship_to = ship_to || '{"name": "IVO LOW"}'
WHERE id = :order"""


def found(shop: Shop, q: str) -> list[str]:
    with shop.uow() as session:
        page = rows.orders(session, shop.tenant.id, wanted=OrderFilter(q=q), limit=10, cursor=None)
    return [one.id for one in page.items]


@pytest.fixture
def order(shop: Shop) -> str:
    """One whose names were changed since it was bought."""
    shop.add("TENT")
    bought = buy(shop, "TENT").order_id
    buy(shop, "TENT")
    assert len(found(shop, "ada")) == 2
    with shop.uow() as session:
        session.execute(text(BUYER), {"order": bought})
    return bought


@pytest.mark.parametrize("q", ["zoe", "Zoë", "d'arc", "nunez", "ÁRC", "núñez zo", "ivo low", "l"])
def test_by_beginnings_of_words_of_buyer_and_address(shop: Shop, order: str, q: str) -> None:
    assert found(shop, q) == [order]


@pytest.mark.parametrize("q", ["oe", "zoe ada", "%", "'", "_", "-", "zoe zz"])
def test_and_by_nothing_else(shop: Shop, order: str, q: str) -> None:
    assert found(shop, q) == []
    assert len(found(shop, "ada")) == 1


def test_by_a_range_of_an_index_behind_row_level_security(shop: Shop, order: str) -> None:
    query = """EXPLAIN SELECT order_id FROM app.order_words
        WHERE tenant_id = :tenant AND word >= 'ada' AND word < 'adb' ORDER BY word"""
    with shop.uow() as session:
        for other in ("seqscan", "bitmapscan", "sort"):  # of few rows any plan is as good
            session.execute(text(f"SET LOCAL enable_{other} = off"))
        plan = "\n".join(session.execute(text(query), {"tenant": shop.tenant.id}).scalars())
    assert "pk_order_words" in plan
    assert ">= 'ada'" in plan.split("Index Cond")[1].split("\n")[0]


def test_orders_of_before_get_their_words(shop: Shop, order: str) -> None:
    with shop.uow() as session:
        session.execute(text("DELETE FROM app.order_words"))
    assert found(shop, "zoe") == []
    with shop.uow() as session:
        session.connection().exec_driver_sql(migration.BACKFILL)
    assert found(shop, "zoe") == [order]
    assert len(found(shop, "ada")) == 1
