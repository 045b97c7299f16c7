"""Each event is told once, to the buyer, in words that grant nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from engine.conversations import service as conversations
from engine.conversations.schemas import RunInput
from engine.customers import codes
from engine.fulfillment import tracking
from engine.fulfillment.release import release
from engine.fulfillment.shipments import ship_now
from engine.fulfillment.tracking import TrackingEvent
from engine.kit import clock, envelope, outbox
from engine.mail import consumer, sending, service
from engine.mail.models import Mail, MailStatus
from engine.mail.policy import MailPolicy
from engine.orders.models import Order, ShipmentStatus
from engine.orders.seller import SellerPolicy
from engine.payments import refunds, stored_value
from engine.payments.stored_value_models import StoredValueKind
from tests.engine.mail.post import letters, of, say, written
from tests.engine.orders.desk import Desk, buy, sibling
from tests.shop import Shop

LIVE_RUN = timedelta(seconds=6)


@pytest.fixture
def desk(shop: Shop) -> Desk:
    """Three of A (50.00) and one of B (20.00), shipped for 5.95 with 10 % tax: 193.55."""
    shop.add("A", price=5000)
    shop.add("B", price=2000)
    sibling(shop, "A", "A2", price=6000)
    return buy(shop, "A", 3, "B")


def confirmation(shop: Shop) -> Mail:
    with clock.shifted(LIVE_RUN):
        (found,) = of(shop, "order_confirmation")
    return found


def test_a_sale_is_confirmed_once(desk: Desk) -> None:
    shop = desk.shop
    assert written(shop) == []  # the conversation tells first
    row = confirmation(shop)
    number = desk.look().number
    assert (row.key, row.to_address, row.status) == (f"order.paid|{desk.order_id}", "ada@example.com", "queued")
    assert row.subject == f"Your order {number}"
    assert "  1 x Thing B: $20.00\n  3 x Thing A: $150.00" in row.text
    for words in ("Subtotal: $170.00", "Standard: $5.95", "WA tax: $17.60", "Total: $193.55"):
        assert words in row.text, row.text
    assert "It goes to A. B., Portland WA, US." in row.text

    with shop.uow() as session:
        session.execute(text("UPDATE app.outbox SET delivered_at = NULL WHERE consumer = 'mail'"))
    with clock.shifted(LIVE_RUN):
        consumer.write_letters(shop.runtime, shop.tenant.id)
    assert len(letters(shop)) == 1


def _speak(desk: Desk, *spoken: dict[str, Any]) -> None:
    """The buyer's conversation, in which the order was bought."""
    shop = desk.shop
    with shop.uow() as session:
        thread = conversations.create_thread(session, desk.buyer)
        session.get_one(Order, (shop.tenant.id, desk.order_id)).thread_id = thread.id
        for given in spoken:
            conversations.submit(session, desk.buyer, thread.id, RunInput.model_validate(given))


def test_a_letter_is_written_in_the_language_that_its_reader_speaks(desk: Desk) -> None:
    _speak(desk, {"message": "hello"}, {"message": "hola", "language": "es"})
    row = confirmation(desk.shop)
    assert row.subject == f"Su pedido {desk.look().number}"
    assert row.text.startswith("Gracias por su pedido")
    assert '<th scope="col"' in row.html
    assert "Cantidad" in row.html
    assert '<html lang="es">' in row.html
    assert "  3 x Thing A: $150.00" in row.text


@pytest.mark.parametrize("last", [{"message": "hello again"}, {"message": "bonjour", "language": "fr"}])
def test_where_there_are_no_words_in_it_a_letter_is_in_english(desk: Desk, last: dict[str, Any]) -> None:
    _speak(desk, {"message": "hola", "language": "es"}, last)
    assert confirmation(desk.shop).subject == f"Your order {desk.look().number}"


def test_a_code_is_told_in_the_language_that_was_spoken_last(shop: Shop) -> None:
    shopper = shop.shopper()
    with shop.uow() as session:
        thread = conversations.create_thread(session, shopper)
        conversations.submit(session, shopper, thread.id, RunInput(message="مرحبا", language="ar"))
        codes.ask(session, shop.runtime, shopper, "ada@example.com")
    (row,) = of(shop, "email_code")
    assert row.subject.startswith("رمزك لدى")
    assert 'lang="ar" dir="rtl"' in row.html


def test_a_letter_holds_no_street_no_link_and_no_picture(desk: Desk) -> None:
    row = confirmation(desk.shop)
    for part in (row.text, row.html):
        for secret in ("12 Pine", "97204", "Buyer", "http", "<img", "<a ", "<script", desk.order_id, desk.buyer.id):
            assert secret not in part, secret
    assert '<th scope="col"' in row.html
    assert '<html lang="en">' in row.html


