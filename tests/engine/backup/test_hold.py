"""After a restore nothing leaves the house until our books and the gateway's have been compared."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from engine import jobs
from engine.backup.taking import take_backup
from engine.checkout import recovery
from engine.checkout.complete import complete
from engine.checks import run_checks
from engine.kit import audit, clock, faults, holds, outbox
from engine.kit.holds import HeldAfterRestore, Restore
from engine.kit.identity import Actor, Identity, Scope
from engine.kit.money import Money
from engine.orders import queries
from engine.payments import inbox, unknown
from engine.payments.errors import AlertClosed
from engine.payments.gateway import GatewayTimeout
from engine.payments.models import Alert, Payment
from engine.runtime import Runtime
from tests.engine.backup.conftest import MakePlace, Place
from tests.engine.checkout.test_complete import Killed, die_at
from tests.shop import Shop

LATER = timedelta(minutes=2)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store.backup"


def buy(shop: Shop, quantity: int = 1) -> str:
    """A paid order; returns its payment's id."""
    buyer = shop.shopper()
    done = complete(shop.runtime, buyer, shop.approved(buyer, "A", quantity))
    assert done.order is not None
    with shop.uow() as session:
        return session.scalars(select(Payment.id).where(Payment.order_id == done.order.id)).one()


def restored(shop: Shop, source: Place, target: Place, file: Path) -> Shop:
    """The shop as the backup has it, paying at the gateway that went on."""
    target.restore(file)
    return Shop(target.open(gateway_of=source), shop.tenant, shop.locations, shop.variants)


def standing(shop: Shop) -> Restore:
    with shop.uow() as session:
        return session.get_one(Restore, shop.tenant.id)


def alerts(shop: Shop) -> list[tuple[str, str, str | None]]:
    with shop.uow() as session:
        rows = session.scalars(select(Alert).where(Alert.resolved_at.is_(None)).order_by(Alert.kind, Alert.subject))
        return [(row.kind, row.subject, row.action) for row in rows]


def held(shop: Shop) -> bool:
    with shop.uow() as session:
        return holds.held(session, shop.tenant.id)


def broken(runtime: Runtime) -> list[str]:
    return [result.name for result in run_checks(runtime) if not result.ok]


def test_a_capture_after_the_backup_waits_in_the_inbox_and_goes_back_once(
    source: Place, selling: Shop, make_place: MakePlace, file: Path
) -> None:
    known = buy(selling)
    take_backup(source.addresses, file)
    lost = buy(selling, quantity=2)
    shop = restored(selling, source, make_place(), file)
    gateway = shop.runtime.gateways["sandbox"]
    taken = gateway.standings(merchant=shop.tenant.id)[lost].captured
    assert held(shop)

    jobs.keep_house(shop.runtime, shop.tenant.id)

    assert standing(shop).waiting_for == {"unknown_capture": [lost]}
    assert alerts(shop) == [("unknown_capture", lost, "give_back")]
    assert held(shop)
    assert broken(shop.runtime) == ["our payments equal the gateway's"]

    staff = Identity(shop.tenant.id, Actor.API_KEY, "key_staff", scopes=frozenset({Scope.STAFF}))
    with shop.uow() as session:
        item = session.scalars(select(Alert.id).where(Alert.kind == "unknown_capture")).one()
    inbox.act(shop.runtime, staff, item)
    with pytest.raises(AlertClosed):
        inbox.act(shop.runtime, staff, item)
    with pytest.raises(unknown.NothingToGiveBack):
        unknown.give_back(shop.runtime, shop.tenant.id, lost, by="key_staff")
    with clock.shifted(LATER):
        jobs.keep_house(shop.runtime, shop.tenant.id)

    books = gateway.standings(merchant=shop.tenant.id)
    assert (books[lost].captured, books[lost].refunded) == (taken, taken)
    assert books[known].refunded == 0
    assert alerts(shop) == []
    assert not held(shop)
    assert broken(shop.runtime) == []
    with shop.uow() as session:
        told = session.execute(select(audit.AuditRow.action, audit.AuditRow.actor).order_by(audit.AuditRow.id)).all()
    assert ("payment.unknown_given_back", "key_staff") in told
    assert ("restore.reconciled", "system") in told


def test_a_payment_under_way_at_the_backup_is_ended_by_asking(
    source: Place, selling: Shop, make_place: MakePlace, file: Path
) -> None:
    buyer = selling.shopper()
    consent = selling.approved(buyer, "A")
    die_at("after_t1_commit")
    with pytest.raises(Killed):
        complete(selling.runtime, buyer, consent)
    faults.set_hook(None)
    take_backup(source.addresses, file)
    with clock.shifted(LATER):
        recovery.recover_payments(selling.runtime, selling.tenant.id)
    shop = restored(selling, source, make_place(), file)

    jobs.keep_house(shop.runtime, shop.tenant.id)
    assert standing(shop).waiting_for == {"payments": 1}
    assert held(shop)

    with clock.shifted(LATER):
        jobs.keep_house(shop.runtime, shop.tenant.id)

    assert not held(shop)
    with shop.uow() as session:
        assert [order.payment_status for order in queries.own_orders(session, buyer).items] == ["paid"]
    assert len(shop.runtime.gateways["sandbox"].standings(merchant=shop.tenant.id)) == 1
    assert broken(shop.runtime) == []


