"""Trouble is told once, then in a digest, and when it is over: in the inbox, in the shop's Slack, by mail."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from engine import due
from engine.jobs import due_now
from engine.kit import clock
from engine.kit.identity import Role
from engine.kit.members import StaffMember
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.mail import sending
from engine.mail.models import Mail
from engine.mail.smtp import SmtpAddress, SmtpMailer
from engine.payments.alerts import resolve_alert
from engine.payments.models import Alert
from engine.runtime import Runtime
from engine.sync import alerts, breaker, connections, exceptions, inbox, posting, telling
from engine.sync.alert_models import Notice, Post
from engine.sync.errors import AuthExpired, FieldFault, Rejected, Transient
from engine.sync.models import System
from engine.sync.policy import AlertsPolicy
from engine.sync.sandbox import World, WorldTransport
from engine.sync.sandbox.faults import Rule
from engine.sync.sandbox.serving import serving
from engine.workflows.models import CursorRow, PipelineRow
from tests.engine.sync.scene import SECRET, Scene, connect

QUIET = timedelta(minutes=60)
OPS = "ops@shop.example"
BUYER = "jane.roe@buyer.example"
pytestmark = pytest.mark.usefixtures("still_clock")


class Shop:
    """A shop with a Slack of its own, and people who read mail."""

    def __init__(self, runtime: Runtime, tenant: Tenant, world: World) -> None:
        self.runtime, self.tenant, self.world = runtime, tenant, world
        self.slack: Scene | None = None
        with self.uow() as session:
            for email, role in ((OPS, Role.OPS), ("desk@shop.example", Role.SUPPORT)):
                member = StaffMember(
                    tenant_id=tenant.id,
                    id=f"stf_{role}",
                    email=email,
                    name=role,
                    person=role,
                    role=role,
                    invited_by="x",
                )
                session.add(member)

    def uow(self) -> Any:
        return self.runtime.unit_of_work(self.tenant.id)

    def join_slack(self, **more: Any) -> Scene:
        path = self.world.merchants[0].credentials.slack_path
        usual = {"base_url": "https://sandbox.example.com/slack/services", "secrets": {"webhook_path": path}}
        self.slack = connect(self.runtime, self.tenant, system=System.SLACK, **(usual | more))
        return self.slack

    def say(self, **values: Any) -> None:
        with self.uow() as session:
            change_policy(session.get_one(Tenant, self.tenant.id), AlertsPolicy, values)

    def fails(self, number: int, *, workflow: str = "shopifyToNetsuite", sku: str = "SKU") -> str:
        """A run stops: a buyer's order is refused."""
        words = f"No item '{sku}' for {BUYER}."
        run = f"{self.tenant.id}:{workflow}:{number}"
        with self.uow() as session:
            exceptions.put(
                session,
                self.tenant.id,
                workflow=workflow,
                workflow_id=run,
                step="write order",
                subject=f"order #{number}",
                error=Rejected(words, fields=[FieldFault("item", words)]),
                payload={"email": BUYER},
            )
        return run

    def resolved(self, *runs: str) -> None:
        with self.uow() as session:
            for run in runs:
                exceptions.resolved(session, self.tenant.id, run)

    def round(self) -> None:
        """What the jobs of a minute and a second do."""
        with self.uow() as session:
            alerts.watch(session, self.tenant.id)
        telling.tell(self.runtime, self.tenant.id)
        posting.send_posts(self.runtime, self.tenant.id, transport=WorldTransport(self.world))

    def told(self) -> list[str]:
        """What the channel has heard, message by message, without the shop's name and the link."""
        (channel,) = self.world.slack.channels.values()
        return [message["text"].partition(": ")[2].rpartition("\n")[0] for _, message in channel.messages]

    def inbox(self) -> list[tuple[str, bool]]:
        with self.uow() as session:
            rows = session.scalars(select(Alert).order_by(Alert.created_at, Alert.id))
            return [(row.kind, row.resolved_at is None) for row in rows]

    def letters(self) -> list[tuple[str, str]]:
        with self.uow() as session:
            return [(row.to_address, row.subject) for row in session.scalars(select(Mail).order_by(Mail.id))]


@pytest.fixture
def world() -> World:
    return World.preset("summit")


@pytest.fixture
def shop(runtime: Runtime, tenant: Tenant, world: World) -> Shop:
    return Shop(runtime, tenant, world)


