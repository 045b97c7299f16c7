"""What becomes of a purchase whose key or platform changes on the way."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from engine.agentic import keys, platforms
from engine.agentic.models import AgentPlatform
from engine.checkout.models import CheckoutSession, Consent
from engine.checkout.recovery import recover_payments
from engine.checks import check_tenant
from engine.kit import clock, faults
from engine.kit.idempotency import LEASE
from engine.kit.tenancy import ApiKey
from engine.orders.models import Order
from engine.payments.models import Payment
from tests.app.acp.conftest import BUYER, Agent, Checkout, codes
from tests.shop import Shop

HOUR = timedelta(hours=1)
POINTS = [*faults.AGENT_POINTS, "before_t1_commit", "after_t1_commit", "after_capture"]


class Killed(BaseException):
    """What a test throws where a process would end."""


@pytest.fixture
def ready(buying: Checkout, shop: Shop) -> dict[str, Any]:
    shop.add("TENT", price=5000)
    return buying.opened("TENT")


def rotated(shop: Shop, agent: Agent, *, overlap: timedelta = HOUR) -> Agent:
    """The same platform with a new key."""
    with shop.runtime.store.without_tenant() as db:
        key = db.scalars(select(ApiKey.id).where(ApiKey.tenant_id == shop.tenant.id)).one()
    with shop.uow() as db:
        new = keys.rotate(db, shop.tenant.id, key, actor="test", overlap=overlap)
    return Agent(agent.http, f"Bearer {new.secret}")


def suspend(shop: Shop, *, suspended: bool = True) -> None:
    with shop.uow() as db:
        platforms.suspend(db, db.scalars(select(AgentPlatform)).one(), suspended=suspended, actor="test")


def at(point: str, do: Callable[[], None]) -> None:
    """Let something happen at a point of the next purchase, once."""

    def hook(name: str) -> None:
        if name == point:
            faults.set_hook(None)
            do()

    faults.set_hook(hook)


def died(buying: Checkout, session: dict[str, Any], token: str, point: str) -> None:
    """A purchase whose process ended at this point."""
    reached: list[str] = []

    def die() -> None:
        reached.append(point)
        raise Killed

    at(point, die)
    with contextlib.suppress(Killed, BaseExceptionGroup, AssertionError):
        buying.complete(session, token, key="pay")
    assert reached == [point]


def counts(shop: Shop) -> tuple[int, int]:
    """Placed orders, and payments that were begun."""
    with shop.uow() as db:
        placed = db.scalars(select(Order).where(Order.placed_at.is_not(None))).all()
        return len(placed), len(db.scalars(select(Payment)).all())


def sound(shop: Shop) -> bool:
    return all(check.ok for check in check_tenant(shop.runtime, shop.tenant.id, shop.tenant.slug))


def test_a_purchase_goes_on_with_the_new_key(buying: Checkout, shop: Shop, ready: dict[str, Any]) -> None:
    token, old = buying.token(ready), buying.agent
    buying.agent = rotated(shop, old)
    assert buying.get(ready) == ready
    done = buying.complete(ready, token, key="pay")
    assert done.json()["status"] == "completed"
    buying.agent = old
    again = buying.complete(ready, token, key="pay")
    assert (again.content, again.headers["idempotent-replayed"]) == (done.content, "true")
    with clock.shifted(HOUR):
        assert buying.complete(ready, token, key="pay").status_code == 401
    assert counts(shop) == (1, 1)


@pytest.mark.parametrize("point", POINTS)
def test_a_purchase_that_died_under_the_old_key_ends_under_the_new_one(
    buying: Checkout, shop: Shop, ready: dict[str, Any], point: str
) -> None:
    token, old = buying.token(ready), buying.agent
    died(buying, ready, token, point)
    buying.agent = rotated(shop, old, overlap=timedelta())
    with clock.shifted(LEASE + timedelta(seconds=1)):
        recover_payments(shop.runtime, shop.tenant.id)
        assert old.get(f"/checkout_sessions/{ready['id']}").status_code == 401
        assert buying.complete(ready, token, key="pay").json()["status"] == "completed"
    assert counts(shop) == (1, 1)
    assert sound(shop)


@pytest.mark.parametrize("point", POINTS)
def test_what_was_agreed_to_before_a_suspension_ends_and_is_heard_of_after_it(
    buying: Checkout, shop: Shop, ready: dict[str, Any], point: str
) -> None:
    token = buying.token(ready)
    at(point, lambda: suspend(shop))
    done = buying.complete(ready, token, key="pay")
    assert (done.status_code, done.json()["status"]) == (200, "completed")
    assert buying.complete(ready, token, key="pay").status_code == 401
    assert buying.agent.get(f"/orders/{done.json()['order']['id']}").status_code == 401
    suspend(shop, suspended=False)
    assert buying.complete(ready, token, key="pay").content == done.content
    assert counts(shop) == (1, 1)
    assert sound(shop)


def test_a_consent_that_nobody_used_before_a_suspension_pays_nothing(
    buying: Checkout, shop: Shop, ready: dict[str, Any]
) -> None:
    token = buying.token(ready)
    died(buying, ready, token, "agent_after_consent")
    suspend(shop)
    with clock.shifted(LEASE + timedelta(minutes=11)):
        recover_payments(shop.runtime, shop.tenant.id)
        assert buying.complete(ready, token, key="pay").status_code == 401
        suspend(shop, suspended=False)
        late = buying.complete(ready, token, key="pay").json()
        assert (late["status"], codes(late)) == ("ready_for_payment", ["payment_declined"])
        assert counts(shop) == (0, 0)
        fresh = buying.token(ready, seconds=3600)
        assert buying.complete(ready, fresh).json()["status"] == "completed"
    assert sound(shop)


def test_a_suspended_platforms_token_agrees_to_nothing(buying: Checkout, shop: Shop, ready: dict[str, Any]) -> None:
    token = buying.token(ready)
    suspend(shop)
    assert buying.complete(ready, token).status_code == 401
    with shop.uow() as db:
        assert db.scalars(select(Consent)).all() == []
    suspend(shop, suspended=False)
    assert buying.complete(ready, token).json()["status"] == "completed"


def test_trust_that_is_taken_back_before_complete_asks_the_human(
    buying: Checkout, shop: Shop, ready: dict[str, Any]
) -> None:
    with shop.uow() as db:
        platforms.trust(db, db.scalars(select(AgentPlatform)).one(), trusted=False, actor="test")
    asked = buying.complete(ready, buying.token(ready), buyer=BUYER).json()
    assert (asked["status"], counts(shop)) == ("pending_approval", (0, 0))


def test_a_session_that_expires_at_its_complete_is_bought_or_expired(
    buying: Checkout, shop: Shop, ready: dict[str, Any]
) -> None:
    """To the moment: what is over is refused, and a token of it pays nothing."""
    token = buying.token(ready, seconds=24 * 3600)
    with shop.uow() as db:
        ends = db.scalars(select(CheckoutSession.expires_at)).one()
    with clock.shifted(ends - clock.now()):
        refused = buying.complete(ready, token, key="late")
        assert (refused.status_code, refused.json()["code"]) == (409, "session_closed")
        assert buying.get(ready)["status"] == "expired"
    assert counts(shop) == (0, 0)
    assert buying.complete(ready, token, key="in time").json()["status"] == "completed"
    assert buying.complete(ready, token, key="late").status_code == 409
