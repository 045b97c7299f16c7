"""The short way of create, update and complete: as many trips as it says, the same answers, and nothing let through."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app.protocols.acp import kernel, sessions
from engine.agentic import quick
from engine.agentic.models import AgentPlatform
from engine.agentic.quick import Unusual
from engine.catalog.models import ProductSource, Variant
from engine.checkout.models import CheckoutSession, Consent, ConsentStatus
from engine.db import Store
from engine.kit import clock, faults
from engine.kit.audit import AuditRow
from engine.kit.direct import Refused
from engine.kit.idempotency import IdempotencyKey
from engine.kit.tenancy import ApiKey, Tenant
from engine.payments.models import Payment
from engine.runtime import Runtime
from tests.app.acp.conftest import ADDRESS, BUYER, Agent, Checkout, codes, paid_with, total
from tests.shop import Shop

DETAILS = {"buyer": BUYER, "fulfillment_details": {"address": ADDRESS}}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How requests asked the store: in one trip, or in a unit of work."""
    found: list[str] = []

    def counted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def ask(store: Store, *given: Any, **how: Any) -> Any:
            if threading.current_thread().name != "agent-log":  # the record of requests is written beside them
                found.append(name)
            return real(store, *given, **how)

        return ask

    monkeypatch.setattr(Store, "asking", counted("ask", Store.asking))
    monkeypatch.setattr(Store, "unit_of_work", counted("work", Store.unit_of_work))
    return found