FAILS = "shopifyToNetsuite stopped at “write order” 3 times: vendor_rejected."
FIXED = "Nothing of shopifyToNetsuite is stopped by vendor_rejected any more."


def test_nothing_is_told_before_so_many_stopped(shop: Shop) -> None:
    shop.join_slack()
    runs = [shop.fails(1), shop.fails(2)]
    shop.round()
    assert (shop.inbox(), shop.told(), shop.letters()) == ([], [], [])

    runs.append(shop.fails(3))
    shop.round()
    shop.round()
    assert shop.inbox() == [(alerts.FAILING, True)]
    assert shop.told() == [f"Needs somebody\n• {FAILS}"]
    assert shop.letters() == [(OPS, "Needs somebody: Test Shop and its other systems")]

    shop.resolved(*runs[:2])
    shop.round()
    assert len(shop.told()) == 1
    shop.resolved(runs[2])
    shop.round()
    shop.round()
    assert shop.inbox() == [(alerts.FAILING, False)]
    assert shop.told()[1:] == [f"Over\n• {FIXED}"]
    assert [subject.partition(":")[0] for _, subject in shop.letters()] == ["Needs somebody", "Over"]


def test_other_causes_do_not_add_up(shop: Shop) -> None:
    shop.fails(1)
    shop.fails(2)
    with shop.uow() as session:
        more = {"workflow": "netsuiteToDCL", "workflow_id": "t:w2:1", "subject": "order #9", "payload": {}}
        exceptions.put(session, shop.tenant.id, error=Rejected("No."), **more)
    shop.round()
    assert shop.inbox() == []


def test_what_waits_for_secrets_is_told_of_its_connection_alone(shop: Shop) -> None:
    shop.say(failures=1)
    with shop.uow() as session:
        more = {"workflow": "netsuiteToDCL", "workflow_id": "t:w2:poll", "subject": "poll", "payload": {}}
        exceptions.put(session, shop.tenant.id, error=AuthExpired("No."), **more)
    shop.round()
    assert shop.inbox() == []


def test_a_shop_says_how_many_and_to_whom(shop: Shop) -> None:
    shop.say(failures=1, slack=False, emails=["one@shop.example", "two@shop.example", "one@shop.example"])
    shop.join_slack()
    shop.fails(1)
    shop.round()

    assert shop.told() == []
    assert [to for to, _ in shop.letters()] == ["one@shop.example", "two@shop.example"]


def test_one_cause_is_told_once_and_then_in_a_digest(shop: Shop) -> None:
    shop.join_slack()
    for _ in range(3):
        runs = [shop.fails(number) for number in range(3)]
        shop.round()
        shop.resolved(*runs)
        shop.round()
    assert shop.told() == [f"Needs somebody\n• {FAILS}", f"Over\n• {FIXED}"]

    with clock.shifted(QUIET):
        shop.round()
        assert shop.told()[2:] == [f"Meanwhile\n• {FAILS} 2 times more. It is over."]
        shop.round()
        assert len(shop.told()) == 3

        for number in range(3):
            shop.fails(number)
        shop.round()
        assert len(shop.told()) == 3, "the digest has told of it a moment ago"
    with clock.shifted(QUIET * 2):
        shop.round()
        assert shop.told()[3:] == [f"Meanwhile\n• {FAILS} Once more."]


def test_what_grows_is_told_again_after_a_while(shop: Shop) -> None:
    shop.join_slack()
    for number in range(3):
        shop.fails(number)
    shop.round()
    for number in range(3, 10):
        shop.fails(number)
    shop.round()
    assert len(shop.told()) == 1

    with clock.shifted(QUIET):
        shop.round()
        assert shop.told()[1:] == [f"Meanwhile\n• {FAILS.replace('3 times', '10 times')}"]
    with clock.shifted(QUIET * 3):
        shop.round()
        assert len(shop.told()) == 2


def test_two_causes_are_two_and_one_message_when_they_come_together(shop: Shop) -> None:
    shop.say(failures=1)
    shop.join_slack()
    shop.fails(1)
    shop.round()
    shop.fails(2, workflow="netsuiteToDCL")
    shop.fails(3, workflow="inventorySync")
    shop.round()

    assert len(shop.told()) == 2
    assert sorted(shop.told()[1].splitlines()[1:]) == [
        "• inventorySync stopped (vendor_rejected): stock is not kept equal until somebody has looked.",
        "• netsuiteToDCL stopped at “write order” once: vendor_rejected.",
    ]


