"""A card is kept because its customer said so and it has paid, and for no other reason."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from engine import jobs
from engine.checkout import service
from engine.checkout.complete import Result, complete
from engine.customers import service as customers
from engine.customers import wallet
from engine.customers.book import EmailNeeded
from engine.customers.models import PaymentMethod
from engine.kit import clock
from engine.kit.audit import AuditRow
from engine.kit.errors import InvalidInput
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.payments.gateway import GatewayTimeout
from engine.payments.gateways.grants import Grant
from engine.payments.gateways.sandbox.gateway import SandboxGateway
from engine.payments.gateways.sandbox.vault import CardEntry, WalletEntry
from engine.payments.models import Payment
from engine.privacy import erasing
from engine.privacy.exporting import export
from tests.engine.customers.people import known
from tests.shop import ADDRESS, Shop

DECLINED = "4000000000000002"


def gateway(shop: Shop) -> SandboxGateway:
    found = shop.runtime.gateways["sandbox"]
    assert isinstance(found, SandboxGateway)
    return found


def begin(shop: Shop, who: Identity, *, sku: str = "A") -> str:
    """A checkout that lacks nothing but a card; its id."""
    if sku not in shop.variants:
        shop.add(sku, stock={"EAST": 9})
    shop.fill(who, sku)
    with shop.uow() as session:
        return service.update(session, who, service.Details(email="ada@example.com", **ADDRESS)).id


def enter(shop: Shop, session_id: str, number: str = "4242424242424242") -> str:
    return gateway(shop).vault.keep(Grant(shop.tenant.id, session_id), CardEntry(number, 12, 2040, "123")).ref


def pay(shop: Shop, who: Identity) -> Result:
    card = shop.card(who)
    shop.approve(who, card.id)
    return complete(shop.runtime, who, card.id).result


def shown(shop: Shop, who: Identity) -> list[tuple[str, str, bool]]:
    with shop.uow() as session:
        return [(row.kind, row.last4, row.is_default) for row in customers.payment_methods(session, who)]


def rows(shop: Shop) -> list[PaymentMethod]:
    with shop.uow() as session:
        return list(session.scalars(select(PaymentMethod).order_by(PaymentMethod.id)))


def bought(shop: Shop, who: Identity, *, number: str = "4242424242424242", save: bool = True) -> str:
    """A purchase with a card that was entered; the card's reference."""
    ref = enter(shop, begin(shop, who), number)
    service.use_card(shop.runtime, who, ref, save=save)
    assert pay(shop, who) == Result.PAID
    return ref


def test_a_card_is_kept_once_it_has_paid_and_pays_the_next_time(shop: Shop) -> None:
    ada = known(shop)
    ref = enter(shop, begin(shop, ada))

    view = service.use_card(shop.runtime, ada, ref, save=True)

    assert view.payment_method is not None
    assert (view.payment_method.keep, view.payment_method.label) == (
        True,
        "Visa •••• 4242, kept for your next purchase",
    )
    assert (wallet.keep_wanted(shop.runtime, shop.tenant.id), shown(shop, ada)) == (0, [])
    card = shop.card(ada)
    assert card.checkout.payment_method == view.payment_method
    shop.approve(ada, card.id)
    done = complete(shop.runtime, ada, card.id)
    assert done.result == Result.PAID
    with shop.uow() as session:
        assert session.scalars(select(Payment.method)).one()["label"] == "Visa •••• 4242"
    assert shown(shop, ada) == []

    jobs.keep_house(shop.runtime, shop.tenant.id, minutely=True)

    assert shown(shop, ada) == [("card", "4242", False)]
    [row] = rows(shop)
    assert (row.exp_month, row.exp_year, row.agreed_at is not None) == (12, 2040, True)
    begin(shop, ada)
    with shop.uow() as session:
        service.update(session, ada, service.Details(payment_method_ref=row.id))
    assert pay(shop, ada) == Result.PAID


def test_with_another_card_the_consent_is_another(shop: Shop) -> None:
    """Keeping it is part of what is agreed to."""
    ada = known(shop)
    ref = enter(shop, begin(shop, ada))
    service.use_card(shop.runtime, ada, ref, save=True)
    card = shop.card(ada)
    service.use_card(shop.runtime, ada, ref)
    assert shop.card(ada).id != card.id
    assert pay(shop, ada) == Result.PAID
    assert (wallet.keep_wanted(shop.runtime, shop.tenant.id), rows(shop)) == (0, [])


def test_nobody_unknown_has_a_card_kept(shop: Shop) -> None:
    guest = shop.shopper()
    ref = enter(shop, begin(shop, guest))
    with pytest.raises(EmailNeeded):
        service.use_card(shop.runtime, guest, ref, save=True)
    with shop.uow() as session:
        assert service.current(session, guest).payment_method != ref
    assert rows(shop) == []


def test_a_card_that_was_declined_or_left_lying_is_let_go_at_the_gateway(shop: Shop) -> None:
    ada = known(shop)
    session_id = begin(shop, ada)
    declined = enter(shop, session_id, DECLINED)
    service.use_card(shop.runtime, ada, declined, save=True)
    assert pay(shop, ada) == Result.DECLINED
    assert wallet.keep_wanted(shop.runtime, shop.tenant.id) == 0
    assert [row.removed_at for row in rows(shop)] == [None]  # it may still be tried again
    good = enter(shop, session_id)
    service.use_card(shop.runtime, ada, good, save=True)
    assert pay(shop, ada) == Result.PAID

    jobs.keep_house(shop.runtime, shop.tenant.id, minutely=True)

    assert [row.gateway_ref for row in rows(shop)] == [good]
    assert gateway(shop).describe(declined, merchant=shop.tenant.id, session_id=session_id) is None


