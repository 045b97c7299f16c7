"""Events for platforms, against a real receiver: each arrives, in order, signed, whatever happens on the way."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from engine.agentic import receivers, sending, signing, webhooks
from engine.agentic.models import AgentPlatform, PlatformStatus
from engine.agentic.webhook_models import EventNaming, WebhookEvent, WebhookReceiver, WebhookStatus
from engine.kit import clock, faults
from engine.kit.errors import NotFound
from engine.kit.holds import Restore
from engine.kit.identity import Identity
from engine.kit.outward import AddressRefused, Outward
from engine.kit.tenancy import Tenant
from engine.payments.models import Alert
from tests.app.acp.official import valid
from tests.engine.agentic.platform_orders import buy_as, hears, platform, shaped
from tests.engine.orders.desk import Desk, buy
from tests.engine.returns.coming import deliver
from tests.receiver import Receiver, Says, receiving
from tests.shop import Shop

pytestmark = pytest.mark.usefixtures("still_clock")
LATER = timedelta(hours=8)
"""Longer than any wait between two tries."""


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def buyer(shop: Shop, there: Receiver) -> Identity:
    """A platform that hears of its orders."""
    shop.add("A", price=5000, stock={"EAST": 100})
    found = platform(shop)
    hears(shop, found, f"{there.url}/events")
    return found


def tell(shop: Shop) -> None:
    webhooks.tell_platforms(shop.runtime, shop.tenant.id)


def send(shop: Shop) -> int:
    return sending.send_due(shop.runtime, shop.tenant.id)


def go(shop: Shop) -> int:
    tell(shop)
    return send(shop)


def events(shop: Shop) -> list[WebhookEvent]:
    with shop.uow() as session:
        return list(session.scalars(select(WebhookEvent).order_by(WebhookEvent.seq)))


def states(shop: Shop) -> list[tuple[str, str, int]]:
    return [(row.type, row.status, row.attempts) for row in events(shop)]


def receiver(shop: Shop) -> WebhookReceiver:
    with shop.uow() as session:
        return session.scalars(select(WebhookReceiver)).one()


def alerts(shop: Shop) -> list[tuple[str, str]]:
    with shop.uow() as session:
        rows = session.execute(select(Alert.kind, Alert.subject).where(Alert.resolved_at.is_(None)))
        return sorted((row.kind, row.subject) for row in rows)


def told(there: Receiver) -> list[tuple[str, str]]:
    return [(body["type"], body["data"]["status"]) for body in there.bodies()]


def cancel(desk: Desk) -> None:
    desk.do("cancel", reason="other")


def test_a_sale_and_what_follows_are_told_with_the_whole_order(shop: Shop, buyer: Identity, there: Receiver) -> None:
    desk = buy_as(shop, buyer, "A", 2)
    assert go(shop) == 1
    deliver(desk)
    assert go(shop) == 1
    assert go(shop) == 0

    assert told(there) == [("order_create", "confirmed"), ("order_update", "completed")]
    assert there.bodies()[1]["data"] == shaped_here(desk)
    for body in there.bodies():
        assert set(body) == {"type", "data"}
        valid("Order", body["data"])
    assert states(shop) == [("order_create", "delivered", 1), ("order_update", "delivered", 1)]
    assert set(events(shop)[1].topics) == {"order.shipped", "order.delivered", "order.closed"}


def shaped_here(desk: Desk) -> dict[str, Any]:
    return json.loads(json.dumps(shaped(desk)).replace("https://shop.example", desk.shop.runtime.web_origin))


def test_the_signature_is_the_secrets_and_the_headers_are_the_protocols(
    shop: Shop, buyer: Identity, there: Receiver
) -> None:
    with shop.uow() as session:
        row = session.get_one(AgentPlatform, (shop.tenant.id, buyer.id))
        (secret,) = receivers.secrets_of(shop.runtime, row)
    buy_as(shop, buyer, "A")
    go(shop)
    (heard,) = there.heard

    assert (heard.method, heard.path) == ("POST", "/events")
    signature = heard.headers["merchant-signature"]
    found = re.fullmatch(r"t=(\d+),v1=[a-f0-9]{64}", signature)
    assert found
    assert signature == signing.sign(secret.value, heard.body, at=int(found[1]))
    assert abs(int(found[1]) - clock.now().timestamp()) < 2
    assert heard.headers["request-id"] == events(shop)[0].id
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["timestamp"].endswith("Z")


def test_a_retry_is_the_same_event_signed_anew_with_the_order_as_it_is_then(
    shop: Shop, buyer: Identity, there: Receiver
) -> None:
    there.says = lambda _: Says(500)
    desk = buy_as(shop, buyer, "A")
    assert go(shop) == 0
    assert states(shop) == [("order_create", "queued", 1)]
    assert events(shop)[0].error == "http_500"
    assert send(shop) == 0
    assert len(there.heard) == 1

    cancel(desk)
    there.says = lambda _: Says()
    with clock.shifted(LATER):
        assert go(shop) == 2
    first, again, update = there.heard
    assert first.headers["request-id"] == again.headers["request-id"] != update.headers["request-id"]
    assert first.headers["merchant-signature"] != again.headers["merchant-signature"]
    assert told(there) == [("order_create", "confirmed"), ("order_create", "canceled"), ("order_update", "canceled")]


def test_nothing_overtakes_an_earlier_event_of_its_order(shop: Shop, buyer: Identity, there: Receiver) -> None:
    desk, other = buy_as(shop, buyer, "A"), buy_as(shop, buyer, "A")
    there.says = lambda heard: Says(400 if desk.order_id in heard.body.decode() else 200)
    assert go(shop) == 1
    cancel(desk)
    cancel(other)
    assert go(shop) == 1
    assert [(row.order_id, row.type, row.status) for row in events(shop)] == [
        (desk.order_id, "order_create", "queued"),
        (other.order_id, "order_create", "delivered"),
        (desk.order_id, "order_update", "queued"),
        (other.order_id, "order_update", "delivered"),
    ]
    there.says = lambda _: Says()
    with clock.shifted(LATER):
        assert send(shop) == 2
    assert [body["type"] for body in there.bodies() if body["data"]["id"] == desk.order_id] == [
        "order_create", "order_create", "order_update",
    ]  # fmt: skip


def test_what_was_not_told_yet_is_one_update_and_what_was_tried_takes_nothing_up(
    shop: Shop, buyer: Identity, there: Receiver
) -> None:
    desk = buy_as(shop, buyer, "A", 3)
    go(shop)
    line = desk.line("A").id
    for _ in range(2):
        desk.do("cancel", lines=[{"line_id": line, "quantity": 1}], reason="other")
        tell(shop)
    assert states(shop)[1:] == [("order_update", "queued", 0)]

    there.says = lambda _: Says(400)
    send(shop)
    cancel(desk)
    tell(shop)
    assert states(shop)[1:] == [("order_update", "queued", 1), ("order_update", "queued", 0)]
    there.says = lambda _: Says()
    with clock.shifted(LATER):
        assert send(shop) == 2


def test_a_receiver_that_is_down_rests_and_then_hears_everything(shop: Shop, buyer: Identity, there: Receiver) -> None:
    there.says = lambda _: Says(503)
    desks = [buy_as(shop, buyer, "A") for _ in range(5)]
    tell(shop)
    for minutes in range(0, 240, 10):
        with clock.shifted(timedelta(minutes=minutes)):
            send(shop)
    tries = len(there.heard)
    assert 15 < tries <= 24
    assert {row.status for row in events(shop)} == {"queued"}
    assert alerts(shop) == []

    there.says = lambda _: Says()
    with clock.shifted(timedelta(minutes=300)):
        assert send(shop) == 5
        assert receiver(shop).failures == 0
    assert {body["data"]["id"] for body in there.bodies()[tries:]} == {desk.order_id for desk in desks}


def test_a_receiver_may_ask_to_be_left_alone(shop: Shop, buyer: Identity, there: Receiver) -> None:
    there.says = lambda _: Says(429, headers={"retry-after": "1800"})
    buy_as(shop, buyer, "A")
    go(shop)
    with clock.shifted(timedelta(minutes=29)):
        send(shop)
    assert len(there.heard) == 1
    with clock.shifted(timedelta(minutes=31)):
        send(shop)
    assert len(there.heard) == 2


def test_given_up_is_an_alert_and_a_replay_sends_it(shop: Shop, buyer: Identity, there: Receiver) -> None:
    there.says = lambda _: Says(400)
    desk = buy_as(shop, buyer, "A")
    tell(shop)
    for turn in range(sending.MAX_ATTEMPTS):
        assert states(shop) == [("order_create", "queued", turn)]
        with clock.shifted(LATER * turn):
            send(shop)
    assert states(shop) == [("order_create", "dead", sending.MAX_ATTEMPTS)]
    assert alerts(shop) == [("webhooks_given_up", buyer.id)]

    there.says = lambda _: Says()
    cancel(desk)
    assert go(shop) == 1
    with shop.uow() as session:
        assert webhooks.replay_dead(session, shop.tenant.id, buyer.id, actor="key_staff") == 1
    assert send(shop) == 1
    assert alerts(shop) == []
    assert len({heard.headers["request-id"] for heard in there.heard}) == 2
    assert states(shop) == [("order_create", "delivered", 1), ("order_update", "delivered", 1)]


def test_a_delivered_event_and_an_order_can_be_told_again(shop: Shop, buyer: Identity, there: Receiver) -> None:
    desk = buy_as(shop, buyer, "A")
    go(shop)
    (first,) = events(shop)
    with shop.uow() as session:
        webhooks.replay(session, shop.tenant.id, first.id, actor="key_staff")
        webhooks.tell_again(session, shop.tenant.id, desk.order_id, actor="key_staff")
        with pytest.raises(NotFound):
            webhooks.replay(session, shop.tenant.id, "whe_none", actor="key_staff")
    assert send(shop) == 2
    assert [heard.headers["request-id"] for heard in there.heard][:2] == [first.id, first.id]
    assert told(there) == [("order_create", "confirmed")] * 2 + [("order_update", "confirmed")]


def test_gone_for_good_waits_for_a_new_address(shop: Shop, buyer: Identity, there: Receiver) -> None:
    there.says = lambda _: Says(410)
    buy_as(shop, buyer, "A")
    go(shop)
    with clock.shifted(LATER):
        assert send(shop) == 0
    assert len(there.heard) == 1
    assert alerts(shop) == [("webhooks_gone", buyer.id)]
    assert receiver(shop).suspended_at is not None

    there.says = lambda _: Says()
    assert hears(shop, buyer, f"{there.url}/new") is None
    assert alerts(shop) == []
    with clock.shifted(LATER):
        assert send(shop) == 1
    assert there.heard[1].path == "/new"


def test_the_older_names(shop: Shop, buyer: Identity, there: Receiver) -> None:
    hears(shop, buyer, there.url, naming=EventNaming.PAST)
    desk = buy_as(shop, buyer, "A")
    go(shop)
    cancel(desk)
    go(shop)

    assert [body["type"] for body in there.bodies()] == ["order_created", "order_updated"]


def test_a_new_secret_signs_when_its_time_has_come(shop: Shop, buyer: Identity, there: Receiver) -> None:
    def rotate(**overlap: int) -> tuple[str, str]:
        with shop.uow() as session:
            row = receivers.find(session, shop.tenant.id, "Agent Co", lock=True)
            old = receivers.current(receivers.secrets_of(shop.runtime, row)).value
            made = receivers.rotate_secret(session, shop.runtime, row, overlap=timedelta(**overlap), actor="test")
            return old, made.value

    old, new = rotate(hours=24)
    desk = buy_as(shop, buyer, "A")
    go(shop)
    cancel(desk)
    with clock.shifted(timedelta(hours=25)):
        go(shop)
    for heard, secret in zip(there.heard, (old, new), strict=True):
        at = int(heard.headers["merchant-signature"].partition(",")[0].removeprefix("t="))
        assert heard.headers["merchant-signature"] == signing.sign(secret, heard.body, at=at)
    assert rotate()[0] == old
    with shop.uow() as session:
        row = receivers.find(session, shop.tenant.id, buyer.id)
        assert receivers.current(receivers.secrets_of(shop.runtime, row)).value not in {old, new}
        assert old.encode() not in (row.webhook_secrets_sealed or b"")


@pytest.mark.parametrize("when", ["suspended", "no_address", "restored"])
def test_who_is_not_to_hear_does_not(shop: Shop, buyer: Identity, there: Receiver, when: str) -> None:
    buy_as(shop, buyer, "A")
    tell(shop)
    with shop.uow() as session:
        row = session.get_one(AgentPlatform, (shop.tenant.id, buyer.id))
        if when == "suspended":
            row.status = PlatformStatus.SUSPENDED
        elif when == "no_address":
            receivers.clear_webhook(session, row, actor="test")
        else:
            session.add(Restore(tenant_id=shop.tenant.id, horizon=clock.now(), restored_at=clock.now()))

    assert send(shop) == 0
    assert there.heard == []
    assert states(shop) == [("order_create", "queued", 0)]


def test_other_peoples_orders_are_nobodys_news(shop: Shop, buyer: Identity, there: Receiver) -> None:
    buy(shop, "A")
    deaf = platform(shop, "Deaf Co")
    buy_as(shop, deaf, "A")

    assert go(shop) == 0
    assert events(shop) == []
    assert there.heard == []


def test_an_order_from_before_the_address_is_told_from_its_next_change(shop: Shop, there: Receiver) -> None:
    shop.add("A")
    late = platform(shop)
    desk = buy_as(shop, late, "A")
    go(shop)
    with clock.shifted(timedelta(seconds=1)):
        hears(shop, late, there.url)
        cancel(desk)
        assert go(shop) == 1

    assert told(there) == [("order_update", "canceled")]


def test_an_order_that_is_heard_of_late_is_created_first(shop: Shop, buyer: Identity) -> None:
    desk = buy_as(shop, buyer, "A")
    cancel(desk)
    from engine.kit import outbox

    with shop.uow() as session:
        rows = outbox.claim_batch(session, shop.tenant.id, webhooks.CONSUMER)
        for row in reversed(rows):
            webhooks.hear(session, row)
        outbox.mark_delivered(rows)

    assert [row.type for row in events(shop)] == ["order_create", "order_update"]


@pytest.mark.parametrize("point", ["webhook_before_call", "webhook_after_call"])
def test_a_process_that_dies_leaves_the_event_to_the_next(
    shop: Shop, buyer: Identity, there: Receiver, point: str
) -> None:
    class Killed(BaseException):
        pass

    def die(name: str) -> None:
        if name == point:
            raise Killed

    buy_as(shop, buyer, "A")
    tell(shop)
    faults.set_hook(die)
    with pytest.raises(Killed):
        send(shop)
    faults.set_hook(None)
    assert send(shop) == 0
    with clock.shifted(timedelta(minutes=2)):
        assert send(shop) == 1
    assert len(there.heard) == (1 if point == "webhook_before_call" else 2)
    assert len({heard.headers["request-id"] for heard in there.heard}) == 1


def test_who_comes_back_late_takes_nothing_from_whoever_is_at_it_now(
    shop: Shop, buyer: Identity, there: Receiver
) -> None:
    """A process that stood still past its lease has a refusal to tell; the event is on its way again by then."""
    buy_as(shop, buyer, "A")
    tell(shop)
    late: list[tuple[str, int, bool]] = []

    def stand_still(name: str) -> None:
        if name == "webhook_after_call" and len(there.heard) == 1:
            faults.set_hook(look_on)
            with clock.shifted(timedelta(minutes=2)):
                assert send(shop) == 1

    def look_on(name: str) -> None:
        if name == "webhook_after_call":
            sending._note(shop.runtime, shop.tenant.id, parcels[0], sending.Outcome(500, "http_500"))
            (row,) = events(shop)
            late.append((row.status, row.attempts, row.lease_until is not None))

    parcels: list[sending.Parcel] = []
    claim = sending._claim

    def claimed(*given: Any) -> sending.Parcel | None:
        if found := claim(*given):
            parcels.append(found)
        return found

    sending._claim = claimed
    there.says = lambda _: Says(200 if len(there.heard) > 1 else 500)
    faults.set_hook(stand_still)
    try:
        send(shop)
    finally:
        sending._claim = claim
        faults.set_hook(None)
    assert late == [("queued", 2, True)]
    assert states(shop) == [("order_create", "delivered", 2)]


def test_many_at_once_send_each_event_once_and_each_order_in_order(
    shop: Shop, buyer: Identity, there: Receiver
) -> None:
    desks = [buy_as(shop, buyer, "A") for _ in range(6)]
    tell(shop)
    for desk in desks:
        cancel(desk)
    tell(shop)
    meet = threading.Barrier(4)

    def work(_: int) -> int:
        meet.wait()
        return send(shop) + send(shop)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) + send(shop) == 12
    assert len({heard.headers["request-id"] for heard in there.heard}) == len(there.heard) == 12
    for desk in desks:
        of_order = [body["type"] for body in there.bodies() if body["data"]["id"] == desk.order_id]
        assert of_order == ["order_create", "order_update"]


def test_a_redirect_is_no_yes_and_is_not_followed(shop: Shop, buyer: Identity, there: Receiver) -> None:
    there.says = lambda _: Says(302, headers={"location": "http://169.254.169.254/"})
    buy_as(shop, buyer, "A")
    assert go(shop) == 0

    assert (events(shop)[0].status, events(shop)[0].error) == (WebhookStatus.QUEUED, "http_302")
    assert len(there.heard) == 1


def test_what_a_yes_says_beside_is_not_read(shop: Shop, buyer: Identity, there: Receiver) -> None:
    sent: list[int] = []

    def huge() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n"
        for _ in range(15_000):
            sent.append(1)
            yield b"x" * 65_536

    there.says = lambda _: Says(raw=huge())
    buy_as(shop, buyer, "A")
    assert go(shop) == 1

    assert states(shop) == [("order_create", "delivered", 1)]
    assert len(sent) < 14_000


def test_a_receiver_that_drips_is_too_slow(
    shop: Shop, buyer: Identity, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drip() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n"
        while not there.closing.wait(0.05):
            yield b"x: y\r\n"

    monkeypatch.setattr(sending, "SECONDS", 0.3)
    there.says = lambda _: Says(raw=drip())
    buy_as(shop, buyer, "A")
    assert go(shop) == 0

    assert events(shop)[0].error in {"too_slow", "unreachable"}


def test_an_address_that_leads_inside_is_never_called(shop: Shop, buyer: Identity) -> None:
    for url in ("http://shop.example/", "https://user@shop.example/", "ftp://127.0.0.1/", "https://10.0.0.1:22/"):
        with pytest.raises(AddressRefused):
            hears(shop, buyer, url)
    hears(shop, buyer, "https://shop.example/hook")
    inside = replace(shop.runtime, outward=Outward(resolve=lambda *_: ["169.254.169.254"]))
    buy_as(shop, buyer, "A")
    tell(shop)
    sending.send_due(inside, shop.tenant.id)

    assert events(shop)[0].error == "address_refused"


def test_loopback_is_for_demo_shops(shop: Shop, buyer: Identity, there: Receiver) -> None:
    buy_as(shop, buyer, "A")
    tell(shop)
    with shop.runtime.store.without_tenant() as session:
        session.execute(update(Tenant).where(Tenant.id == shop.tenant.id).values(demo=False))
    with pytest.raises(AddressRefused):
        hears(shop, buyer, there.url)
    send(shop)

    assert there.heard == []
    assert events(shop)[0].error == "address_refused"


def test_pages_of_events(shop: Shop, buyer: Identity) -> None:
    desks = [buy_as(shop, buyer, "A") for _ in range(3)]
    tell(shop)
    with shop.uow() as session:
        page = webhooks.events(session, shop.tenant.id, limit=2)
        rest = webhooks.events(session, shop.tenant.id, limit=2, cursor=page.next_cursor)
        one = webhooks.events(session, shop.tenant.id, order_id=desks[0].order_id)
        none = webhooks.events(session, shop.tenant.id, status=WebhookStatus.DEAD)
        assert webhooks.counts(session, shop.tenant.id) == [(buyer.id, WebhookStatus.QUEUED, 3)]
    assert {row.order_id for row in [*page.items, *rest.items]} == {desk.order_id for desk in desks}
    assert (rest.next_cursor, [row.order_id for row in one.items], none.items) == (None, [desks[0].order_id], [])
