"""The client: what each answer means, what leaves and what does not, and what is written down."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import orjson
import pytest
from structlog.testing import capture_logs

from engine.kit import clock, faults
from engine.kit.errors import NotFound
from engine.payments.models import Alert
from engine.sync import connections
from engine.sync.dialects import Dialect, retry_after
from engine.sync.errors import (
    AuthExpired,
    ConnectionPaused,
    FieldFault,
    RateLimited,
    Rejected,
    SyncError,
    Transient,
    UnknownOutcome,
)
from engine.sync.limits import Feedback, LimitPolicy
from engine.sync.models import UNDER_WAY, CallMode, LimitKind
from engine.sync.recording import Recording, from_known
from engine.sync.wire import Outgoing, Reply
from tests.engine.sync.scene import HOOK, SECRET, Scene, Token, connect, points

START = datetime(2036, 11, 1, tzinfo=UTC)
NEW = "shpat_new0new0new0new0"
CARD = "4242424242424242"


@pytest.fixture
def scene(runtime, tenant) -> Scene:
    return connect(runtime, tenant)


def fails(scene: Scene, method: str = "POST", **more) -> SyncError:
    with pytest.raises(SyncError) as error:
        scene.client().request(method, "/orders", **more)
    return error.value


def test_a_request_says_who_we_are_and_what_it_costs(scene: Scene) -> None:
    reply = scene.client().request(
        "POST", "/orders", json={"a": 1}, params={"page": 2}, headers={"X-More": "1"}, idempotency_key="key-1"
    )

    (heard,) = scene.heard
    assert (reply.status, reply.data) == (200, {"ok": True})
    assert str(heard.url) == "https://shop.example.com/admin/orders?page=2"
    assert {name: heard.headers[name] for name in ("x-token", "x-more", "idempotency-key", "content-type")} == {
        "x-token": SECRET,
        "x-more": "1",
        "idempotency-key": "key-1",
        "content-type": "application/json",
    }
    assert orjson.loads(heard.content) == {"a": 1}
    assert scene.permits() == []


@pytest.mark.parametrize(
    ("status", "reads", "kind"),
    [
        (401, False, AuthExpired),
        (429, False, RateLimited),
        (409, False, "vendor_conflict"),
        (412, False, "vendor_conflict"),
        (503, False, Transient),
        (500, False, UnknownOutcome),
        (502, False, UnknownOutcome),
        (408, False, UnknownOutcome),
        (500, True, Transient),
        (504, True, Transient),
        (404, False, Rejected),
        (422, False, Rejected),
        (302, False, Rejected),
    ],
)
def test_each_answer_is_raised_as_what_it_means(scene: Scene, status, reads, kind) -> None:
    scene.answer = lambda _request: httpx.Response(status, json={"message": "no"})

    error = fails(scene, reads=reads)

    assert (error.code, error.answer) == (kind if isinstance(kind, str) else kind.code, status)
    (call,) = scene.calls()
    assert (call.outcome, call.answer, call.counts) == (error.code, status, error.counts_for_breaker)
    assert scene.permits() == []


@pytest.mark.parametrize(
    ("broken", "plain", "repeatable"),
    [
        (httpx.ConnectError("no"), Transient, Transient),
        (httpx.ConnectTimeout("no"), Transient, Transient),
        (httpx.ReadTimeout("no"), UnknownOutcome, Transient),
        (httpx.WriteTimeout("no"), UnknownOutcome, Transient),
        (httpx.ReadError("no"), UnknownOutcome, Transient),
        (httpx.RemoteProtocolError("no"), UnknownOutcome, Transient),
        (ConnectionResetError("no"), UnknownOutcome, Transient),
    ],
)
def test_who_hears_nothing_knows_nothing_unless_it_may_ask_again(scene: Scene, broken, plain, repeatable) -> None:
    def play(_request: httpx.Request) -> httpx.Response:
        raise broken

    scene.answer = play

    assert type(fails(scene)) is plain
    assert type(fails(scene, idempotency_key="k")) is repeatable
    assert type(fails(scene, repeatable=True)) is repeatable
    assert type(fails(scene, "GET")) is Transient
    assert scene.permits() == []


def test_an_answer_that_breaks_off_is_none(scene: Scene) -> None:
    scene.answer = lambda _request: httpx.Response(
        200, content=b'{"orders": [', headers={"content-type": "application/json"}
    )

    assert type(fails(scene)) is UnknownOutcome
    assert type(fails(scene, "GET")) is Transient


def test_the_systems_own_words_and_fields_are_told_without_secrets(scene: Scene) -> None:
    class Wordy(Token):
        def faults(self, _reply: Reply) -> tuple[FieldFault, ...]:
            return (FieldFault("email", f"{SECRET} is no address"),)

    scene.answer = lambda _request: httpx.Response(422, json={"message": f"key {SECRET} may not, card {CARD}"})
    with pytest.raises(Rejected) as error:
        scene.client(Wordy).request("POST", "/orders")

    assert error.value.message == "key •••• may not, card •••• 4242"
    assert error.value.fields == (FieldFault("email", "•••• is no address"),)


def test_nothing_secret_is_in_journal_log_or_problem(scene: Scene, caplog) -> None:
    said = {
        "note": f"our key is {SECRET}",
        "password": "hunter2hunter2",
        "nested": [{"api_key": "abcdefgh", "ok": 1}],
        "access_token": "other-token-of-theirs",
        "card": CARD,
    }
    scene.answer = lambda request: httpx.Response(422, json={"message": SECRET, "echo": request.headers["x-token"]})
    with caplog.at_level(logging.DEBUG), capture_logs() as logs, pytest.raises(Rejected) as error:
        scene.client().request("POST", f"/orders/{HOOK}", json=said, params={"q": SECRET}, idempotency_key=SECRET)

    (call,) = scene.calls()
    everything = " ".join(str(getattr(call, column.name)) for column in call.__table__.columns)
    everything += f" {error.value!r} {error.value.message} {logs} {caplog.text}"
    for secret in (SECRET, HOOK, "hunter2", "abcdefgh", "other-token", CARD):
        assert secret not in everything, secret
    body = json.loads(call.request)["body"]
    assert (body["nested"], body["password"], call.path) == ([{"api_key": "••••", "ok": 1}], "••••", "/orders/••••")


@pytest.mark.parametrize(
    ("method", "status", "words"),
    [("GET", 404, "nothing there"), ("POST", 404, "call failed"), ("GET", 422, "call failed")],
)
def test_who_looks_and_finds_nothing_has_not_failed(scene: Scene, method: str, status: int, words: str) -> None:
    scene.answer = lambda _request: httpx.Response(status, json={})
    with capture_logs() as logs, pytest.raises(Rejected):
        scene.client().request(method, "/orders/1")
    assert [one["event"] for one in logs if one.get("why") == "vendor_rejected"] == [words]


@pytest.mark.parametrize("size", [16_000, 16_400, 40_000, 1_000_000])
def test_the_journal_keeps_the_beginning_of_what_is_large(scene: Scene, size) -> None:
    scene.answer = lambda _request: httpx.Response(200, json={"text": "é" * (size // 2)})
    scene.client().request("POST", "/orders", json={"text": SECRET + "x" * size})

    (call,) = scene.calls()
    assert len(call.request.encode()) <= 16_384
    assert len(call.response.encode()) <= 16_384
    assert call.request.startswith('{"body":{"text":"••••x')
    assert call.response.endswith(" … cut") is (size > 16_384)


def test_a_nul_or_no_text_at_all_is_written_down_all_the_same(scene: Scene) -> None:
    scene.answer = lambda _request: httpx.Response(200, content=b"\xff\x00plain")
    scene.client().request("POST", "/files", content=b"a\x00b")

    (call,) = scene.calls()
    assert (call.response, "\0" in call.request) == ("�plain", False)


def test_what_lies_too_deep_is_left_out(scene: Scene) -> None:
    deep = b"[" * 900 + b"]" * 900
    scene.answer = lambda _request: httpx.Response(200, content=deep, headers={"content-type": "application/json"})
    scene.client().request("GET", "/orders")

    assert scene.calls()[0].response == "[" * 41 + '"…"' + "]" * 41


def test_a_call_is_written_down_before_it_leaves(scene: Scene) -> None:
    seen = []

    def play(_request: httpx.Request) -> httpx.Response:
        seen.extend((call.outcome, call.answer) for call in scene.calls())
        seen.append(len(scene.permits()))
        return httpx.Response(200)

    scene.answer = play
    scene.client(workflow_id="t:w1:1", trace_id="abc").request("POST", "/orders", cost=3)

    (call,) = scene.calls()
    assert seen == [(UNDER_WAY, None), 1]
    assert (call.outcome, call.answer, call.workflow_id, call.trace_id, call.cost) == ("", 200, "t:w1:1", "abc", 3)


def test_what_two_say_alike_has_one_fingerprint(scene: Scene) -> None:
    client = scene.client()
    for said in ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1, "b": 3}):
        client.request("POST", "/orders", json=said, idempotency_key=str(said))
    client.request("PUT", "/orders", json={"a": 1, "b": 2})

    prints = [call.fingerprint for call in scene.calls()]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


def test_both_live_secrets_are_tried_and_the_newest_first(scene: Scene) -> None:
    with scene.uow() as session:
        ids = (scene.tenant.id, scene.connection.id)
        connections.rotate(session, scene.runtime, *ids, actor="key_test", secrets_given={"access_token": NEW})
    scene.answer = lambda request: httpx.Response(200 if request.headers["x-token"] == SECRET else 401)

    assert scene.client().request("POST", "/orders").status == 200
    assert [request.headers["x-token"] for request in scene.heard] == [NEW, SECRET]
    assert connections_status(scene) == "active"


def test_who_takes_neither_is_called_no_more_and_somebody_is_told(scene: Scene) -> None:
    scene.answer = lambda _request: httpx.Response(401)
    assert type(fails(scene)) is AuthExpired
    heard = len(scene.heard)
    assert type(fails(scene)) is AuthExpired

    assert len(scene.heard) == heard
    assert connections_status(scene) == "auth_expired"
    with scene.uow() as session:
        (alert,) = session.query(Alert)
        assert (alert.kind, alert.subject) == ("connection_auth_expired", scene.connection.id)
    assert scene.breaker.state == "closed"


def test_secrets_that_came_meanwhile_are_taken_up(scene: Scene) -> None:
    """A client that runs for long went by the old ones."""

    def play(request: httpx.Request) -> httpx.Response:
        if request.headers["x-token"] == NEW:
            return httpx.Response(200)
        with scene.uow() as session:
            connections.rotate(
                session,
                scene.runtime,
                scene.tenant.id,
                scene.connection.id,
                actor="key_test",
                secrets_given={"access_token": NEW},
                overlap=timedelta(),
            )
        return httpx.Response(401)

    scene.answer = play
    assert scene.client().request("POST", "/orders").status == 200
    assert connections_status(scene) == "active"


def connections_status(scene: Scene) -> str:
    with scene.uow() as session:
        return str(connections.get(session, scene.tenant.id, scene.connection.id).status)


class Derived(Dialect):
    """A system that wants a token which it gives for our secret, and which runs out."""

    def __init__(self, connection) -> None:
        super().__init__(connection)
        self.token = ""

    def authorize(self, client, credentials, _request: Outgoing) -> dict[str, str]:
        if not self.token:
            told = {"assertion": credentials["access_token"]}
            self.token = client.request("POST", "/token", json=told, anonymous=True).data["token"]
        return {"X-Token": self.token}

    def denied(self, _credentials) -> bool:
        was, self.token = self.token, ""
        return bool(was)


def test_a_token_that_ran_out_is_asked_for_anew(scene: Scene) -> None:
    tokens = iter(["one", "two"])

    def play(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"token": next(tokens)})
        return httpx.Response(200 if request.headers["x-token"] == "two" else 401)

    scene.answer = play
    assert scene.client(Derived).request("POST", "/orders").status == 200
    assert [request.url.path.rpartition("/")[2] for request in scene.heard] == ["token", "orders", "token", "orders"]
    assert "one" not in " ".join(call.request for call in scene.calls())


def test_what_is_named_like_a_secret_in_a_form_or_a_path_is_not_written_down(scene: Scene) -> None:
    form = b"grant_type=client_credentials&client_assertion=eyJhbGciOi.eyJpc3Mi.c2ln&scope=rest"
    scene.answer = lambda _request: httpx.Response(422, json={"message": "no such access_token=abc0 here"})
    with pytest.raises(Rejected) as refused:
        scene.client().request("POST", "/token?api_key=abc1&page=2", content=form, anonymous=True)

    [call] = scene.calls()
    assert call.path == "/token?api_key=••••&page=2"
    assert json.loads(call.request) == {"body": "grant_type=client_credentials&client_assertion=••••&scope=rest"}
    assert refused.value.message == "no such access_token=•••• here"
    assert scene.heard[0].content == form


def test_a_system_that_gives_no_token_rests_the_connection(scene: Scene) -> None:
    scene.answer = lambda _request: httpx.Response(401)
    with pytest.raises(AuthExpired):
        scene.client(Derived).request("POST", "/orders")

    assert [request.url.path.rpartition("/")[2] for request in scene.heard] == ["token"]
    assert connections_status(scene) == "auth_expired"


def test_a_paused_connection_is_not_called(scene: Scene) -> None:
    with scene.uow() as session:
        connections.pause(session, scene.tenant.id, scene.connection.id, actor="key_test", reason="x")

    assert type(fails(scene)) is ConnectionPaused
    assert (scene.heard, scene.calls(), scene.permits()) == ([], [], [])


def test_it_waits_for_room_as_long_as_it_has_patience(runtime, tenant) -> None:
    scene = connect(runtime, tenant, limit=points(10, 10))
    with clock.own(START) as hands:
        client = scene.client(patience=2.0, sleep=lambda seconds: hands.move(timedelta(seconds=seconds)))
        client.request("GET", "/orders", cost=10)
        client.request("GET", "/orders", cost=1)
        assert clock.now() - START == pytest.approx(timedelta(seconds=1), abs=timedelta(milliseconds=10))
        with pytest.raises(RateLimited) as refused:
            client.request("GET", "/orders", cost=10)
    assert refused.value.retry_after == pytest.approx(10, abs=0.01)
    assert len(scene.heard) == 2


class Throttled(Token):
    """A system that says everything with 200, and what it has left."""

    def refused(self, request: Outgoing, reply: Reply) -> SyncError | None:
        if reply.data and reply.data.get("throttled"):
            return RateLimited("Throttled.", retry_after=2, answer=reply.status)
        return super().refused(request, reply)

    def feedback(self, reply: Reply) -> Feedback:
        return Feedback(**reply.data["cost"])


def test_what_a_system_says_of_its_limit_counts_for_everybody(runtime, tenant) -> None:
    scene = connect(runtime, tenant, limit=points(2_000, 20))
    said = {"cost": 7, "available": 993, "capacity": 1_000, "restore_per_second": 50}
    scene.answer = lambda _request: httpx.Response(200, json={"cost": said, "throttled": True})
    with clock.own(START):
        with pytest.raises(RateLimited) as refused:
            scene.client(Throttled).request("POST", "/graphql", reads=True, cost=20)
        assert refused.value.retry_after == 2
        assert (scene.limit.capacity, scene.limit.period_ms, scene.limit.level_micro) == (1_000, 20_000, 993_000_000)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("Sat, 01 Nov 2036 00:00:09 GMT", 9.0),
        ("Sat, 01 Nov 2036 00:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0),
        ("1e400", 86_400.0),
        ("9" * 40, 86_400.0),
        ("soon", None),
        ("", None),
        ("-1", None),
    ],
)
def test_how_long_to_wait_is_a_number_or_a_moment(said, seconds) -> None:
    with clock.own(START):
        found = retry_after(Reply(429, {"retry-after": said}))
    assert found == (pytest.approx(seconds, abs=0.01) if seconds is not None else None)


def test_a_429_keeps_everybody_away(scene: Scene) -> None:
    scene.answer = lambda _request: httpx.Response(429, headers={"retry-after": "7"})
    with clock.own(START):
        assert type(fails(scene)) is RateLimited
        with pytest.raises(RateLimited) as refused:
            scene.client().request("GET", "/orders")
    assert refused.value.retry_after == pytest.approx(7, abs=0.01)
    assert len(scene.heard) == 1


def test_four_at_once_and_never_five(runtime, tenant) -> None:
    scene = connect(runtime, tenant, limit=LimitPolicy(LimitKind.CONCURRENCY, max_in_flight=4))
    flying, most = [], []

    def play(_request: httpx.Request) -> httpx.Response:
        flying.append(1)
        most.append(len(flying))
        with scene.uow():
            pass
        flying.pop()
        return httpx.Response(200)

    scene.answer = play
    with ThreadPoolExecutor(8) as pool:
        client = scene.client(patience=60.0, sleep=lambda _seconds: None)
        done = list(pool.map(lambda _: client.request("GET", "/orders").status, range(40)))
    assert (done, scene.permits()) == ([200] * 40, [])
    assert max(most) <= 4


def test_the_shadow_sends_nothing_that_writes(scene: Scene) -> None:
    shadow = Recording()
    client = scene.client(shadow=shadow, workflow_id="shadow:v2:1")

    assert client.request("POST", "/orders", json={"a": SECRET}).data == {}
    assert client.request("GET", "/orders").data == {"ok": True}
    assert client.request("POST", "/graphql", json={"query": "{x}"}, reads=True).data == {"ok": True}

    assert [request.method for request in scene.heard] == ["GET", "POST"]
    assert [request.path for request in shadow.requests] == ["/orders", "/orders", "/graphql"]
    assert [(call.mode, call.path, call.reads) for call in scene.calls()] == [
        (CallMode.SHADOW, "/orders", False),
        (CallMode.LIVE, "/orders", True),
        (CallMode.LIVE, "/graphql", True),
    ]
    assert SECRET not in scene.calls()[0].request


def test_a_recorder_that_forgets_to_answer_sends_nothing_either(scene: Scene) -> None:
    class Careless:
        def answer(self, _request: Outgoing) -> Reply | None:
            return None

    assert scene.client(shadow=Careless()).request("POST", "/orders").data == {}
    assert scene.heard == []


def test_the_shadow_hears_what_the_live_one_heard(scene: Scene) -> None:
    scene.client().request("POST", "/orders", json={"a": 1})
    (live,) = scene.calls()
    known = from_known({live.fingerprint: Reply.of({"id": 7})})
    client = scene.client(shadow=Recording(writes=known, reads=known))

    assert client.request("POST", "/orders", json={"a": 1}).data == {"id": 7}
    assert client.request("POST", "/orders", json={"a": 2}).data == {}
    assert len(scene.heard) == 1


def test_a_connection_of_another_shop_is_not_found(scene: Scene, runtime, make_tenant) -> None:
    other = connect(runtime, make_tenant())
    scene.tenant = other.tenant

    with pytest.raises(NotFound):
        scene.client().request("GET", "/orders")
    assert scene.heard == []


def test_the_callers_transaction_is_not_part_of_it(scene: Scene) -> None:
    def work() -> None:
        with scene.uow():
            scene.client().request("POST", "/orders")
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        work()

    assert [call.outcome for call in scene.calls()] == [""]


@pytest.mark.parametrize("point", faults.SYNC_POINTS)
def test_whoever_is_killed_in_the_middle_leaves_a_permit_that_ends(scene: Scene, point: str) -> None:
    """What was sent is seen in the journal, and the limit lets nobody take its place before the lease is over."""

    class Killed(BaseException):
        pass

    def pull(name: str) -> None:
        if name == point:
            raise Killed

    with clock.own(START) as hands:
        faults.set_hook(pull)
        with pytest.raises(Killed):
            scene.client().request("POST", "/orders")
        faults.set_hook(None)
        (permit,), (call,) = scene.permits(), scene.calls()
        assert (call.outcome, call.answer, len(scene.heard)) == (UNDER_WAY, None, int(point == "sync_after_call"))
        hands.move(permit.lease_until - clock.now())
        scene.client().request("GET", "/orders")
        assert scene.permits() == []


def test_the_journal_is_read_newest_first_in_pages(scene: Scene) -> None:
    from engine.sync import journal

    client = scene.client(workflow_id="run-1")
    for number in range(5):
        client.request("GET", f"/orders/{number}")
    with scene.uow() as session:
        first = journal.calls(session, scene.tenant.id, connection_id=scene.connection.id, limit=3)
        second = journal.calls(session, scene.tenant.id, workflow_id="run-1", limit=3, cursor=first.next_cursor)

    assert [row.path for row in first.items] == ["/orders/4", "/orders/3", "/orders/2"]
    assert ([row.path for row in second.items], second.next_cursor) == (["/orders/1", "/orders/0"], None)


def test_of_a_huge_document_the_beginning_is_looked_at(scene: Scene) -> None:
    """And nothing of a secret is left that lies across the end of what is kept."""
    near = "x" * (16_384 - 30)
    items = [{"id": number, "token": "t" * 20} for number in range(200_000)]
    scene.client().request("POST", "/orders", json={"note": near + SECRET, "items": items})
    scene.client().request("POST", "/files", content=(near + SECRET).encode() + b"y" * 5_000_000)

    for call in scene.calls():
        assert len(call.request.encode()) <= 16_384
        assert not [size for size in range(6, len(SECRET)) if SECRET[:size] in call.request]