def test_a_stopped_inventory_sync_is_told_at_once(shop: Shop) -> None:
    run = shop.fails(1, workflow="inventorySync")
    shop.round()
    assert shop.inbox() == [(alerts.STOPPED, True)]
    shop.resolved(run)
    shop.round()
    assert shop.inbox() == [(alerts.STOPPED, False)]


def test_stock_that_nobody_sends_is_told_though_nothing_failed(shop: Shop) -> None:
    with shop.uow() as session:
        facts = {"tenant_id": shop.tenant.id, "version": 1, "active": True, "settings": {}, "created_by": "me"}
        for name, on in (("inventorySync", True), ("inventoryBundlesSync", False), ("netsuiteToDCL", True)):
            session.add(PipelineRow(id=f"ppl_{name}", workflow=name, is_on=on, **facts))
    with clock.shifted(alerts.LATE):
        shop.round()
        assert shop.inbox() == []
    with clock.shifted(alerts.LATE + timedelta(minutes=1)):
        shop.round()
        assert shop.inbox() == [(alerts.STOPPED, True)]
        with shop.uow() as session:
            session.add(CursorRow(tenant_id=shop.tenant.id, workflow="inventorySync", due_at=clock.now()))
        shop.round()
        assert shop.inbox() == [(alerts.STOPPED, False)]


def test_a_delivery_that_is_given_up_is_told_until_it_was_worked(shop: Shop) -> None:
    shop.join_slack()
    with shop.uow() as session:
        given = {"source": "shopify", "topic": "orders/create", "body": BUYER.encode(), "headers": {}}
        row, _ = inbox.receive(session, tenant_id=shop.tenant.id, delivery_id="d-1", **given)
        row.attempts = inbox.MAX_ATTEMPTS
        inbox.failed(session, shop.tenant.id, row.id, error="vendor_unavailable")
    shop.round()
    assert shop.told() == ["Needs somebody\n• 1 message of shopify (orders/create) could not be worked."]

    with shop.uow() as session:
        inbox.revive(session, shop.tenant.id, row.id)
    shop.round()
    assert shop.told()[1:] == ["Over\n• No message of shopify (orders/create) lies unworked any more."]


@pytest.mark.parametrize(
    ("kind", "facts", "begins", "ends"),
    [
        (
            alerts.ASK_WAREHOUSE,
            {"number": "W-7", "order": "TS-1001"},
            "Have the warehouse call off its order W-7: a cancel of TS-1001 waits.",
            "The cancel of TS-1001 does not wait for the warehouse any more.",
        ),
        (
            alerts.WAREHOUSE_CANCELED,
            {"number": "W-7", "reference": "#7", "units": 1},
            "The warehouse has called off its order W-7: 1 unit of it still wanted.",
            "Somebody has looked after the warehouse's order W-7.",
        ),
    ],
)
def test_what_a_warehouse_does_is_told_until_somebody_has_dealt_with_it(
    shop: Shop, kind: str, facts: dict[str, Any], begins: str, ends: str
) -> None:
    shop.join_slack()
    for _ in range(2):
        with shop.uow() as session:
            alerts.put(session, shop.tenant.id, kind, "W-7", facts)
        assert (telling.tell in due_now(shop.runtime, shop.tenant.id)) == (not shop.told())
        shop.round()
    assert shop.inbox() == [(kind, True)]
    assert shop.told() == [f"Needs somebody\n• {begins}"]
    assert shop.letters() == [(OPS, "Needs somebody: Test Shop and its other systems")]
    with shop.uow() as session:
        resolve_alert(session, shop.tenant.id, kind, "W-7")
    assert telling.tell in due_now(shop.runtime, shop.tenant.id)
    shop.round()
    assert shop.told()[1:] == [f"Over\n• {ends}"]


def test_the_jobs_look_for_every_kind_that_is_told() -> None:
    assert re.findall(r"'([a-z_]+)'", due.ALERTS.partition("AND NOT")[0]) == list(alerts.KINDS)