def test_what_leaves_the_house_waits(
    source: Place, selling: Shop, make_place: MakePlace, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics = outbox.CONSUMERS | {"test.told": ("webhooks", "search")}
    monkeypatch.setattr(outbox, "CONSUMERS", topics)
    with selling.uow() as session:
        outbox.emit(session, selling.tenant.id, "test.told", "x")
    take_backup(source.addresses, file)
    lost = buy(selling)
    shop = restored(selling, source, make_place(), file)
    ran: list[str] = []

    def call_partner(_runtime: Runtime, _tenant_id: str) -> None:
        ran.append("partner")

    def keep_house(_runtime: Runtime, _tenant_id: str) -> None:
        ran.append("house")

    monkeypatch.setattr(jobs, "EVERY_SECOND", (*jobs.EVERY_SECOND, call_partner, keep_house))
    monkeypatch.setattr(jobs, "OUTWARD", frozenset({call_partner}))
    jobs.keep_house(shop.runtime, shop.tenant.id)

    assert ran == ["house"]
    assert claimed(shop) == {"webhooks": 0, "search": 1}
    with shop.uow() as session, pytest.raises(HeldAfterRestore):
        holds.require_free(session, shop.tenant.id)

    unknown.give_back(shop.runtime, shop.tenant.id, lost, by="system")
    with clock.shifted(LATER):
        jobs.keep_house(shop.runtime, shop.tenant.id)
        jobs.keep_house(shop.runtime, shop.tenant.id)

    assert ran == ["house", "partner", "house", "partner", "house"]
    assert claimed(shop) == {"webhooks": 1, "search": 1}
    with shop.uow() as session:
        holds.require_free(session, shop.tenant.id)


def claimed(shop: Shop) -> dict[str, int]:
    with shop.uow() as session:
        rows = {name: outbox.claim_batch(session, shop.tenant.id, name) for name in ("webhooks", "search")}
        return {name: sum(row.topic == "test.told" for row in found) for name, found in rows.items()}


def test_a_refund_after_the_backup_is_told_when_it_was_seen_twice_and_a_person_ends_it(
    source: Place, selling: Shop, make_place: MakePlace, file: Path
) -> None:
    payment_id = buy(selling)
    take_backup(source.addresses, file)
    gateway = selling.runtime.gateways["sandbox"]
    gateway.refund(payment_id, merchant=selling.tenant.id, amount=Money(100, "USD"), key="rfd_lost")
    shop = restored(selling, source, make_place(), file)

    jobs.keep_house(shop.runtime, shop.tenant.id)
    assert alerts(shop) == []
    assert held(shop)
    with clock.shifted(timedelta(seconds=11)):
        jobs.keep_house(shop.runtime, shop.tenant.id)
    assert alerts(shop) == [("books_differ", payment_id, None)]
    assert standing(shop).waiting_for == {"books_differ": [payment_id]}

    with shop.uow() as session:
        session.execute(update(Alert).values(resolved_at=clock.now()))
    with clock.shifted(timedelta(seconds=22)):
        jobs.keep_house(shop.runtime, shop.tenant.id)

    assert alerts(shop) == []
    assert not held(shop)


class _Silent:
    """A gateway that does not answer."""

    name = "sandbox"

    def standings(self, *, merchant: str) -> Any:  # noqa: ARG002 (the port's signature)
        raise GatewayTimeout("No answer.")

    def close(self) -> None:
        pass


def test_a_gateway_that_does_not_answer_keeps_the_hold(
    source: Place, selling: Shop, make_place: MakePlace, file: Path
) -> None:
    buy(selling)
    take_backup(source.addresses, file)
    shop = restored(selling, source, make_place(), file)
    shop.runtime.gateways["sandbox"].close()  # type: ignore[attr-defined]
    shop.runtime.gateways["sandbox"] = _Silent()  # type: ignore[index]

    jobs.keep_house(shop.runtime, shop.tenant.id)

    assert standing(shop).waiting_for == {"gateways": ["sandbox"]}
    assert held(shop)


def test_sales_after_the_restore_hold_nothing(source: Place, selling: Shop, make_place: MakePlace, file: Path) -> None:
    take_backup(source.addresses, file)
    shop = restored(selling, source, make_place(), file)
    buyer = shop.shopper()
    consent = shop.approved(buyer, "A")
    die_at("after_capture")
    with pytest.raises(Killed):
        complete(shop.runtime, buyer, consent)
    faults.set_hook(None)

    jobs.keep_house(shop.runtime, shop.tenant.id)

    assert not held(shop)
    assert alerts(shop) == []