def test_the_card_of_a_checkout_that_ran_out_is_let_go(shop: Shop) -> None:
    ada = known(shop)
    session_id = begin(shop, ada)
    ref = enter(shop, session_id)
    service.use_card(shop.runtime, ada, ref, save=True)
    with clock.shifted(service.SESSION_LIFE + timedelta(minutes=1)):
        jobs.keep_house(shop.runtime, shop.tenant.id, minutely=True)
    assert rows(shop) == []
    assert gateway(shop).describe(ref, merchant=shop.tenant.id, session_id=session_id) is None


def test_a_wallet_is_kept_as_one(shop: Shop) -> None:
    ada = known(shop)
    grant = Grant(shop.tenant.id, begin(shop, ada))
    entry = WalletEntry("4895370012003478", 12, 2040, "AAECAwQFBgcICQoLDA0ODxAREhM=", "05", "4242")
    service.use_card(shop.runtime, ada, gateway(shop).vault.keep_wallet(grant, entry).ref, save=True)
    assert pay(shop, ada) == Result.PAID
    assert wallet.keep_wanted(shop.runtime, shop.tenant.id) == 1
    assert shown(shop, ada) == [("wallet", "4242", False)]


def test_what_the_gateway_does_not_answer_is_asked_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = known(shop)
    bought(shop, ada)

    def silent(*_: object, **__: object) -> str:
        raise GatewayTimeout("No answer.")

    with monkeypatch.context() as patch:
        patch.setattr(gateway(shop), "keep", silent)
        assert (wallet.keep_wanted(shop.runtime, shop.tenant.id), shown(shop, ada)) == (0, [])
    assert (wallet.keep_wanted(shop.runtime, shop.tenant.id), len(shown(shop, ada))) == (1, 1)


def test_a_card_that_is_let_go_while_the_gateway_keeps_it_is_forgotten_there_too(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = known(shop)
    bought(shop, ada)
    tenant_id, forgotten = shop.tenant.id, []

    def meanwhile(*_: object, **__: object) -> str:
        with shop.uow() as session:
            erasing.request(session, tenant_id, ada.customer_id or "", requested_by="test", reason="x")
            session.execute(update(PaymentMethod).values(removed_at=clock.now()))
        wallet.forget_removed(shop.runtime, tenant_id)
        return "card_kept_under_this_name"

    def forget(ref: str, **_: object) -> None:
        forgotten.append(ref)

    monkeypatch.setattr(gateway(shop), "keep", meanwhile)
    monkeypatch.setattr(gateway(shop), "forget", forget)
    assert wallet.keep_wanted(shop.runtime, tenant_id) == 0
    assert shown(shop, ada) == []
    wallet.forget_removed(shop.runtime, tenant_id)
    assert (forgotten[-1], rows(shop)) == ("card_kept_under_this_name", [])


def test_cards_that_a_gateway_does_not_let_go_keep_no_other_waiting(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = known(shop)
    with shop.uow() as session:
        for number in range(wallet.BATCH + 1):
            row = {"id": new_id("payment_method"), "customer_id": ada.customer_id, "gateway": "sandbox"}
            facts = {"brand": "visa", "last4": "4242", "exp_month": 1, "exp_year": 2040, "removed_at": clock.now()}
            session.add(PaymentMethod(tenant_id=shop.tenant.id, gateway_ref=f"card_{number}", **row, **facts))
            session.flush()

    def forget(ref: str, **_: object) -> None:
        if ref != f"card_{wallet.BATCH}":
            raise GatewayTimeout("No answer.")

    monkeypatch.setattr(gateway(shop), "forget", forget)
    assert wallet.forget_removed(shop.runtime, shop.tenant.id) == 1
    assert len(rows(shop)) == wallet.BATCH


def test_what_is_kept_is_let_go_by_its_customer(shop: Shop) -> None:
    ada = known(shop)
    ref = bought(shop, ada)
    wallet.keep_wanted(shop.runtime, shop.tenant.id)
    with shop.uow() as session:
        wallet.remove_method(session, ada, rows(shop)[0].id)
    assert wallet.forget_removed(shop.runtime, shop.tenant.id) == 1
    assert gateway(shop).describe(ref, merchant=shop.tenant.id, session_id="cs_any") is None
    begin(shop, ada)
    with pytest.raises(InvalidInput):
        service.use_card(shop.runtime, ada, ref)


def test_a_wish_is_in_the_export_and_goes_with_its_customer(shop: Shop) -> None:
    ada = known(shop)
    session_id = begin(shop, ada)
    ref = enter(shop, session_id)
    service.use_card(shop.runtime, ada, ref, save=True)
    with shop.uow() as session:
        told = export(session, shop.tenant.id, ada.customer_id or "", actor="test").data
        assert [(row["last4"], row["kept_at"]) for row in told["payment_methods"]] == [("4242", None)]
        done = erasing.request(session, shop.tenant.id, ada.customer_id or "", requested_by=ada.id, reason="x")
        assert done.status == "done"
    assert wallet.keep_wanted(shop.runtime, shop.tenant.id) == 0
    wallet.forget_removed(shop.runtime, shop.tenant.id)
    assert rows(shop) == []
    assert gateway(shop).describe(ref, merchant=shop.tenant.id, session_id=session_id) is None


def test_the_audit_tells_the_wish_and_what_came_of_it(shop: Shop) -> None:
    ada = known(shop)
    bought(shop, ada)
    wallet.keep_wanted(shop.runtime, shop.tenant.id)
    with shop.uow() as session:
        query = select(AuditRow.action, AuditRow.actor).where(AuditRow.action.like("customer.method%"))
        assert [tuple(row) for row in session.execute(query.order_by(AuditRow.id))] == [
            ("customer.method_wanted", ada.id),
            ("customer.method_kept", "system"),
        ]