def test_parcels_are_told_when_they_leave_and_when_they_arrive(desk: Desk) -> None:
    shop = desk.shop
    with shop.uow() as session:
        (work,) = release(session, shop.tenant.id, desk.order_id)
    shipment_id = ship_now(shop.runtime, shop.tenant.id, work.id)
    (shipped,) = of(shop, "order_shipped")
    assert shipped.key == f"order.shipped|{shipment_id}"
    assert "3 x Thing A: $150.00" in shipped.text
    assert f"Tracking number: {desk.look().shipments[0].tracking_number}" in shipped.text
    assert "The rest of your order follows" not in shipped.text

    event = TrackingEvent("e1", clock.now() + timedelta(hours=1), ShipmentStatus.DELIVERED, "Delivered")
    for _ in range(2):
        with shop.uow() as session:
            tracking.apply(session, shop.tenant.id, shipment_id, [event])
    (delivered,) = of(shop, "order_delivered")
    assert delivered.key == f"order.delivered|{shipment_id}"


def test_a_whole_cancel_is_one_letter_and_its_refund_another(desk: Desk) -> None:
    desk.do("cancel", reason="ordered_by_mistake")
    rows = {row.template: row for row in written(desk.shop)}
    assert set(rows) == {"order_canceled", "refund"}
    assert "Reason: Ordered by mistake" in rows["order_canceled"].text
    assert "$193.55 go back to you." in rows["order_canceled"].text
    assert "$193.55 of your order" in rows["refund"].text
    assert "were given back to your Test Visa" in rows["refund"].text


def test_a_change_is_told_with_what_it_cost(desk: Desk) -> None:
    swap = [{"line_id": desk.line("A").id, "to_variant_id": desk.shop.variants["A2"], "quantity": 1}]
    done = desk.do("items", swaps=swap)
    assert done.status == "applied", done
    (row,) = of(desk.shop, "order_changed")
    assert row.key == f"order.changed|{done.id}"
    assert "2 x Thing A: $100.00" in row.text
    assert "1 x Thing A (A2): $60.00" in row.text
    assert "Order total now: $204.55" in row.text
    assert "Charged: $11.00" in row.text


def test_a_goodwill_refund_is_told(desk: Desk) -> None:
    shop = desk.shop
    with shop.uow() as session:
        (refund,) = refunds.request(
            session, shop.tenant.id, order_id=desk.order_id, amount=500, tax=0, unearned=0, reason="sorry",
            requested_by="key_staff",
        )  # fmt: skip
    refunds.execute(shop.runtime, shop.tenant.id, refund.id)
    (row,) = of(shop, "refund")
    assert row.key == f"refund.succeeded|{refund.id}"
    assert "$5.00 of your order" in row.text


def test_a_code_goes_out_sealed_and_is_erased(shop: Shop) -> None:
    tenant_id, buyer = shop.tenant.id, shop.shopper()
    with shop.uow() as session:
        asked = codes.ask(session, shop.runtime, buyer, "ada@example.com")
        made = codes.letter(session, shop.runtime, session.scalars(select(outbox.OutboxRow)).one())
    assert made is not None
    (row,) = of(shop, "email_code")
    assert (row.key, row.to_address) == (f"customer.code_requested|{asked.id}", "ada@example.com")
    assert f"Your code is: {made.code}" in row.text
    assert "It is good for 10 minutes" in row.text
    assert (row.secret, row.expires_at) == (True, made.expires_at)

    sending.send_mail(shop.runtime, tenant_id)
    sending.erase_codes(shop.runtime, tenant_id)
    assert made.code in letters(shop)[0].text  # still good
    with clock.shifted(timedelta(minutes=11)):
        sending.erase_codes(shop.runtime, tenant_id)
    (row,) = letters(shop)
    assert (row.text, row.html, row.status, row.erased_at is None) == ("", "", "sent", False)


def test_a_gift_card_goes_to_whom_it_is_for_and_is_erased_a_day_later(shop: Shop) -> None:
    with shop.uow() as session:
        issued = stored_value.issue(
            session, shop.tenant.id, secret_key=shop.runtime.secret_key, kind=StoredValueKind.GIFT_CARD,
            amount=5000, currency="USD", actor="key_x", mail_to="bob@example.com",
        )  # fmt: skip
        assert issued.code is not None
        payload = session.scalars(select(outbox.OutboxRow.payload)).one()
        assert issued.code not in str(payload)
    (row,) = of(shop, "gift_card")
    assert (row.key, row.to_address) == (f"gift_card.issued|{issued.account.id}", "bob@example.com")
    assert f"Its code is: {issued.code}" in row.text
    assert "a gift card over $50.00" in row.text
    sending.send_mail(shop.runtime, shop.tenant.id)
    with clock.shifted(timedelta(hours=25)):
        assert sending.erase_codes(shop.runtime, shop.tenant.id) == 1
    assert letters(shop)[0].text == ""


