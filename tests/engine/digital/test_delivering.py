"""What has no parcel is given once: through the chat's checkout, killed anywhere, raced, held, canceled beside."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from engine.catalog.models import Variant
from engine.checkout import service
from engine.checkout.complete import Completion, Result, complete
from engine.checks import check_tenant
from engine.db import Store
from engine.digital import access, codes
from engine.digital.delivering import FAILED, deliver_due, deliver_now
from engine.digital.errors import CodesInUse, NotDigital
from engine.digital.models import CodeStatus, DigitalCode, DigitalDelivery
from engine.finance.models import JournalEntry
from engine.fulfillment import exceptions, shipments
from engine.fulfillment.errors import NothingToShip, NotReleasable
from engine.fulfillment.models import Fulfillment, FulfillmentStatus
from engine.inventory.adjusting import adjust
from engine.inventory.errors import NotStocked
from engine.inventory.models import StockLevel
from engine.kit import faults
from engine.kit.errors import DomainError
from engine.kit.identity import Identity
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.orders import service as orders
from engine.orders.models import Order, OrderLine, OrderStatus
from engine.payments.models import Alert, Capture, Payment, PaymentStatus, Refund
from engine.payments.risk import RiskAnswer, RiskPolicy
from engine.returns.errors import FinalSale
from engine.returns.queries import returnable
from tests.engine.digital.goods import add_digital, staff
from tests.engine.inventory.stocked import set_variant
from tests.engine.mail.post import of
from tests.engine.orders.desk import Desk
from tests.shop import ADDRESS, Shop

BOOK = {"access_url": "https://read.example/{order}?key={access}", "instructions": "Any reader opens it."}
KEYS = {"codes": True}


class Killed(BaseException):
    """The process died here."""


def die_at(point: str) -> None:
    def hook(name: str) -> None:
        if name == point:
            faults.set_hook(None)
            raise Killed(point)

    faults.set_hook(hook)


def agreed(shop: Shop, *skus: str, **details: str) -> tuple[Identity, str]:
    """A shopper who has agreed to buy these: an e-mail is all that was said, but for ``details``."""
    buyer = shop.shopper()
    for sku in skus:
        shop.fill(buyer, sku)
    with shop.uow() as session:
        view = service.update(session, buyer, service.Details(email="ada@example.com", **details))
    assert (view.missing, view.problems) == ([], [])
    card = shop.card(buyer)
    shop.approve(buyer, card.id)
    return buyer, card.id


def bought(shop: Shop, *skus: str, **details: str) -> tuple[Identity, Completion]:
    buyer, card_id = agreed(shop, *skus, **details)
    return buyer, complete(shop.runtime, buyer, card_id)


def given(shop: Shop, order_id: str) -> list[access.Access]:
    with shop.uow() as session:
        return access.of_orders(session, shop.runtime.secret_key, shop.tenant.id, [order_id]).get(order_id, [])


def one_order(shop: Shop) -> Order:
    with shop.uow() as session:
        return session.scalars(select(Order).where(Order.placed_at.is_not(None))).one()


def clean(shop: Shop) -> None:
    assert [one for one in check_tenant(shop.runtime, shop.tenant.id, shop.tenant.slug) if not one.ok] == []


def test_the_card_says_that_it_comes_by_mail_and_an_email_is_all_that_is_needed(shop: Shop) -> None:
    add_digital(shop, "BOOK", price=2000, digital=BOOK)
    buyer = shop.shopper()
    shop.fill(buyer, "BOOK")
    with shop.uow() as session:
        assert service.start(session, buyer).missing == ["email"]
        service.update(session, buyer, service.Details(email="ada@example.com"))
    card = shop.card(buyer).checkout
    assert (card.ship_to, card.fulfillment.title, card.total.amount) == (None, "Delivered by e-mail at once", 2000)
    assert [row.amount for row in card.totals if row.type == "fulfillment"] == [0]


def test_a_sale_is_three_trips_with_a_parcel_beside_it_too(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    add_digital(shop, "BOOK", digital=BOOK)
    shop.add("LAMP", stock={"EAST": 5})
    buyer, card_id = agreed(shop, "BOOK", "LAMP", **ADDRESS)
    calls: list[str] = []
    asking = Store.asking
    with monkeypatch.context() as patch:
        patch.setattr(Store, "asking", lambda self, *asks: (calls.append("ask"), asking(self, *asks))[1])
        assert complete(shop.runtime, buyer, card_id).result == Result.PAID
    assert calls == ["ask"] * 3


def test_its_buyer_gets_a_letter_with_it_and_nobody_else_reads_that(shop: Shop) -> None:
    add_digital(shop, "BOOK", price=2000, digital=BOOK | KEYS, codes=["AAAA-1"], cost=700)
    _, done = bought(shop, "BOOK")
    assert done.order is not None
    assert [(line.digital, line.way) for line in done.order.lines] == [(True, "Delivered by e-mail at once")]
    assert deliver_due(shop.runtime, shop.tenant.id) == 1
    (found,) = given(shop, done.order.id)
    (letter,) = of(shop, "digital_delivery")
    assert (letter.to_address, letter.secret) == ("ada@example.com", True)
    assert letter.subject == f"Here it is: your order {done.order.number}"
    assert f"1 x Thing BOOK: {found.url} - code AAAA-1" in letter.text
    assert "Any reader opens it." in letter.text
    assert of(shop, "order_shipped") == [] == of(shop, "order_delivered")
    assert "AAAA-1" not in repr(found)
    with shop.uow() as session:
        (code,) = session.scalars(select(DigitalCode))
        assert b"AAAA-1" not in code.code_sealed
        kinds = [
            entry.kind for entry in session.scalars(select(JournalEntry).where(JournalEntry.order_id.is_not(None)))
        ]
    assert sorted(kinds) == ["capture", "shipment"]
    clean(shop)


@pytest.mark.parametrize("point", faults.DIGITAL_POINTS)
def test_killed_anywhere_it_is_given_once(shop: Shop, point: str) -> None:
    add_digital(shop, "KEY", digital=KEYS, codes=["AAAA-1", "BBBB-2"])
    _, done = bought(shop, "KEY")
    assert done.order is not None
    die_at(point)
    with pytest.raises(Killed):
        deliver_now(shop.runtime, shop.tenant.id, done.order.id)
    deliver_due(shop.runtime, shop.tenant.id)
    (found,) = given(shop, done.order.id)
    assert len(found.codes) == 1
    with shop.uow() as session:
        assert codes.pool(session, shop.tenant.id, shop.variants["KEY"]).claimed == 1
    clean(shop)


def test_many_at_once_give_it_once(shop: Shop) -> None:
    add_digital(shop, "KEY", digital=KEYS, codes=["AAAA-1", "BBBB-2", "CCCC-3"])
    _, done = bought(shop, "KEY")
    assert done.order is not None
    order_id = done.order.id
    with ThreadPoolExecutor(6) as pool:
        sent = list(pool.map(lambda _: deliver_now(shop.runtime, shop.tenant.id, order_id), range(6)))
    assert sum(len(one) for one in sent) == 1
    assert len(given(shop, order_id)[0].codes) == 1
    clean(shop)


def test_the_last_codes_are_sold_once(shop: Shop) -> None:
    add_digital(shop, "KEY", digital=KEYS, codes=["AAAA-1", "BBBB-2"])
    cards = [agreed(shop, "KEY") for _ in range(5)]
    with ThreadPoolExecutor(5) as pool:
        done = list(pool.map(lambda one: complete(shop.runtime, *one).result, cards))
    assert sorted(done) == [Result.CHANGED] * 3 + [Result.PAID] * 2
    deliver_due(shop.runtime, shop.tenant.id)
    with shop.uow() as session:
        rows = session.scalars(select(DigitalCode)).all()
        assert [row.status for row in rows] == [CodeStatus.CLAIMED] * 2
        assert len({row.delivery_id for row in rows}) == 2
    clean(shop)


def test_what_a_person_looks_at_is_given_when_they_let_it_go(shop: Shop) -> None:
    add_digital(shop, "BOOK", price=2000, digital=BOOK)
    with shop.uow() as session:
        change_policy(session.get_one(Tenant, shop.tenant.id), RiskPolicy, {"review_from": 1_000})
    _, done = bought(shop, "BOOK")
    assert done.order is not None
    assert (RiskAnswer.REVIEW, done.order.status) == ("review", "on_hold")
    assert deliver_due(shop.runtime, shop.tenant.id) == 0
    with pytest.raises(NotReleasable):
        deliver_now(shop.runtime, shop.tenant.id, done.order.id)
    assert given(shop, done.order.id) == []
    with shop.uow() as session:
        orders.resume(session, orders.lock(session, shop.tenant.id, done.order.id), actor="staff")
    assert deliver_due(shop.runtime, shop.tenant.id) == 1
    with shop.uow() as session:
        payment = session.scalars(select(Payment)).one()
        assert (payment.status, session.scalars(select(Capture.amount)).one()) == (PaymentStatus.CAPTURED, 2000)
    assert len(given(shop, done.order.id)) == 1
    clean(shop)


def test_beside_what_is_still_to_come_only_its_own_money_is_taken(shop: Shop) -> None:
    add_digital(shop, "BOOK", price=2000, digital=BOOK)
    shop.add("LAMP", price=5000, stock={"EAST": 0})
    set_variant(shop, "LAMP", stock_policy="backorder")
    _, done = bought(shop, "BOOK", "LAMP", **ADDRESS)
    assert done.order is not None
    assert deliver_due(shop.runtime, shop.tenant.id) == 1
    with shop.uow() as session:
        assert session.scalars(select(Capture.amount)).all() == [2200], "the book and its tax, no shipping"
    assert one_order(shop).status == OrderStatus.OPEN
    clean(shop)


def test_a_parcel_that_is_canceled_takes_its_shipping_along(shop: Shop) -> None:
    add_digital(shop, "BOOK", price=2000, digital=BOOK)
    shop.add("LAMP", price=5000, stock={"EAST": 5})
    buyer, done = bought(shop, "BOOK", "LAMP", **ADDRESS)
    assert done.order is not None
    deliver_due(shop.runtime, shop.tenant.id)
    desk = Desk(shop, buyer, done.order.id)
    lamp = next(line for line in done.order.lines if not line.digital)
    desk.do("cancel", reason="other", lines=[{"line_id": lamp.id, "quantity": 1}])
    with shop.uow() as session:
        assert session.scalars(select(Refund.amount)).all() == [5000 + 595 + 560]
        book = session.scalars(select(OrderLine).where(OrderLine.digital)).one()
        assert (book.delivered, book.canceled) == (1, 0)
    assert one_order(shop).status == OrderStatus.CLOSED
    clean(shop)


def test_before_it_is_given_it_can_be_canceled_and_its_code_is_free(shop: Shop) -> None:
    add_digital(shop, "KEY", price=3000, digital=KEYS, codes=["AAAA-1"])
    buyer, done = bought(shop, "KEY")
    assert done.order is not None
    Desk(shop, buyer, done.order.id).do("cancel", reason="other")
    assert deliver_due(shop.runtime, shop.tenant.id) == 0
    with shop.uow() as session:
        assert session.scalars(select(DigitalCode.status)).one() == CodeStatus.FREE
        assert session.scalars(select(StockLevel.reserved)).one() == 0
    clean(shop)


def test_nothing_of_it_comes_back(shop: Shop) -> None:
    add_digital(shop, "BOOK", digital=BOOK)
    buyer, done = bought(shop, "BOOK")
    assert done.order is not None
    deliver_due(shop.runtime, shop.tenant.id)
    with shop.uow() as session:
        view: Any = returnable(session, buyer, done.order.id)
    assert [(line.units, line.units_for_fault, line.code) for line in view.lines] == [(0, 0, FinalSale.code)]


def test_codes_that_are_missing_wait_for_people_and_not_for_ever(shop: Shop) -> None:
    """Nobody can take them away but by going around the pool: then an alert says so until there are some."""
    add_digital(shop, "KEY", digital=KEYS, codes=["AAAA-1", "BBBB-2"])
    _, done = bought(shop, "KEY")
    assert done.order is not None
    with shop.uow() as session:
        taken = session.scalars(select(DigitalCode)).all()
        for row in taken:
            session.delete(row)
    assert deliver_due(shop.runtime, shop.tenant.id) == 0
    with shop.uow() as session:
        alert = session.scalars(select(Alert).where(Alert.kind == FAILED)).one()
        assert (alert.subject, alert.resolved_at) == (done.order.id, None)
        codes.add(session, shop.runtime.secret_key, staff(shop), shop.variants["KEY"], ["CCCC-3"])
    assert deliver_due(shop.runtime, shop.tenant.id) == 1
    assert given(shop, done.order.id)[0].codes == ("CCCC-3",)
    with shop.uow() as session:
        assert session.scalars(select(Alert.resolved_at).where(Alert.kind == FAILED)).one() is not None


def test_nobody_sends_it_by_hand_or_misses_it_on_a_shelf(shop: Shop) -> None:
    """What waits for codes is open work: sent without them, its buyer would never be given it."""
    add_digital(shop, "KEY", digital=KEYS, codes=["AAAA-1"])
    _, done = bought(shop, "KEY")
    assert done.order is not None
    with shop.uow() as session:
        session.delete(session.scalars(select(DigitalCode)).one())
    assert deliver_due(shop.runtime, shop.tenant.id) == 0
    line_id = done.order.lines[0].id
    with shop.uow() as session:
        waits = session.scalars(select(Fulfillment.id)).one()
        with pytest.raises(NothingToShip):
            shipments.ship(session, shop.tenant.id, waits, actor="staff")
        with pytest.raises(NothingToShip):
            exceptions.short_pick(session, shop.tenant.id, waits, short={line_id: 1}, actor="staff")
    with shop.uow() as session:
        line = session.get_one(OrderLine, (shop.tenant.id, line_id))
        assert (line.allocated, line.released, line.shipped) == (1, 1, 0)
        assert session.scalars(select(StockLevel.on_hand)).one() == 1
        assert session.get_one(Fulfillment, (shop.tenant.id, waits)).status == FulfillmentStatus.RELEASED


def test_a_pool_knows_its_codes_and_is_no_shelf(shop: Shop) -> None:
    variant = add_digital(shop, "KEY", digital=KEYS, codes=["AAAA-1", "BBBB-2"])
    secret, people = shop.runtime.secret_key, staff(shop)
    with shop.uow() as session:
        again = codes.add(session, secret, people, variant, ["AAAA-1", " CCCC-3 ", "CCCC-3"])
        assert (again.added, again.known, again.pool.free) == (1, 2, 3)
        assert codes.withdraw(session, people, variant, 1).free == 2
    for work in (
        lambda s: codes.withdraw(s, people, variant, 3),
        lambda s: codes.add(s, secret, people, variant, ["x\ny"]),
        lambda s: codes.add(s, secret, people, shop.add("LAMP"), ["x"]),
        lambda s: adjust(
            s,
            shop.tenant.id,
            actor="x",
            variant_id=variant,
            location_id=shop.locations["EAST"],
            delta=1,
            reason="found",
        ),
    ):
        with pytest.raises(DomainError) as refused, shop.uow() as session:
            work(session)
        assert "x\ny" not in refused.value.message
        assert (
            isinstance(refused.value, CodesInUse | NotDigital | NotStocked) or refused.value.code == "invalid_request"
        )
    with shop.uow() as session:
        assert codes.pool(session, shop.tenant.id, variant).free == 2
        assert session.scalars(select(StockLevel.on_hand).where(StockLevel.variant_id == variant)).one() == 2
    clean(shop)


def test_codes_that_are_sold_are_not_taken_out(shop: Shop) -> None:
    variant = add_digital(shop, "KEY", digital=KEYS, codes=["AAAA-1"])
    bought(shop, "KEY")
    with pytest.raises(CodesInUse), shop.uow() as session:
        codes.withdraw(session, staff(shop), variant, 1)
    assert deliver_due(shop.runtime, shop.tenant.id) == 1


def test_another_shops_key_opens_nothing(shop: Shop) -> None:
    add_digital(shop, "BOOK", digital=BOOK)
    bought(shop, "BOOK")
    deliver_due(shop.runtime, shop.tenant.id)
    with shop.uow() as session:
        row = session.scalars(select(DigitalDelivery)).one()
        variant = session.scalars(select(Variant)).one()
        good = access.access_key(shop.runtime.secret_key, shop.tenant.id, row.id)
        assert access.granted(session, shop.runtime.secret_key, shop.tenant.id, good).sku == variant.sku
        for wrong in (good[:-1] + "x", row.id, "", "dgd_x.y", access.access_key(b"other", shop.tenant.id, row.id)):
            with pytest.raises(DomainError):
                access.granted(session, shop.runtime.secret_key, shop.tenant.id, wrong)
