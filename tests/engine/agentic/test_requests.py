"""What is kept of agents' requests: nothing secret and nothing of a person, whatever its shape."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.agent_log import AgentLog
from engine.agentic import requests
from engine.agentic.request_models import AgentRequest
from engine.agentic.requests import MASK, Entry, masked, outcome
from engine.kit import clock
from tests.shop import Shop

SECRET = "4242424242424242"
CREATE = {
    "line_items": [{"id": "var_1", "quantity": 2, "name": SECRET}],
    "currency": "usd",
    "buyer": {"email": "ada@example.com", "first_name": "Ada", "phone_number": "+15550100"},
    "fulfillment_details": {"name": "Ada", "address": {"line_one": "12 Pine St", "city": "Portland", "country": "US"}},
    "metadata": {"id": SECRET, "note": "for Ada"},
    "order_notes": "call Ada",
}
PAYMENT = {
    "payment_method": {"type": "card", "number": SECRET, "cvc": "123", "exp_month": "12"},
    "allowance": {"max_amount": 5000, "currency": "usd", "merchant_id": "shop", "reason": "one_time"},
    "metadata": {"amount": 4242},
}


def test_ids_amounts_and_codes_stay() -> None:
    kept = masked(CREATE)
    assert kept["line_items"] == [{"id": "var_1", "quantity": 2}]
    assert kept["fulfillment_details"] == {"address": {"country": "US"}}
    assert kept["buyer"] == {}
    assert set(kept) == {"line_items", "currency", "buyer", "fulfillment_details"}
    assert masked(PAYMENT) == {
        "allowance": {"max_amount": 5000, "currency": "usd", "merchant_id": "shop", "reason": "one_time"}
    }


_PLACES = st.sampled_from(
    ["buyer", "metadata", "payment_method", "number", "x", "address", "instrument", "token", "name"]
)


@given(st.recursive(st.just(SECRET) | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(_PLACES, inner)))
def test_no_text_under_another_name_is_kept(body: Any) -> None:
    kept = json.dumps(masked(body))
    assert SECRET not in kept
    assert not any(name in kept for name in ("payment_method", "token", "number"))


def test_a_long_word_is_no_code() -> None:
    assert masked({"id": "x" * 81, "code": "ok"}) == {"id": MASK, "code": "ok"}


def test_an_answer_is_told_in_short() -> None:
    body = {
        "id": "cs_1",
        "status": "completed",
        "buyer": {"email": "ada@example.com"},
        "totals": [{"type": "tax", "amount": 3}, {"type": "total", "amount": 53}],
        "messages": [{"type": "info"}, {"type": "error", "code": "missing"}],
        "order": {"id": "ord_1"},
    }
    told = {"id": "cs_1", "status": "completed", "total": 53, "messages": ["missing"], "order_id": "ord_1"}
    assert outcome(body) == told


def _entry(shop: Shop, number: int, **more: Any) -> Entry:
    given = {
        "tenant_id": shop.tenant.id,
        "at": clock.now(),
        "caller_id": "agp_1",
        "key_id": "key_1",
        "request_id": f"req-{number}",
        "operation": "GET /checkout_sessions/{session_id}",
        "subject_id": f"cs_{number}",
        "version": "2026-04-17",
        "status": 200,
        "replayed": False,
        "ms": 3,
    }
    return Entry(**(given | more))


def test_they_are_found_by_page_and_by_what_is_known(shop: Shop) -> None:
    requests.write(shop.runtime, [_entry(shop, number) for number in range(5)])
    with shop.uow() as session:
        first = requests.find(session, shop.tenant.id, limit=3)
        rest = requests.find(session, shop.tenant.id, limit=3, cursor=first.next_cursor)
        assert [row.request_id for row in (*first.items, *rest.items)] == [f"req-{n}" for n in (4, 3, 2, 1, 0)]
        assert rest.next_cursor is None
        (one,) = requests.find(session, shop.tenant.id, request_id="req-2").items
        assert one.subject_id == "cs_2"


def test_they_are_dropped_after_a_month(shop: Shop) -> None:
    old = clock.now() - requests.KEEP - timedelta(minutes=1)
    requests.write(shop.runtime, [_entry(shop, 1, at=old), _entry(shop, 2)])
    with shop.uow() as session:
        requests.forget_old(session, shop.tenant.id)
        assert [row.request_id for row in session.query(AgentRequest)] == ["req-2"]


def test_one_that_the_store_cannot_hold_takes_no_other_with_it(shop: Shop) -> None:
    log = AgentLog(lambda: shop.runtime)

    def entry(operation: str) -> Callable[[], Entry]:
        return lambda: Entry(
            shop.tenant.id, clock.now(), "agp_1", "", "req_1", operation, "cs_1", "2026-04-17", 200, False, 3,
            asked={"quantity": 2**62}, answered={"id": "cs_1"},
        )  # fmt: skip

    for operation in ("GET /a", "x" * 81, "GET /b"):
        log.note(entry(operation))
    log.flush()
    log.close()
    with shop.uow() as db:
        rows = requests.find(db, shop.tenant.id).items
        assert [row.operation for row in rows] == ["GET /b", "GET /a"]
        assert (rows[0].asked, rows[0].answered, rows[0].ms) == ({"quantity": 2**62}, {"id": "cs_1"}, 3)