def test_a_code_sealed_for_another_subject_is_not_written(shop: Shop) -> None:
    tenant_id, topic = shop.tenant.id, "gift_card.issued"
    sealed = envelope.seal_code(shop.runtime.secret_key, tenant_id, topic, "sva_1", "481516")
    with shop.uow() as session:
        payload = {"email": "b@example.com", "sealed": sealed, "amount": 1, "currency": "USD"}
        outbox.emit(session, tenant_id, topic, "sva_2", payload)
    assert written(shop) == []
    with shop.uow() as session:
        assert outbox.waiting(session, tenant_id, "mail") == 1


def test_a_code_nobody_could_send_in_time_is_not_sent(shop: Shop) -> None:
    with shop.uow() as session:
        service.write(
            session, shop.tenant.id, template="email_code", to="ada@example.com", data={"code": "1", "minutes": 10},
            key="k", expires_at=clock.now() + timedelta(minutes=10), secret=True,
        )  # fmt: skip
    with clock.shifted(timedelta(minutes=11)):
        assert sending.send_mail(shop.runtime, shop.tenant.id) == 0
    (row,) = letters(shop)
    assert (row.status, row.error) == (MailStatus.FAILED, "expired")


def test_a_return_label_is_told(desk: Desk) -> None:
    shop = desk.shop
    with shop.uow() as session:
        payload = {"order_id": desk.order_id, "number": "R10001", "instructions": "Drop it off by Friday."}
        outbox.emit(session, shop.tenant.id, "return.label_ready", "ret_1", payload)
    (row,) = of(shop, "return_label")
    assert (row.key, row.to_address) == ("return.label_ready|ret_1", "ada@example.com")
    assert "Your return R10001" in row.text


def test_the_shop_speaks_in_its_own_words_and_is_still_safe(desk: Desk) -> None:
    shop = desk.shop
    own = {"subject": "Hi! {{ order.number }}", "body": "A <b>bold</b> thank you.\n\n{{ items }}"}
    words = {"order_confirmation": own}
    say(shop, MailPolicy, templates=words, from_name="Ada's Shop", from_address="shop@shop.example", footer="Bye!")
    say(shop, SellerPolicy, legal_name="Shop Ltd", address=("1 Road", "Town"))
    row = confirmation(shop)
    assert row.subject == f"Hi! {desk.look().number}"
    assert "A <b>bold</b> thank you." in row.text
    assert "A &lt;b&gt;bold&lt;/b&gt; thank you." in row.html
    assert (row.from_name, row.from_address) == ("Ada's Shop", "shop@shop.example")
    assert row.text.endswith("-- \nBye!\nShop Ltd\n1 Road, Town\n")


def test_a_letter_the_shop_does_not_write(desk: Desk) -> None:
    say(desk.shop, MailPolicy, disabled=("order_confirmation",))
    with clock.shifted(LIVE_RUN):
        assert written(desk.shop) == []
    with desk.shop.uow() as session:
        assert outbox.waiting(session, desk.shop.tenant.id, "mail") == 0


def test_a_person_is_forgotten(desk: Desk) -> None:
    shop = desk.shop
    confirmation(shop)
    with shop.uow() as session:
        assert service.erase_person(session, shop.tenant.id, addresses=["ADA@example.com"]) == 1
    (row,) = letters(shop)
    assert (row.to_address, row.text, row.html, row.subject) == ("", "", "", "erased")
    assert (row.status, row.error) == ("failed", "erased")
    assert sending.send_mail(shop.runtime, shop.tenant.id) == 0


def test_an_address_that_cannot_be_is_kept_as_failed(shop: Shop) -> None:
    with shop.uow() as session:
        for number, bad in enumerate(("nobody", "a@b", "a@example.com\r\nBcc: x@example.com", "a b@example.com")):
            service.write(
                session, shop.tenant.id, template="email_code", to=bad, data={"code": "1", "minutes": 1},
                key=f"k{number}",
            )  # fmt: skip
    assert {(row.status, row.error) for row in letters(shop)} == {("failed", "bad_address")}
