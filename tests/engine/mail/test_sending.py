"""At least once, with one Message-ID: refused for good, not now, gone, and the plug pulled in between."""

from __future__ import annotations

import email
import email.policy
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from engine.kit import clock
from engine.kit.holds import Restore
from engine.kit.tenancy import Tenant
from engine.mail import health, sending, service
from engine.mail.errors import LetterDeferred, LetterRefused, MailServerDown
from engine.mail.mailer import Letter, message
from engine.mail.models import Mail
from engine.mail.policy import MailPolicy
from engine.mail.smtp import SmtpAddress, SmtpMailer
from tests.engine.checkout.test_complete import Killed, die_at
from tests.engine.mail.post import Carrier, letters, open_for_real, say, smtp_server
from tests.shop import Shop

LATER = timedelta(hours=5)


def put(shop: Shop, *keys: str, to: str = "ada@example.com") -> None:
    with shop.uow() as session:
        for key in keys:
            data = {"order": {"number": key}, "refund": {"amount": "$1.00", "to": "your card"}}
            service.write(session, shop.tenant.id, template="refund", to=to, data=data, key=key)


def states(shop: Shop) -> list[tuple[str, int, str]]:
    return [(row.status, row.attempts, row.error) for row in letters(shop)]


def only(shop: Shop) -> Mail:
    (row,) = letters(shop)
    return row


def test_the_same_key_is_written_once(shop: Shop) -> None:
    put(shop, "a")
    put(shop, "a", to="other@example.com")
    assert only(shop).to_address == "ada@example.com"


def test_two_at_once_write_it_once_and_send_it_once(shop: Shop) -> None:
    carrier = Carrier()
    runtime = open_for_real(shop, carrier)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: put(shop, "a"), range(4)))
        list(pool.map(lambda _: sending.send_mail(runtime, shop.tenant.id), range(4)))
    assert [letter.id for letter in carrier.taken] == [only(shop).id]
    assert states(shop) == [("sent", 1, "")]


def test_a_demo_shop_writes_to_nobody(shop: Shop) -> None:
    carrier = Carrier()
    runtime = open_for_real(shop, carrier)
    with shop.uow() as session:
        session.get_one(Tenant, shop.tenant.id).demo = True
    put(shop, "a")
    assert sending.send_mail(runtime, shop.tenant.id) == 1
    assert (carrier.opened, only(shop).channel) == (0, "outbox")


def test_without_a_mail_server_letters_wait_and_it_is_said(shop: Shop) -> None:
    runtime = open_for_real(shop)
    put(shop, "a")
    assert sending.send_mail(runtime, shop.tenant.id) == 0
    assert states(shop) == [("queued", 0, "")]
    with shop.uow() as session:
        told = health.facts_of(session, session.get_one(Tenant, shop.tenant.id), server=False)
    assert (told["goes_to"], told["waiting"]) == ("nowhere", 1)
    assert "none is sent" in told["problem"]


def test_without_a_sender_letters_wait_until_there_is_one(shop: Shop) -> None:
    carrier = Carrier()
    runtime = open_for_real(shop, carrier)
    with shop.uow() as session:
        tenant = session.get_one(Tenant, shop.tenant.id)
        tenant.settings = {key: value for key, value in tenant.settings.items() if key != "support_email"}
    put(shop, "a")
    assert sending.send_mail(runtime, shop.tenant.id) == 0
    assert states(shop) == [("queued", 0, "sender_unknown")]
    say(shop, MailPolicy, from_address="shop@shop.example")
    with clock.shifted(LATER):
        assert sending.send_mail(runtime, shop.tenant.id) == 1
    assert carrier.taken[0].from_address == "shop@shop.example"