def test_a_breaker_that_opens_is_told_and_so_is_its_end(shop: Shop) -> None:
    shop.join_slack()
    scene = connect(shop.runtime, shop.tenant)
    scene.answer = lambda _request: httpx.Response(503)
    with clock.shifted(timedelta(seconds=1)):
        for _ in range(breaker.FAILURES):
            with pytest.raises(Transient):
                scene.client().request("GET", "/x")
    assert shop.inbox() == [(alerts.BREAKER, True)]
    shop.round()
    assert shop.told() == ["Needs somebody\n• Main (shopify) fails too often: it is left alone, and asked by and by."]

    with clock.shifted(timedelta(seconds=breaker.COOLDOWN + 1)):
        with pytest.raises(Transient):
            scene.client().request("GET", "/x")
        shop.round()
        assert len(shop.told()) == 1, "it has not closed between the two"
    scene.answer = lambda _request: httpx.Response(200, json={})
    with clock.shifted(timedelta(minutes=5)):
        scene.client().request("GET", "/x")
        shop.round()
    assert shop.told()[1:] == ["Over\n• Main (shopify) is called again."]


@pytest.mark.parametrize("end", ["reset", "close"])
def test_a_breaker_that_nobody_waits_for_is_over(shop: Shop, end: str) -> None:
    scene = connect(shop.runtime, shop.tenant)
    with shop.uow() as session:
        alerts.breaker_opened(session, shop.tenant.id, scene.connection.id)
    with shop.uow() as session:
        if end == "reset":
            breaker.reset(session, shop.tenant.id, scene.connection.id, actor="me")
        else:
            connections.close(session, shop.tenant.id, scene.connection.id, actor="me", reason="Gone.")
    assert shop.inbox() == [(alerts.BREAKER, False)]


def test_refused_secrets_are_told_until_there_are_new_ones(shop: Shop) -> None:
    shop.join_slack()
    scene = connect(shop.runtime, shop.tenant)
    scene.answer = lambda _request: httpx.Response(401)
    with pytest.raises(AuthExpired):
        scene.client().request("GET", "/x")
    shop.round()
    assert shop.told() == [
        "Needs somebody\n• Main (shopify) refuses our secrets: it gets nothing until it has new ones."
    ]

    with shop.uow() as session:
        given = {"access_token": "shpat_another"}
        connections.rotate(session, shop.runtime, shop.tenant.id, scene.connection.id, actor="me", secrets_given=given)
    shop.round()
    assert shop.told()[1:] == ["Over\n• Main (shopify) does not wait for new secrets any more."]


def test_nothing_secret_and_nobodys_data_is_in_a_message(shop: Shop) -> None:
    shop.say(failures=1)
    shop.join_slack()
    connect(shop.runtime, shop.tenant, name="<!channel> & co")
    with shop.uow() as session:
        (_, row) = connections.listed(session, shop.tenant.id)
        alerts.breaker_opened(session, shop.tenant.id, row.id)
    shop.fails(1)
    shop.round()

    with shop.uow() as session:
        texts = [row.text for row in session.scalars(select(Post))]
        texts += [row.text + row.html for row in session.scalars(select(Mail))]
        texts += [row.detail + str(row.facts) for row in session.scalars(select(Alert))]
        texts += [row.words for row in session.scalars(select(Notice))]
    assert len(texts) == 6
    assert [word for word in (BUYER, SECRET, "order #1", "No item") if any(word in one for one in texts)] == []
    assert "&lt;!channel&gt; &amp; co" in texts[0]
    assert "<!channel>" not in shop.told()[0]


def test_a_channel_that_limits_hears_it_later_and_once(shop: Shop) -> None:
    shop.say(failures=1)
    shop.join_slack()
    rule = {"id": "1", "system": "slack", "kind": "http_429", "params": {"retry_after": 7}}
    shop.world.ground.faults.put(Rule.model_validate(rule))
    shop.fails(1)
    shop.round()
    with clock.shifted(timedelta(seconds=6)):
        shop.round()
    assert shop.told() == []
    with clock.shifted(timedelta(seconds=8)):
        shop.round()
        shop.round()
    assert len(shop.told()) == 1


