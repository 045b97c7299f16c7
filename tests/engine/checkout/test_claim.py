"""T1 takes what was agreed to as it is at that moment: whatever changes after the look makes it look again."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from sqlalchemy import text

from engine.carts import discounts
from engine.carts import service as carts
from engine.checkout import claim, paid, quotas
from engine.checkout.complete import Result, complete
from engine.db import Addresses
from engine.kit import faults
from engine.kit.direct import BIND
from engine.kit.identity import Identity
from tests.engine.checkout.test_complete import assert_clean, captured, stock
from tests.shop import Shop

Change = Callable[[Shop, Identity], None]


def sql(statement: str) -> Change:
    def change(shop: Shop, _: Identity) -> None:
        with shop.uow() as session:
            session.execute(text(statement))

    return change


def more_in_the_cart(shop: Shop, buyer: Identity) -> None:
    with shop.uow() as session:
        carts.set_quantity(session, buyer, shop.variants["A"], quantity=2)


AFTER_THE_LOOK: dict[str, Change] = {
    "price": sql("UPDATE app.variants SET price = price + 1"),
    "not sold any more": sql("UPDATE app.products SET status = 'archived'"),
    "tax": sql("UPDATE app.tax_rates SET rate_ppm = rate_ppm * 2"),
    "a new tax": sql(
        "INSERT INTO app.tax_rates SELECT tenant_id, 'tax_new', country, region, name, 1, '{}', false, '2021-01-01'"
        " FROM app.tax_rates"
    ),
    "shipping": sql("UPDATE app.shipping_zones SET rates = jsonb_set(rates, '{0,price}', '700')"),
    "sold out": sql("UPDATE app.stock_levels SET safety_stock = on_hand"),
    "another in the cart": more_in_the_cart,
    "the card put aside": sql("UPDATE app.consents SET status = 'superseded'"),
    "the checkout canceled": sql("UPDATE app.checkout_sessions SET status = 'canceled'"),
}


def before_t1(shop: Shop, buyer: Identity, change: Change) -> None:
    def hook(point: str) -> None:
        if point == "before_t1_commit":
            faults.set_hook(None)
            change(shop, buyer)

    faults.set_hook(hook)


@pytest.mark.parametrize("name", AFTER_THE_LOOK)
def test_what_changes_after_the_look_is_not_sold_as_it_was(shop: Shop, name: str) -> None:
    shop.add("A")
    buyer = shop.shopper()
    consent_id = shop.approved(buyer, "A")
    before_t1(shop, buyer, AFTER_THE_LOOK[name])
    done = complete(shop.runtime, buyer, consent_id)
    assert done.result == Result.CHANGED
    assert captured(shop) == {}
    assert stock(shop, "A")[1] == 0
    with shop.uow() as session:
        for table in ("orders", "payments", "reservations", "journal_entries"):
            assert session.execute(text(f"SELECT count(*) FROM app.{table}")).scalar() == 0  # noqa: S608 (ours)
    assert_clean(shop)


def test_what_does_not_matter_is_looked_at_again_and_sold(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 1, "WEST": 5})
    buyer = shop.shopper()
    consent_id = shop.approved(buyer, "A")
    before_t1(shop, buyer, sql("UPDATE app.variants SET cost = cost + 1"))
    assert complete(shop.runtime, buyer, consent_id).result == Result.PAID
    assert_clean(shop)


def test_units_taken_at_one_place_are_sold_from_another(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 5, "WEST": 1})
    buyer = shop.shopper()
    consent_id = shop.approved(buyer, "A")
    gone = "UPDATE app.stock_levels SET safety_stock = on_hand WHERE location_id = '{}'"
    before_t1(shop, buyer, sql(gone.format(shop.locations["WEST"])))
    assert complete(shop.runtime, buyer, consent_id).result == Result.PAID
    with shop.uow() as session:
        held = session.execute(text("SELECT location_id FROM app.reservations")).scalars().all()
    assert held == [shop.locations["EAST"]]


MANY = 3000
_COPIES = {
    "variants": "'id', r.id || n, 'sku', r.sku || n",
    "checkout_sessions": "'id', r.id || n, 'owner_id', r.owner_id || n, 'thread_id', 't' || n",
    "consents": "'id', r.id || n, 'session_id', r.session_id || n, 'thread_id', 't' || n",
    "carts": "'id', r.id || n, 'owner_id', r.owner_id || n",
    "orders": "'id', r.id || n, 'number', r.number || n, 'session_id', r.session_id || n, 'owner_id', r.owner_id || n,"
    " 'buyer', r.buyer || jsonb_build_object('email', n || '@example.com')",
    "payments": "'id', r.id || n, 'session_id', r.session_id || n, 'order_id', r.order_id || n,"
    " 'consent_id', r.consent_id || n, 'token_hash', left(md5(n::text), 64)",
}


@pytest.mark.parametrize("name", ["PREPARE", "CLAIM", "SETTLE", "discounts.STILL", "quotas.STILL"])
def test_every_row_is_found_by_its_key(shop: Shop, addresses: Addresses, name: str) -> None:
    """In a shop of some thousand sales, whose tables the database knows: what grows with it is read by its own id."""
    shop.add("A")
    buyer = shop.shopper()
    assert complete(shop.runtime, buyer, shop.approved(buyer, "A")).result == Result.PAID
    statement = {
        "PREPARE": claim.PREPARE,
        "CLAIM": claim.CLAIM,
        "SETTLE": paid.SETTLE,
        "discounts.STILL": discounts.STILL,
        "quotas.STILL": quotas.STILL,
    }[name]
    assert addresses.owner is not None
    with psycopg.connect(addresses.owner) as line:
        line.execute(BIND.text, {"tenant": shop.tenant.id})
        for table, names in _COPIES.items():
            columns = ", ".join(_stored(line, table))
            copies = f"SELECT (jsonb_populate_record(r, jsonb_build_object({names}))).* FROM app.{table} r"  # noqa: S608 (our own names)
            copied = f"SELECT {columns} FROM ({copies}, generate_series(1, {MANY}) n) AS c"  # noqa: S608 (our own names)
            line.execute(f"INSERT INTO app.{table} ({columns}) {copied}".encode())
            line.execute(f"ANALYZE app.{table}".encode())
        plan = line.execute(b"EXPLAIN (GENERIC_PLAN, FORMAT JSON) " + statement.sql).fetchone()
        line.rollback()
    assert plan is not None
    read = [(node["Relation Name"], _condition(node)) for node in scans(plan[0][0]["Plan"])]
    assert {table for table, _ in read} & set(_COPIES)
    for table, by in read:
        if table in _COPIES:
            others = by.replace("tenant_id)::text", "")
            assert "id)::text =" in others or "email_key =" in others, (table, by)
        if table == "stock_levels":
            assert "variant_id" in by


def _stored(line: psycopg.Connection[tuple[str]], table: str) -> list[str]:
    rows = line.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'app' AND table_name = %s"
        " AND is_generated = 'NEVER'",
        (table,),
    )
    return [name for (name,) in rows]


def _condition(node: dict[str, str]) -> str:
    """What an index is asked for; of a bitmap it is said again where the rows are read."""
    return node.get("Index Cond") or node.get("Recheck Cond", "")


def scans(node: dict[str, object]) -> list[dict[str, str]]:
    """The nodes of a plan that read a table."""
    found = [node] if "Scan" in str(node["Node Type"]) and "Relation Name" in node else []
    children = node.get("Plans", [])
    assert isinstance(children, list)
    return [*found, *(one for child in children for one in scans(child))]  # type: ignore[list-item]