def test_a_refused_letter_is_not_tried_again_until_staff_say_so(shop: Shop) -> None:
    carrier = Carrier(errors=[LetterRefused("recipient refused: 550")])
    runtime = open_for_real(shop, carrier)
    put(shop, "a", "b")
    assert sending.send_mail(runtime, shop.tenant.id) == 1
    assert states(shop) == [("failed", 1, "recipient refused: 550"), ("sent", 1, "")]
    with clock.shifted(LATER):
        assert sending.send_mail(runtime, shop.tenant.id) == 0
    with shop.uow() as session:
        service.try_again(session, shop.tenant.id, letters(shop)[0].id, actor="key_x")
    assert sending.send_mail(runtime, shop.tenant.id) == 1


def test_a_deferred_letter_waits_longer_each_time_and_is_given_up(shop: Shop) -> None:
    carrier = Carrier(errors=[LetterDeferred("busy 451")] * 20)
    runtime = open_for_real(shop, carrier)
    put(shop, "a")
    waits, moved = [], timedelta()
    for _ in range(sending.MAX_ATTEMPTS):
        with clock.shifted(moved):
            now = clock.now()
            sending.send_mail(runtime, shop.tenant.id)
            waits.append(round((only(shop).available_at - now).total_seconds()))
        moved += LATER
    assert waits[:4] == [15, 30, 60, 120]
    assert waits[-2] == 4 * 3600
    assert states(shop) == [("failed", 14, "tried_too_often: busy 451")]


def test_a_server_that_goes_away_costs_one_letter_one_try(shop: Shop) -> None:
    carrier = Carrier(errors=[None, MailServerDown("gone")])
    runtime = open_for_real(shop, carrier)
    put(shop, "a", "b", "c")
    assert sending.send_mail(runtime, shop.tenant.id) == 1
    assert states(shop) == [("sent", 1, ""), ("queued", 1, "gone"), ("queued", 0, "gone")]
    carrier.down = MailServerDown("still gone")
    with clock.shifted(LATER):
        assert sending.send_mail(runtime, shop.tenant.id) == 0
    assert states(shop) == [("sent", 1, ""), ("queued", 1, "still gone"), ("queued", 0, "still gone")]
    carrier.down = None
    with clock.shifted(LATER * 2):
        assert sending.send_mail(runtime, shop.tenant.id) == 2


def test_nothing_is_sent_while_a_restore_is_held(shop: Shop) -> None:
    carrier = Carrier()
    runtime = open_for_real(shop, carrier)
    put(shop, "a")
    with shop.uow() as session:
        session.add(Restore(tenant_id=shop.tenant.id, horizon=clock.now(), restored_at=clock.now()))
    assert sending.send_mail(runtime, shop.tenant.id) == 0
    assert states(shop) == [("queued", 0, "")]
    with shop.uow() as session:
        session.get_one(Restore, shop.tenant.id).lifted_at = clock.now()
    assert sending.send_mail(runtime, shop.tenant.id) == 1


@pytest.mark.parametrize(("point", "times"), [("mail_before_send", 1), ("mail_after_send", 2)])
def test_a_crash_sends_twice_at_most_and_the_double_shows(shop: Shop, point: str, times: int) -> None:
    carrier = Carrier()
    runtime = open_for_real(shop, carrier)
    put(shop, "a")
    die_at(point)
    with pytest.raises(Killed):
        sending.send_mail(runtime, shop.tenant.id)
    assert sending.send_mail(runtime, shop.tenant.id) == 0  # the lease holds
    with clock.shifted(LATER):
        assert sending.send_mail(runtime, shop.tenant.id) == 1
    assert len(carrier.taken) == times
    assert {message(letter)["Message-ID"] for letter in carrier.taken} == {f"<{only(shop).id}@shop.example>"}
    assert only(shop).status == "sent"


def smtp(shop: Shop, url: str) -> int:
    return sending.send_mail(open_for_real(shop, SmtpMailer(SmtpAddress.parse(url))), shop.tenant.id)