def test_trouble_of_the_channel_itself_goes_by_mail_and_the_rest_waits_for_a_day(shop: Shop) -> None:
    shop.say(failures=1)
    slack = shop.join_slack()
    rotated = {"id": "1", "system": "slack", "kind": "secret_rotated", "params": {"value": "another"}}
    shop.world.ground.faults.put(Rule.model_validate(rotated))
    shop.fails(1)
    shop.round()
    shop.round()

    assert shop.told() == []
    assert slack.read(type(slack.connection)).status == "auth_expired"
    assert shop.inbox() == [(alerts.FAILING, True), (alerts.AUTH_EXPIRED, True)]
    assert [to for to, _ in shop.letters()] == [OPS, OPS]
    with shop.uow() as session:
        (post,) = session.scalars(select(Post))
        assert (post.status, post.error) == ("waiting", "auth_expired")

    place, _, secret = shop.world.merchants[0].credentials.slack_path.rpartition("/")
    assert secret
    with clock.shifted(timedelta(hours=3)):
        with shop.uow() as session:
            given = {"webhook_path": f"{place}/another"}
            connections.rotate(
                session, shop.runtime, shop.tenant.id, slack.connection.id, actor="me", secrets_given=given
            )
        shop.round()
    assert len(shop.told()) == 1

    with shop.uow() as session:
        session.add(Post(tenant_id=shop.tenant.id, id="pst_old", connection_id=slack.connection.id, text="Old."))
    with clock.shifted(posting.TOO_OLD + timedelta(hours=3)):
        shop.round()
    with shop.uow() as session:
        assert session.get_one(Post, (shop.tenant.id, "pst_old")).status == "dropped"
    assert len(shop.told()) == 1


def test_letters_go_out_by_smtp_and_posts_over_a_wire(shop: Shop, world: World) -> None:
    shop.say(failures=1)
    with serving(world) as served:
        shop.join_slack(base_url=f"{served.url}/slack/services")
        with shop.uow() as session:
            shop_row = session.get_one(Tenant, shop.tenant.id)
            shop_row.settings = shop_row.settings | {"support_email": "help@shop.example"}
        shop.fails(1)
        with shop.uow() as session:
            alerts.watch(session, shop.tenant.id)
        telling.tell(shop.runtime, shop.tenant.id)
        assert posting.send_posts(shop.runtime, shop.tenant.id) == 1
        with shop.uow() as session:
            session.get_one(Tenant, shop.tenant.id).demo = False
        mailer = SmtpMailer(SmtpAddress.parse(f"smtp://{served.smtp_host}:{served.smtp_port}?starttls=0"))
        assert sending.send_mail(replace(shop.runtime, mailer=mailer, demo=False), shop.tenant.id) == 1
    assert len(shop.told()) == 1
    (letter,) = world.mail.letters
    assert letter.to == [OPS]
    assert "shopifyToNetsuite stopped at" in letter.message().get_body(("plain",)).get_content()


def test_the_jobs_know_when_there_is_something_to_say(shop: Shop) -> None:
    def due(job: Callable[..., Any]) -> bool:
        return job in due_now(shop.runtime, shop.tenant.id)

    shop.join_slack()
    assert (due(telling.tell), due(posting.send_posts)) == (False, False)
    runs = [shop.fails(number) for number in range(3)]
    with shop.uow() as session:
        alerts.watch(session, shop.tenant.id)
    assert (due(telling.tell), due(posting.send_posts)) == (True, False)
    telling.tell(shop.runtime, shop.tenant.id)
    assert (due(telling.tell), due(posting.send_posts)) == (False, True)
    shop.round()
    assert (due(telling.tell), due(posting.send_posts)) == (False, False)
    shop.fails(4)
    with shop.uow() as session:
        alerts.watch(session, shop.tenant.id)
    assert due(telling.tell)
    shop.round()
    assert not due(telling.tell)
    with clock.shifted(QUIET):
        assert due(telling.tell)
        shop.round()
        assert not due(telling.tell)
    shop.resolved(*runs, f"{shop.tenant.id}:shopifyToNetsuite:4")
    with shop.uow() as session:
        alerts.watch(session, shop.tenant.id)
    assert due(telling.tell)


def test_another_shop_hears_nothing(shop: Shop, make_tenant: Callable[..., Tenant], world: World) -> None:
    other = Shop(shop.runtime, make_tenant(), world)
    shop.say(failures=1)
    shop.fails(1)
    shop.round()
    other.round()
    assert (other.inbox(), other.letters()) == ([], [])
