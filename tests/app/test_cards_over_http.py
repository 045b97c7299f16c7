"""Cards that ask, over HTTP: quoted into a conversation, listed, and pressed by its shopper alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.checkout.models import Consent
from engine.kit.tenancy import Tenant
from tests.app.conftest import Browser
from tests.engine.orders.desk import Desk, buy, rule
from tests.shop import Shop

CANCEL = {"kind": "cancel", "reason": "other"}


@pytest.fixture
def desk(shop: Shop) -> Desk:
    shop.add("A", price=5000)
    return buy(shop, "A", 2)


def _press(browser: Browser, thread: str, card: str, *, approved: bool = True, **headers: str) -> Any:
    entry = {"interruptId": card, "status": "resolved", "payload": {"approved": approved}}
    return browser.post(f"/v1/threads/{thread}/runs", {"resume": [entry]}, **headers)


def _status(desk: Desk, card: str) -> str:
    with desk.shop.uow() as session:
        return str(session.get_one(Consent, (desk.shop.tenant.id, card)).status)


def test_a_change_is_quoted_into_the_conversation_and_pressed_once(desk: Desk, mine: Browser) -> None:
    thread = mine.start(desk.shop.tenant)
    quoted = mine.post(f"/v1/orders/{desk.order_id}/changes?thread_id={thread}", CANCEL)
    assert quoted.status_code == 201, quoted.text
    card = quoted.json()["consent_id"]

    shown = mine.get(f"/v1/threads/{thread}").json()
    [interrupt] = shown["interrupts"]
    assert set(interrupt) == {"id", "reason", "expires_at", "change"}
    assert (interrupt["id"], interrupt["reason"]) == (card, "order_change")
    assert [(m["activity_type"], m["data"]["status"]) for m in shown["messages"]] == [("change", "open")]

    one, two = _press(mine, thread, card), _press(mine, thread, card)
    assert (one.status_code, two.status_code) == (202, 202)
    assert one.json() == two.json()
    assert _press(mine, thread, card, approved=False).status_code == 409
    assert _status(desk, card) == "approved"
    shown = mine.get(f"/v1/threads/{thread}").json()
    assert (shown["interrupts"], shown["messages"][0]["data"]["status"]) == ([], "approved")


def test_staff_quote_into_their_shoppers_conversation_and_the_shopper_decides(
    desk: Desk, mine: Browser, open_browser: Callable[[], Browser], make_key: Callable[..., str], tenant: Tenant
) -> None:
    thread, staff = mine.start(tenant), open_browser()
    key = make_key(tenant, "staff")
    url = f"/v1/orders/{desk.order_id}/changes?thread_id={thread}"
    alone = staff.post(url, CANCEL, authorization=key)
    assert (alone.status_code, alone.json()["consent_id"]) == (201, None)
    assert mine.get(f"/v1/threads/{thread}").json()["interrupts"] == []

    rule(desk.shop, staff_refund_limit=100)
    told = staff.post(url, CANCEL, authorization=key)
    card = told.json()["consent_id"]
    assert [one["id"] for one in mine.get(f"/v1/threads/{thread}").json()["interrupts"]] == [card]
    assert _press(staff, thread, card, authorization=key).status_code == 403
    assert _press(mine, thread, card).status_code == 202
    assert _status(desk, card) == "approved"


def test_nobody_else_shows_or_presses_it(
    desk: Desk, mine: Browser, open_browser: Callable[[], Browser], make_key: Callable[..., str], tenant: Tenant
) -> None:
    stranger, staff, key = open_browser(), open_browser(), make_key(tenant, "staff")
    thread, theirs = mine.start(tenant), stranger.start(tenant)
    url = f"/v1/orders/{desk.order_id}/changes"
    assert mine.post(f"{url}?thread_id={theirs}", CANCEL).status_code == 404
    assert staff.post(f"{url}?thread_id={theirs}", CANCEL, authorization=key).status_code == 404
    assert stranger.post(f"{url}?thread_id={theirs}", CANCEL).status_code == 404
    card = mine.post(f"{url}?thread_id={thread}", CANCEL).json()["consent_id"]

    answers = [
        _press(stranger, theirs, card),
        _press(stranger, thread, card),
        _press(staff, thread, card, authorization=key),
        _press(mine, mine.start(tenant), card),
    ]

    assert [one.status_code for one in answers] == [404, 404, 403, 404]
    assert _status(desk, card) == "open"