@pytest.fixture
def at_length(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Everything is unusual from now on."""

    def unusual(*_: Any, **__: Any) -> Any:
        raise Unusual

    def close() -> None:
        for place, name in ((quick, "create"), (quick, "update"), (sessions.quick_paying, "find")):
            monkeypatch.setattr(place, name, unusual)

    return close


def bought(buying: Checkout) -> list[dict[str, Any]]:
    """The answers of an ordinary purchase."""
    created = buying.agent.post("/checkout_sessions", buying.wish("TENT", units=2)).json()
    updated = buying.update(created, DETAILS | {"order_notes": "At the back door."}).json()
    completed = buying.complete(updated, buying.token(updated)).json()
    return [created, updated, completed]


def test_a_purchase_takes_eight_trips(buying: Checkout, shop: Shop, calls: list[str]) -> None:
    shop.add("TENT")
    bought(buying)  # now the key is known
    del calls[:]

    created = buying.agent.post("/checkout_sessions", buying.wish("TENT")).json()
    assert (len(calls), set(calls)) == (2, {"ask"})
    updated = buying.update(created, DETAILS).json()
    assert (len(calls), set(calls)) == (4, {"ask"})
    assert buying.complete(updated, buying.token(updated)).json()["status"] == "completed"
    assert (len(calls), set(calls)) == (8, {"ask"})


def test_an_answer_that_cannot_be_drawn_keeps_no_money_waiting(
    buying: Checkout, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.add("TENT")

    def broken(*_: Any) -> Any:
        raise RuntimeError("no words")

    with monkeypatch.context() as patch:
        patch.setattr(sessions.quick_paying, "placed_as", broken)
        *_, done = bought(buying)
    assert done["status"] == "completed"
    assert buying.get(done)["order"]["id"] == done["order"]["id"]


def test_who_took_a_purchase_over_has_answered_it(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT")
    ready = buying.update(buying.agent.post("/checkout_sessions", buying.wish("TENT")).json(), DETAILS).json()

    theirs = {"type": "invalid_request", "code": "theirs", "message": "Theirs."}

    def taken_over(point: str) -> None:
        if point == "before_t2_commit":
            faults.set_hook(None)
            with shop.uow() as db:
                row = db.scalars(select(IdempotencyKey).where(IdempotencyKey.key == "k")).one()
                row.response_status, row.response_body = 409, orjson.dumps(theirs)

    faults.set_hook(taken_over)
    answer = buying.complete(ready, buying.token(ready), key="k")
    assert (answer.status_code, answer.json()) == (409, theirs)
    with shop.uow() as db:
        assert [row.status for row in db.scalars(select(Payment))] == ["captured"]
    assert buying.get(ready)["status"] == "completed"


def test_both_ways_answer_and_write_the_same(buying: Checkout, shop: Shop, at_length: Callable[[], None]) -> None:
    shop.add("TENT")
    short = bought(buying)
    at_length()
    long = bought(buying)

    assert [_without_names(one) for one in short] == [_without_names(one) for one in long]
    rows = [_rows(shop, one[-1]["id"]) for one in (short, long)]
    assert rows[0] == rows[1]
    assert buying.get(short[-1]) == short[-1]


def _without_names(value: Any) -> Any:
    """A body without ids and moments."""
    if isinstance(value, dict):
        gone = {
            "id",
            "available_quantity",
            "checkout_session_id",
            "order_number",
            "permalink_url",
            "confirmation_number",
        }
        return {k: _without_names(v) for k, v in value.items() if k not in gone and not k.endswith("_at")}
    return [_without_names(one) for one in value] if isinstance(value, list) else value


def _rows(shop: Shop, session_id: str) -> list[Any]:
    """What was written of a purchase, without ids, moments and versions."""
    with shop.uow() as db:
        checkout = db.get_one(CheckoutSession, (shop.tenant.id, session_id))
        extra = db.get_one(quick.AgentSession, (shop.tenant.id, session_id))
        card = db.query(Consent).filter(Consent.session_id == session_id).one()
        method = {k: v for k, v in (checkout.payment_method or {}).items() if k != "ref"}
        noted = db.query(AuditRow).filter(AuditRow.subject.in_([session_id, card.id])).order_by(AuditRow.id)
        summary = {k: v for k, v in card.summary.items() if k not in {"session_id", "digest"}}
        return [
            (checkout.status, checkout.lines, checkout.buyer, checkout.ship_to, checkout.fulfillment_option_id, method),
            (extra.said, extra.kept_back, extra.order_notes, extra.refusal, extra.consent_id == card.id),
            (card.status, card.channel, card.kind, card.owner_id, summary, bool(card.token_sealed)),
            [(row.action, row.actor, sorted(row.facts)) for row in noted],
        ]


def _revoke(key: ApiKey, _: Tenant) -> None:
    key.revoked_at = clock.now()


def _suspend(key: ApiKey, _: Tenant) -> None:
    key.suspended_at = clock.now()


def _end(key: ApiKey, _: Tenant) -> None:
    key.expires_at = clock.now() - timedelta(seconds=1)


def _close(_: ApiKey, tenant: Tenant) -> None:
    tenant.status = "suspended"


@pytest.mark.parametrize(
    ("change", "status"),
    [(_revoke, 401), (_suspend, 401), (_end, 401), (_close, 403)],
    ids=["revoked", "suspended", "over", "closed"],
)
def test_a_remembered_key_opens_nothing_once_it_has_ended(
    buying: Checkout, shop: Shop, change: Callable[[ApiKey, Tenant], None], status: int
) -> None:
    shop.add("TENT")
    session = buying.opened("TENT")
    token = buying.token(session)
    with shop.runtime.store.without_tenant() as db:
        change(db.query(ApiKey).filter(ApiKey.tenant_id == shop.tenant.id).one(), db.get_one(Tenant, shop.tenant.id))
    path = f"/checkout_sessions/{session['id']}"

    answers = [
        buying.agent.post("/checkout_sessions", buying.wish("TENT")),
        buying.agent.post(path, {"order_notes": "x"}),
        buying.agent.post(f"{path}/complete", paid_with(token)),
    ]

    assert [one.status_code for one in answers] == [status] * 3
    with shop.uow() as db:
        assert db.query(CheckoutSession).count() == 1
        assert db.query(Consent).count() == 0
        assert db.get_one(quick.AgentSession, (shop.tenant.id, session["id"])).order_notes is None


def test_a_key_whose_time_runs_out_is_refused_then(
    buying: Checkout, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.add("TENT")
    with shop.runtime.store.without_tenant() as db:
        key = db.query(ApiKey).filter(ApiKey.tenant_id == shop.tenant.id).one()
        key.expires_at = clock.now() + timedelta(minutes=5)
    wish = buying.wish("TENT")
    assert [buying.agent.post("/checkout_sessions", wish).status_code for _ in range(2)] == [201, 201]
    later = clock.now() + timedelta(minutes=6)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert buying.agent.post("/checkout_sessions", wish).status_code == 401


def test_what_the_shop_changes_is_true_at_once(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT")
    session = buying.opened("TENT")
    with shop.runtime.store.without_tenant() as db:
        tenant = db.get_one(Tenant, shop.tenant.id)
        tenant.host, tenant.name = "shop.example.com", "Renamed"
    done = buying.complete(session, buying.token(session)).json()

    assert done["status"] == "completed"
    assert done["order"]["permalink_url"].startswith("https://shop.example.com/order/")


def test_a_platform_that_is_not_trusted_any_more_asks_its_human(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT")
    bought(buying)
    with shop.uow() as db:
        db.query(AgentPlatform).one().trusted = False
    session = buying.opened("TENT")
    done = buying.complete(session, buying.token(session)).json()

    assert done["status"] == "pending_approval"
    assert done["continue_url"]


def test_updates_at_once_each_happen_and_leave_one_state(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT")
    session = buying.opened("TENT")
    item = shop.variants["TENT"]

    def change(units: int) -> Any:
        return buying.update(session, {"line_items": [{"id": item, "quantity": units}]})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(change, range(1, 9)))

    assert [one.status_code for one in answers] == [200] * 8
    assert [one.json()["line_items"][0]["quantity"] for one in answers] == list(range(1, 9))
    with shop.uow() as db:
        checkout = db.get_one(CheckoutSession, (shop.tenant.id, session["id"]))
        assert checkout.version == 1 + 8
        assert checkout.lines[0]["quantity"] in range(1, 9)


def test_an_update_that_read_before_a_consent_does_not_stand_beside_it(
    buying: Checkout, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever agreed meanwhile agreed to what was there: the update looks again and puts the card aside."""
    shop.add("TENT")
    session = buying.opened("TENT")
    token, change, begun = buying.token(session), quick.change, []

    def late(found: quick.Found) -> Any:
        if not begun:
            begun.append(1)
            with shop.uow() as db:
                checkout = db.get_one(CheckoutSession, (shop.tenant.id, session["id"]))
                checkout.version += 1
                db.add(_card(checkout))
        return change(found)

    monkeypatch.setattr(quick, "change", late)
    answer = buying.update(session, {"line_items": [{"id": shop.variants["TENT"], "quantity": 3}]})

    assert (answer.status_code, answer.json()["line_items"][0]["quantity"]) == (200, 3)
    with shop.uow() as db:
        assert db.query(Consent).one().status == ConsentStatus.SUPERSEDED
    assert buying.complete(answer.json(), token).json()["status"] == "ready_for_payment"  # the token pays less


def _card(checkout: CheckoutSession) -> Consent:
    return Consent(
        tenant_id=checkout.tenant_id, id="cnf_late", session_id=checkout.id, owner_id=checkout.owner_id,
        digest="x", summary={}, status=ConsentStatus.OPEN, expires_at=clock.now() + timedelta(minutes=5),
    )  # fmt: skip


def test_a_buyer_named_with_the_payment_is_priced_as_that_buyer(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT")
    session = buying.opened("TENT", buyer={"email": "other@example.com"})
    done = buying.complete(session, buying.token(session), buyer=BUYER).json()

    assert (done["status"], done["buyer"]["email"]) == ("completed", BUYER["email"])
    assert total(done) == total(session)


def test_a_refused_guard_is_a_look_again_and_no_answer(
    buying: Checkout, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that cannot tell why it was refused falls back to the way that can."""
    shop.add("TENT")
    buying.opened("TENT")

    def refused(*_: Any, **__: Any) -> Any:
        raise Refused

    monkeypatch.setattr(quick, "create", refused)
    assert buying.agent.post("/checkout_sessions", buying.wish("TENT")).status_code == 201


def test_another_platforms_session_is_unknown_on_the_short_way_too(
    buying: Checkout, shop: Shop, open_agent: Callable[..., Agent]
) -> None:
    shop.add("TENT")
    session = buying.opened("TENT")
    other = open_agent(shop.tenant)
    assert other.post("/checkout_sessions", buying.wish("TENT")).status_code == 201
    answer = other.post(f"/checkout_sessions/{session['id']}", {"order_notes": "mine"})
    paid = other.post(f"/checkout_sessions/{session['id']}/complete", paid_with(buying.token(session)))

    assert (answer.status_code, paid.status_code) == (404, 404)
    assert buying.get(session) == session


def test_what_is_remembered_is_forgotten_when_it_is_not_true(
    buying: Checkout, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.add("TENT")
    buying.opened("TENT")
    asked: list[bool] = []
    real = kernel._asked

    def counted(*given: Any, remembered: bool) -> Any:
        asked.append(remembered)
        return real(*given, remembered=remembered)

    monkeypatch.setattr(kernel, "_asked", counted)
    with shop.runtime.store.without_tenant() as db:
        db.get_one(Tenant, shop.tenant.id).name = "Renamed"
    wish = buying.wish("TENT")
    assert [buying.agent.post("/checkout_sessions", wish).status_code for _ in range(2)] == [201, 201]
    assert asked == [True, False, True]


class Elsewhere:
    """A platform that the shop's products come from; what it says of them now."""

    def __init__(self, *, answers: bool = True, price: int | None = None) -> None:
        self.answers, self.price = answers, price
        self.asked: list[str] = []

    def recheck(self, runtime: Runtime, tenant_id: str, product_ids: Sequence[str]) -> list[str]:
        self.asked += product_ids
        if not self.answers:
            return list(product_ids)
        with runtime.unit_of_work(tenant_id) as db:
            for row in db.scalars(select(ProductSource).where(ProductSource.product_id.in_(product_ids))):
                row.seen_at = clock.now()
            for variant in db.scalars(select(Variant).where(Variant.product_id.in_(product_ids))):
                variant.price = self.price or variant.price
        return []


def from_elsewhere(shop: Shop, acp_app: FastAPI, platform: Elsewhere, *, minutes: int) -> str:
    """An item that was last looked at there so long ago; its product."""
    variant_id = shop.add("TENT", price=5_000)
    acp_app.state.site.opened = replace(shop.runtime, platforms=platform)
    at = clock.now() - timedelta(minutes=minutes)
    named = {"system": "shopify", "connection_id": "con_1", "source_id": "1", "seen_at": at, "changed_at": at}
    with shop.uow() as db:
        product_id = db.scalars(select(Variant.product_id).where(Variant.id == variant_id)).one()
        db.add(ProductSource(tenant_id=shop.tenant.id, product_id=product_id, images=[], made_here=True, **named))
    return product_id


def test_what_an_agent_buys_of_a_platform_is_looked_at_there_where_it_is_stale(
    buying: Checkout, shop: Shop, acp_app: FastAPI
) -> None:
    there = Elsewhere()
    product_id = from_elsewhere(shop, acp_app, there, minutes=61)
    assert bought(buying)[-1]["status"] == "completed"
    assert there.asked == [product_id]
    assert bought(buying)[-1]["status"] == "completed"  # it is fresh now
    assert there.asked == [product_id]


def test_an_agent_is_not_charged_a_price_that_is_another_there(buying: Checkout, shop: Shop, acp_app: FastAPI) -> None:
    from_elsewhere(shop, acp_app, Elsewhere(price=9_900), minutes=61)
    created, _, done = bought(buying)
    assert (done["status"], codes(done)) == ("ready_for_payment", ["payment_declined"])
    assert done["messages"][-1]["content"] == "The total or the details changed after the card was shown."
    assert total(done) > total(created)
    with shop.uow() as db:
        assert db.scalars(select(Payment)).all() == []


def test_an_agent_is_told_where_a_price_cannot_be_confirmed(buying: Checkout, shop: Shop, acp_app: FastAPI) -> None:
    there = Elsewhere(answers=False)
    from_elsewhere(shop, acp_app, there, minutes=61)
    _, ready, done = bought(buying)
    words = "The price of Thing TENT cannot be confirmed right now. Nothing was charged. Please try again in a moment."
    assert (done["status"], done["messages"][-1]["content"]) == ("ready_for_payment", words)
    with shop.uow() as db:
        assert db.scalars(select(Payment)).all() == []
    there.answers = True
    assert buying.complete(ready, buying.token(ready)).json()["status"] == "completed"
