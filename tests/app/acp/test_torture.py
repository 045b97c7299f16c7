"""One session, many hands at once: updated, completed, canceled, in whatever order. Money is taken for what stands."""

from __future__ import annotations

import itertools
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from engine.checkout.models import CheckoutSession, Consent, ConsentStatus, SessionStatus
from engine.checks import check_tenant
from engine.orders.models import Order
from engine.payments.models import Payment, PaymentStatus
from tests.app.acp.conftest import BUYER, Checkout, total
from tests.app.acp.test_authenticated import DETAILS, authenticated, outcome, token_of
from tests.shop import Shop

ALLOWED = {200, 400, 404, 405, 409, 429}


def together(deeds: list[Any]) -> list[Any]:
    """Everything at the same moment; the answers."""
    meet = threading.Barrier(len(deeds))

    def do(deed: Any) -> Any:
        meet.wait()
        return deed()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(do, deeds))


@pytest.mark.parametrize("seed", range(6))
def test_whatever_comes_at_once_money_is_taken_once_for_what_stands(buying: Checkout, shop: Shop, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 (a test's)
    shop.add("TENT", price=5000, stock={"EAST": 50})
    session = buying.opened("TENT")
    turns = itertools.count()
    small, large = total(session), 50 * total(session)

    def complete(number: int) -> Any:
        token = buying.token(session, amount=dice.choice([small, large]), card=dice.choice(CARDS))
        more = dice.choice([{}, {"buyer": BUYER | {"email": f"b{number}@example.com"}}, {"order_notes": "n"}])
        return lambda: buying.complete(session, token, key=f"pay-{number % 3}-{token[-6:]}", **more)

    def update(number: int) -> Any:
        units = dice.randint(1, 3)
        item = {"id": shop.variants["TENT"], "quantity": units}
        body = dice.choice([{"line_items": [item]}, {}, {"order_notes": str(number)}])
        return lambda: buying.update(session, body, key=f"update-{next(turns)}")

    def cancel(number: int) -> Any:
        return lambda: buying.cancel(session)

    for _ in range(3):
        kinds = [complete, update, complete, update, complete, update, complete, dice.choice([cancel, update])]
        answers = together([kind(number) for number, kind in enumerate(kinds)])
        assert {one.status_code for one in answers} <= ALLOWED, [one.text for one in answers]
        paid = {one.json()["order"]["id"] for one in answers if "order" in one.json()}
        assert len(paid) <= 1
        if buying.get(session)["status"] in {"completed", "canceled"}:
            break
    stands(buying, shop, session)


CARDS = ["card_test_visa", "card_test_declined", "card_test_declined"]


def stands(buying: Checkout, shop: Shop, session: dict[str, Any]) -> None:
    """What is written is one story."""
    with shop.uow() as db:
        row = db.scalars(select(CheckoutSession)).one()
        placed = db.scalars(select(Order).where(Order.placed_at.is_not(None))).all()
        captured = db.scalars(select(Payment).where(Payment.status == PaymentStatus.CAPTURED)).all()
        live = db.scalars(select(Consent).where(Consent.status.in_([ConsentStatus.OPEN, ConsentStatus.APPROVED])))
        assert len(placed) == len(captured) == (row.status == SessionStatus.COMPLETED)
        assert [one.amount for one in captured] == [one.total for one in placed]
        assert len(list(live)) <= 1
    seen = buying.get(session)
    if placed:
        assert seen["status"] == "completed"
        assert total(seen["order"]) == placed[0].total == total(seen)
    assert [one for one in check_tenant(shop.runtime, shop.tenant.id, shop.tenant.slug) if not one.ok] == []


def test_sessions_at_once_share_no_token(buying: Checkout, shop: Shop) -> None:
    """One token, tried on four sessions in parallel: it pays its own, or nothing."""
    shop.add("TENT", price=5000, stock={"EAST": 50})
    sessions = [buying.opened("TENT") for _ in range(4)]
    token = buying.token(sessions[2])
    answers = together([lambda one=one: buying.complete(one, token) for one in sessions for _ in range(2)])
    paid = {one.json()["id"] for one in answers if "order" in one.json()}
    assert paid == {sessions[2]["id"]}
    with shop.uow() as db:
        assert len(db.scalars(select(Payment)).all()) == 1


def test_completes_with_results_of_3ds_at_once_make_one_order(buying: Checkout, shop: Shop) -> None:
    """A token whose bank asks, and completes with and without an answer to it, of which one is true."""
    shop.add("TENT", price=5000, stock={"EAST": 50})
    session = buying.opened("TENT")
    token, proof = token_of(buying, session), authenticated(buying, session)
    result = outcome({name: proof[name] for name in proof if name in DETAILS})["authentication_result"]
    without = [lambda: buying.complete(session, token) for _ in range(3)]
    proven = [lambda: buying.complete(session, token, authentication_result=result) for _ in range(3)]
    lies = [lambda: buying.complete(session, token, authentication_result={"outcome": "denied"}) for _ in range(2)]
    together([*without, *proven, *lies])
    last = buying.complete(session, token, authentication_result=result)
    assert "order" in last.json() or last.json()["code"] == "session_closed"
    with shop.uow() as db:
        assert len(db.scalars(select(Order).where(Order.placed_at.is_not(None))).all()) == 1
        captured = db.scalars(select(Payment).where(Payment.status == PaymentStatus.CAPTURED)).all()
        assert [one.amount for one in captured] == [total(session)]