def test_a_letter_travels_by_smtp(shop: Shop) -> None:
    put(shop, "a")
    with smtp_server() as server:
        assert smtp(shop, f"smtp://me:se%40cret@127.0.0.1:{server.port}") == 1
    assert "mail FROM:<help@shop.example>" in server.heard[2]
    assert server.heard[3] == "rcpt TO:<ada@example.com>"
    assert server.heard[1].startswith("AUTH PLAIN ")
    got = email.message_from_bytes(server.messages[0], policy=email.policy.default)
    row = only(shop)
    assert (got["From"], got["To"]) == ("Test Shop <help@shop.example>", "ada@example.com")
    assert (got["Subject"], got["Message-ID"]) == ("Your refund for order a", f"<{row.id}@shop.example>")
    assert got["Auto-Submitted"] == "auto-generated"
    plain, html = got.get_body(("plain",)), got.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().replace("\r\n", "\n") == row.text
    assert html.get_content().replace("\r\n", "\n") == row.html + "\n"
    assert row.channel == "smtp"


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ({"RCPT": "550 no such user ada@example.com"}, ("failed", 1, "recipient refused: 550")),
        ({"RCPT": "451 later"}, ("queued", 1, "recipient refused: 451")),
        ({"MAIL": "550 not from you"}, ("queued", 1, "SMTPSenderRefused 550")),
        ({"END": "554 spam"}, ("failed", 1, "SMTPDataError 554")),
        ({"END": "452 full"}, ("queued", 1, "SMTPDataError 452")),
        ({"DATA": "drop"}, ("queued", 1, "SMTPServerDisconnected")),
        ({"EHLO": "drop", "HELO": "drop"}, ("queued", 0, "SMTPServerDisconnected")),
    ],
)
def test_what_the_server_says_decides(shop: Shop, answers: dict[str, str], state: tuple[str, int, str]) -> None:
    put(shop, "a")
    with smtp_server(**answers) as server:
        assert smtp(shop, f"smtp://127.0.0.1:{server.port}?starttls={0}") == 0
    assert states(shop) == [state]


def test_a_password_is_neither_told_nor_sent_in_the_clear(shop: Shop) -> None:
    put(shop, "a")
    with smtp_server(AUTH="535 no") as server:
        mailer = SmtpMailer(SmtpAddress.parse(f"smtp://me:hidden@127.0.0.1:{server.port}"))
        runtime = open_for_real(shop, mailer)
        assert sending.send_mail(runtime, shop.tenant.id) == 0
        assert mailer.resting
        assert sending.send_mail(runtime, shop.tenant.id) == 0
    assert states(shop) == [("queued", 0, "SMTPAuthenticationError 535")]
    assert "hidden" not in repr(SmtpAddress.parse("smtps://me:hidden@mail.example"))
    for url in (
        "smtp://me:hidden@mail.example?starttls=0",
        "http://me:hidden@x",
        "smtp://me:hid/den@x:25",
        "smtp://x:y",
    ):
        with pytest.raises(ValueError, match=r"TLS|smtp://|port") as told:
            SmtpAddress.parse(url)
        assert "hid" not in str(told.value)


def test_tls_is_asked_for_and_not_done_without(shop: Shop) -> None:
    put(shop, "a")
    with smtp_server() as server:
        assert smtp(shop, f"smtp://127.0.0.1:{server.port}?starttls=1") == 0
    assert states(shop) == [("queued", 0, "SMTPNotSupportedError")]
    assert server.messages == []
    assert SmtpAddress.parse("smtp://mail.example").starttls
    assert SmtpAddress.parse("smtps://mail.example").port == 465


@pytest.mark.parametrize("field", ["from_name", "subject", "to_address", "reply_to", "from_address"])
def test_a_line_break_in_a_header_gets_nowhere(field: str) -> None:
    facts = {
        "id": "eml_1",
        "from_name": "Shop",
        "from_address": "shop@shop.example",
        "reply_to": "help@shop.example",
        "to_address": "ada@example.com",
        "subject": "Hello",
        "text": "Hello",
        "html": "<p>Hello",
        "created_at": clock.now(),
    }
    assert message(Letter(**facts)).as_bytes().count(b"Bcc") == 0
    with pytest.raises(LetterRefused):
        message(Letter(**(facts | {field: f"{facts[field]}\r\nBcc: victim@example.com"})))
