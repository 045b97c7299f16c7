"""A completed session tells what was bought and for how much, whatever becomes of the order afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import select

from engine.orders.models import Order
from tests.app.acp.conftest import OLDER, Checkout
from tests.app.acp.test_sessions import add_code
from tests.engine.inventory.stocked import bundle
from tests.engine.orders.desk import Desk, sibling
from tests.engine.orders.test_tenders import gift_card
from tests.engine.returns.coming import deliver, inspect, receive, send_back, the_return
from tests.shop import Shop


def bought(buying: Checkout, *skus: str, units: int = 2) -> tuple[dict[str, Any], Desk]:
    session = buying.opened(*skus, units=units)
    done = buying.complete(session, buying.token(session)).json()
    assert done["status"] == "completed"
    shop = buying.shop
    with shop.uow() as db:
        order = db.scalars(select(Order).where(Order.session_id == done["id"])).one()
    return done, Desk(shop, replace(shop.shopper(), id=order.owner_id), order.id)


def stays(buying: Checkout, done: dict[str, Any]) -> None:
    """In both versions, which are held to their schema and their arithmetic."""
    older = buying.agent.at(OLDER).get(f"/checkout_sessions/{done['id']}").json()
    now = buying.get(done)
    assert now["line_items"] == done["line_items"] == older["line_items"]
    assert now["totals"] == done["totals"] == older["totals"]


def test_items_that_were_swapped(buying: Checkout, shop: Shop) -> None:
    shop.add("A", price=5000)
    sibling(shop, "A", "A2", price=6000)
    done, desk = bought(buying, "A")
    account, variants = gift_card(desk, 3000), shop.variants
    swaps = [{"variant_id": variants["A"], "to_variant_id": variants["A2"], "quantity": 2}]
    desk.do("items", swaps=swaps, payment_method_ref=account)
    stays(buying, done)


def test_goods_that_came_back_for_others(buying: Checkout, shop: Shop) -> None:
    shop.add("A", price=5000)
    sibling(shop, "A", "A2", price=3000)
    done, desk = bought(buying, "A")
    deliver(desk)
    send_back(desk, {"sku": "A", "quantity": 1, "exchange": "A2"})
    receive(desk, the_return(desk))
    inspect(desk, the_return(desk))
    stays(buying, done)


def test_a_bundle_beside_its_parts_that_is_canceled(buying: Checkout, shop: Shop) -> None:
    shop.add("X", price=3000)
    shop.add("Y", price=1000)
    bundle(shop, "SET", {"X": 1, "Y": 2}, price=4001)
    done, desk = bought(buying, "SET", "X", "Y")
    desk.do("cancel", reason="other")
    stays(buying, done)


def test_what_promotions_took_off(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT", price=5000)
    shop.add("MAT", price=1000)
    add_code(shop, "TEN")
    session = buying.opened("TENT", "MAT", discounts={"codes": ["ten", "nope"]})
    done = buying.complete(session, buying.token(session)).json()

    assert done["status"] == "completed"
    assert done["discounts"]["codes"] == session["discounts"]["codes"]
    assert done["discounts"]["applied"] == session["discounts"]["applied"]
    assert [one["code"] for one in done["discounts"]["rejected"]] == ["NOPE"]
    assert buying.get(done)["discounts"] == done["discounts"]
