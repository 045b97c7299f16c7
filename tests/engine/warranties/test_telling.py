"""What is told of a claim, by whom it is decided in time, and what is left of it when its customer is erased."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from engine.kit import clock
from engine.kit.outbox import OutboxRow
from engine.mail.models import Mail
from engine.payments.models import Alert
from engine.warranties import deciding, watch
from tests.engine.orders.desk import Desk, broken
from tests.engine.warranties.fault import REPAIR, REPLACEMENT, claim, delivered, grant, housework, look, review
from tests.shop import Shop


def told(desk: Desk) -> list[tuple[str, str]]:
    with desk.shop.uow() as session:
        query = select(OutboxRow).where(
            OutboxRow.tenant_id == desk.shop.tenant.id,
            OutboxRow.consumer == "conversation",
            OutboxRow.topic.like("claim.%"),
        )
        return [(row.topic, row.payload["words"]) for row in session.scalars(query.order_by(OutboxRow.id))]


def alerts(desk: Desk) -> list[str]:
    with desk.shop.uow() as session:
        query = select(Alert.kind).where(Alert.tenant_id == desk.shop.tenant.id, Alert.resolved_at.is_(None))
        return list(session.scalars(query))


def test_its_shopper_hears_in_plain_words_and_never_the_staffs(shop: Shop) -> None:
    desk = delivered(shop)
    made = grant(desk, REPLACEMENT, message="Sorry for that.", note="Cheap batch.")
    number = made.number
    assert told(desk) == [
        ("claim.submitted", f"Warranty claim {number} is with the shop."),
        ("claim.approved", f"Warranty claim {number} is approved: you get a replacement. Sorry for that."),
        ("claim.resolved", f"Warranty claim {number}: a replacement is being sent."),
    ]
    housework(desk)
    with shop.uow() as session:
        query = select(Mail).where(Mail.tenant_id == shop.tenant.id, Mail.template == "warranty_decision")
        (letter,) = session.scalars(query)
    assert "Sorry for that." in letter.text
    assert "Cheap batch." not in letter.text


def test_a_denial_says_why(shop: Shop) -> None:
    desk = delivered(shop)
    made = claim(desk)
    review(desk, made)
    with shop.uow() as session:
        deciding.deny(session, shop.tenant.id, made, message="It was dropped.", note="Liar.", actor="key_staff")
    number = look(desk, made).number
    assert told(desk)[-1] == ("claim.denied", f"Warranty claim {number} was not accepted. It was dropped.")
    with clock.shifted(timedelta(days=15)):
        watch.watch_claims(shop.runtime, shop.tenant.id)
    assert (str(look(desk, made).status), look(desk, made).message) == ("closed", "It was dropped.")


def test_what_takes_too_long_is_an_alert_until_it_is_done(shop: Shop) -> None:
    desk = delivered(shop)
    made = claim(desk)
    watch.watch_claims(shop.runtime, shop.tenant.id)
    assert alerts(desk) == []
    with clock.shifted(timedelta(hours=25)):
        watch.watch_claims(shop.runtime, shop.tenant.id)
        assert alerts(desk) == ["claim_late"]
        review(desk, made)
    assert alerts(desk) == []


def test_a_unit_that_is_never_sent_in_runs_out(shop: Shop) -> None:
    desk = delivered(shop)
    made = grant(desk, REPAIR)
    with clock.shifted(timedelta(days=20)):
        watch.watch_claims(shop.runtime, shop.tenant.id)
        assert str(look(desk, made.id).status) == "approved"
    with clock.shifted(timedelta(days=22)):
        watch.watch_claims(shop.runtime, shop.tenant.id)
    assert str(look(desk, made.id).status) == "expired"
    assert broken(shop) == []
