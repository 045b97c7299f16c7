"""A store's orders in canonical words: money to the cent, and nothing that nobody has paid for."""

from __future__ import annotations

from typing import Any

import pytest

from engine.sync.connectors.woocommerce.connector import WooCommerce
from engine.sync.connectors.woocommerce.reading import order_of
from engine.sync.errors import Rejected
from engine.sync.port import Unread
from tests.contracts.connectors.bench import START

ADDRESS = {"first_name": "Maya", "last_name": "L", "address_1": "2719 Quivas", "city": "Denver", "country": "US"}


def told(**more: Any) -> dict[str, Any]:
    lines = [{"id": 1, "name": "Tent", "sku": "T", "quantity": 3, "subtotal": "100.00", "total": "90.00", "price": 30}]
    return {
        "id": 71,
        "number": "1071",
        "status": "processing",
        "currency": "USD",
        "date_created_gmt": "2026-11-26T08:00:00",
        "date_modified_gmt": "2026-11-26T08:05:00",
        "date_paid_gmt": "2026-11-26T08:01:00",
        "total": "104.95",
        "total_tax": "7.00",
        "customer_id": 0,
        "payment_method": "stripe",
        "transaction_id": "ch_1",
        "billing": ADDRESS | {"email": "maya@example.com"},
        "shipping": ADDRESS,
        "line_items": lines,
        "shipping_lines": [{"method_id": "flat_rate", "method_title": "Standard", "total": "7.95"}],
    } | more


def test_lines_come_to_what_was_charged_for_them() -> None:
    (line,) = order_of(told(), "store").lines
    assert (line.unit_price, line.quantity, line.discount) == (3334, 3, 1002)
    assert line.unit_price * line.quantity - line.discount == 9000


def test_an_order_is_told_in_canonical_words() -> None:
    order = order_of(told(), "store")
    assert (order.source_ref, order.total, order.tax, order.canceled_at) == ("#1071", 10495, 700, None)
    assert (order.placed_at.isoformat(), order.buyer.source_id) == ("2026-11-26T08:00:00+00:00", None)
    assert [(one.id, one.gateway, one.amount) for one in order.payments] == [("ch_1", "stripe", 10495)]
    assert [(one.code, one.price) for one in order.shipping] == [("flat_rate", 795)]


def test_a_fee_is_a_line_that_is_not_shipped() -> None:
    order = order_of(told(fee_lines=[{"id": 9, "name": "Rush", "total": "-5.00"}]), "store")
    assert [(one.title, one.unit_price, one.requires_shipping) for one in order.lines[1:]] == [("Rush", -500, False)]


def test_a_currency_without_cents_has_none() -> None:
    assert (
        order_of(told(currency="JPY", total="105", total_tax="7", line_items=[], shipping_lines=[]), "s").total == 105
    )
    with pytest.raises(Rejected, match="has a fraction"):
        order_of(told(currency="JPY"), "store")


@pytest.mark.parametrize("status", ["cancelled", "refunded", "failed", "trash"])
def test_what_is_over_is_canceled(status: str) -> None:
    assert order_of(told(status=status), "store").canceled_at is not None


def test_what_nobody_paid_is_nothing_yet() -> None:
    import orjson

    store = WooCommerce.__new__(WooCommerce)
    store.account = "store"
    for status, is_one in (("pending", False), ("on-hold", False), ("processing", True), ("completed", True)):
        read = store.read("order.updated", orjson.dumps(told(status=status)))
        assert [one.source_ref for one in read] == (["#1071"] if is_one else [])


@pytest.mark.parametrize("field", ["id", "total", "currency", "line_items", "date_created_gmt"])
def test_an_order_that_lacks_a_field_is_refused_by_its_name(field: str) -> None:
    with pytest.raises(Rejected) as refused:
        order_of({name: value for name, value in told().items() if name != field}, "store")
    assert [one.path for one in refused.value.fields] == [field]


def test_a_float_is_no_money() -> None:
    with pytest.raises(Rejected):
        order_of(told(total=104.95), "store")


@pytest.mark.parametrize("currency", ["XXX", "ABC"])
def test_a_currency_that_nobody_knows_is_not_taken_to_have_cents(currency: str) -> None:
    with pytest.raises(Rejected, match=f"{currency} is no currency") as refused:
        order_of(told(currency=currency), "store")
    assert [one.path for one in refused.value.fields] == ["currency"]


def test_an_order_that_cannot_be_read_holds_up_no_other() -> None:
    class Client:
        def request(self, *_: Any, params: dict[str, Any]) -> Any:
            page = [told(id=1, currency="ABC"), told(id=2)] if params["page"] == 1 else []
            return type("Reply", (), {"data": page})

    store, unread = WooCommerce.__new__(WooCommerce), list[Unread]()
    store.account, store._client = "store", Client()
    assert [one.source_id for one in store.orders_since(START, unread=unread.append)] == ["2"]
    assert [(one.source_id, one.changed_at) for one in unread] == [("1", "2026-11-26T08:05:00")]
    with pytest.raises(Rejected, match="ABC is no currency"):
        list(store.orders_since(START))
