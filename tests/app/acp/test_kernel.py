"""The door, with a route of the test's own behind it: the order of its checks, and doing things once."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict
from starlette.testclient import TestClient

from app.protocols.acp import kernel
from app.protocols.acp.errors import PREFIXES, AcpError
from app.protocols.acp.kernel import AskedDep, Reply, acp_router, plain
from app.protocols.acp.once import Point, once, staged
from app.protocols.acp.pace import Pace
from app.server import create_app
from app.site import Site
from engine.kit import audit, clock
from engine.kit.audit import AuditRow
from engine.kit.errors import NotFound, RateLimited
from engine.kit.idempotency import LEASE
from engine.kit.tenancy import ApiKey
from tests.app.acp.conftest import OLDER, Agent
from tests.app.conftest import WEB
from tests.shop import Shop

router = acp_router("test")
BIG = "x" * (300 * 1024)


class Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid")

    say: str
    fail: str = ""


def _work(asked: kernel.Asked, session: Any) -> dict[str, Any]:
    wanted = asked.read(Wanted)
    audit.record(session, asked.tenant_id, actor=asked.identity.id, action="test.done", subject=wanted.say)
    if wanted.fail == "broken":
        raise RuntimeError("secret words of ours")
    if wanted.fail == "missing":
        raise NotFound("There is no such thing here.")
    if wanted.fail == "closed":
        raise AcpError(405, "closed", "This has ended.", headers={"Allow": "GET"})
    return {"said": wanted.say, "by": asked.identity.id}


@router.post("/agentic_commerce/test")
def do(asked: AskedDep) -> Reply:
    return once(asked, lambda session: _work(asked, session), status=201)


@router.get("/agentic_commerce/test/{thing_id}")
def read(asked: AskedDep) -> Reply:
    return plain(asked, {"id": asked.ids["thing_id"]})


class Steps:
    """What the staged work did, and what is to go wrong."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.fail: BaseException | None = None


class Killed(BaseException):
    """What a test throws where a process would end."""


STEPS = Steps()
_APP: list[FastAPI] = []


@router.post("/agentic_commerce/test/{thing_id}/steps")
def go(asked: AskedDep) -> Reply:
    def look() -> str:
        STEPS.done.append("look")
        return "looked"

    def begin(session: Any, looked: str) -> Point | dict[str, Any]:
        STEPS.done.append("begin")
        audit.record(session, asked.tenant_id, actor="test", action="test.begun", subject="x")
        return {"at": "once"} if asked.body == {"short": True} else Point({"row": "cnf_1", "looked": looked})

    def go_on(facts: dict[str, Any]) -> Any:
        STEPS.done.append("go_on")
        if STEPS.fail:
            raise STEPS.fail
        return lambda _: {"from": facts["row"], "looked": facts["looked"]}

    return staged(asked, look, begin, go_on)


@pytest.fixture
def door(site: Site, shop: Shop, make_key: Callable[..., str]) -> Iterator[Agent]:
    if not _APP:
        _APP.append(create_app(site))
        _APP[0].include_router(router)
    app = _APP[0]
    app.state.site = site
    STEPS.__init__()  # type: ignore[misc]
    http = TestClient(app, base_url=WEB, raise_server_exceptions=False)
    yield Agent(http, make_key(shop.tenant, "acp"))
    http.close()


def code(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["code"])


def test_the_checks_come_in_the_protocols_order(door: Agent) -> None:
    path = "/agentic_commerce/test"
    bad: dict[str, Any] = {"Authorization": None, "API_Version": "2020-01-01", "key": None, "body": b"{"}

    def send() -> Any:
        return door.ask("POST", path, bad["body"], key=bad["key"], **{k: v for k, v in bad.items() if k[0] == "A"})

    assert code(send(), 401) == "unauthorized"
    bad["Authorization"] = "Bearer ick_invented"
    assert code(send(), 401) == "unauthorized"
    bad["Authorization"] = door.key
    answer = send()
    assert code(answer, 400) == "unsupported_api_version"
    assert answer.json()["supported_versions"] == ["2026-04-17", "2026-01-30"]
    bad["API_Version"] = None
    assert code(send(), 400) == "missing_api_version"
    bad["API_Version"] = "2026-04-17"
    assert code(send(), 400) == "idempotency_key_required"
    bad["key"] = "k" * 256
    assert code(send(), 400) == "invalid_idempotency_key"
    bad["key"] = "k" * 255
    bad["body"] = json.dumps({"say": BIG}).encode()
    assert code(send(), 413) == "payload_too_large"
    bad["body"] = b"{"
    assert code(send(), 400) == "invalid_json"
    bad["body"] = b'{"say":"\\u0000"}'
    assert code(send(), 400) == "invalid_request"
    assert code(door.post(path, b"{}", Content_Type="text/plain"), 415) == "unsupported_media_type"
    bad["body"] = b'{"say":"yes"}'
    assert send().status_code == 201
    bad["body"] = b'{"say": 1}'
    assert code(send(), 422) == "idempotency_conflict"


def test_deep_and_odd_json_is_refused_in_one_way(door: Agent) -> None:
    for raw in (b"[" * 900 + b"]" * 900, b'{"say": NaN}', b'"\\ud800"', b"\xff", b"nul", b"{}{}"):
        assert code(door.post("/agentic_commerce/test", raw), 400) in {"invalid_json", "invalid_request"}
    assert code(door.post("/agentic_commerce/test"), 400) == "invalid_request"


def test_what_the_schema_refuses_names_the_place_and_echoes_nothing(door: Agent) -> None:
    answer = door.post("/agentic_commerce/test", {"say": {"secret": "4242424242424242"}, "evil_name": 1})

    assert code(answer, 400) == "invalid_request"
    assert answer.json()["param"] == "$.say"
    assert "4242" not in answer.text
    assert "evil" not in answer.text
    answer = door.post("/agentic_commerce/test", {"say": "x", "evil_name": 1})
    assert (answer.json()["param"], "evil" in answer.text) == ("$", False)
    assert door.post("/agentic_commerce/test", {}).json()["code"] == "missing"


def test_a_repeat_is_answered_the_same_and_does_nothing(door: Agent, shop: Shop) -> None:
    first = door.post("/agentic_commerce/test", {"say": "a", "fail": ""}, key="same")
    again = door.post("/agentic_commerce/test", b'{"fail":"", "say":"a"}', key="same")

    assert (again.status_code, again.content) == (201, first.content)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert done(shop) == 1
    assert first.json()["by"].startswith("agp_")


def test_a_refusal_is_kept_and_its_work_is_not(door: Agent, shop: Shop) -> None:
    for fail, status in (("missing", 404), ("closed", 405)):
        first = door.post("/agentic_commerce/test", {"say": "a", "fail": fail}, key=fail)
        again = door.post("/agentic_commerce/test", {"say": "a", "fail": fail}, key=fail)
        assert (first.status_code, again.status_code, again.content) == (status, status, first.content)
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers.get("allow") == first.headers.get("allow")
    assert done(shop) == 0


def test_what_is_our_fault_is_not_kept(door: Agent, shop: Shop) -> None:
    for _ in range(2):
        answer = door.post("/agentic_commerce/test", {"say": "a", "fail": "broken"}, key="k")
        assert code(answer, 500) == "internal_error"
        assert answer.json()["type"] == "processing_error"
        assert "secret words" not in answer.text
        assert "idempotent-replayed" not in answer.headers
    assert done(shop) == 0


def test_equal_requests_at_once_do_it_once(door: Agent, shop: Shop) -> None:
    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(door.post, "/agentic_commerce/test", {"say": "a"}, key="raced") for _ in range(8)]
        answers = [one.result() for one in sent]

    assert {one.status_code for one in answers} == {201}
    assert len({one.content for one in answers}) == 1
    assert sum("idempotent-replayed" in one.headers for one in answers) == 7
    assert done(shop) == 1


def test_keys_are_of_one_caller_and_one_address(door: Agent, shop: Shop, make_key: Callable[..., str]) -> None:
    other = Agent(door.http, make_key(shop.tenant, "acp"))

    assert door.post("/agentic_commerce/test", {"say": "a"}, key="k").status_code == 201
    assert "idempotent-replayed" not in other.post("/agentic_commerce/test", {"say": "b"}, key="k").headers
    assert door.post("/agentic_commerce/test/x/steps", {"say": "c"}, key="k").status_code == 200


def test_staged_work_goes_from_point_to_answer_and_repeats_it(door: Agent) -> None:
    first = door.post("/agentic_commerce/test/x/steps", {}, key="k")
    again = door.post("/agentic_commerce/test/x/steps", {}, key="k")

    assert first.json() == {"from": "cnf_1", "looked": "looked"}
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    assert STEPS.done == ["look", "begin", "go_on"]
    assert code(door.post("/agentic_commerce/test/x/steps", {"other": 1}, key="k"), 422) == "idempotency_conflict"
    assert door.post("/agentic_commerce/test/x/steps", {"short": True}, key="s").json() == {"at": "once"}
    assert door.post("/agentic_commerce/test/x/steps", {"short": True}, key="s").headers["idempotent-replayed"]


def test_staged_work_that_failed_for_now_goes_on_from_its_point(door: Agent, shop: Shop) -> None:
    STEPS.fail = RuntimeError("lost")
    assert code(door.post("/agentic_commerce/test/x/steps", {}, key="k"), 500) == "internal_error"
    STEPS.fail = None
    answer = door.post("/agentic_commerce/test/x/steps", {}, key="k")

    assert answer.json()["from"] == "cnf_1"
    assert STEPS.done == ["look", "begin", "go_on", "go_on"]
    assert done(shop, "test.begun") == 1


def test_staged_work_of_a_request_that_died_waits_for_its_lease(door: Agent, shop: Shop) -> None:
    STEPS.fail = Killed()
    with contextlib.suppress(Killed, BaseExceptionGroup, AssertionError):
        door.post("/agentic_commerce/test/x/steps", {}, key="k")
    STEPS.fail = None
    answer = door.post("/agentic_commerce/test/x/steps", {}, key="k")
    assert code(answer, 409) == "idempotency_in_flight"
    assert int(answer.headers["retry-after"]) >= 1
    with clock.shifted(LEASE):
        assert door.post("/agentic_commerce/test/x/steps", {}, key="k").status_code == 200
    assert done(shop, "test.begun") == 1


def test_a_definite_refusal_after_the_point_is_kept(door: Agent) -> None:
    STEPS.fail = AcpError(422, "unserviceable", "Not there.", param="$.fulfillment_details")
    first = door.post("/agentic_commerce/test/x/steps", {}, key="k")
    STEPS.fail = None
    again = door.post("/agentic_commerce/test/x/steps", {}, key="k")

    assert (code(first, 422), again.content) == ("unserviceable", first.content)


def test_reads_need_a_version_and_no_key(door: Agent) -> None:
    assert door.get("/agentic_commerce/test/thing_1").json() == {"id": "thing_1"}
    assert code(door.get("/agentic_commerce/test/thing_1", API_Version=None), 400) == "missing_api_version"
    assert code(door.get("/agentic_commerce/test/thing_1", Authorization=None), 401) == "unauthorized"
    assert code(door.get("/agentic_commerce/test/thing_1", Authorization=None, Cookie="ic_session=x"), 401)


def test_what_cannot_be_an_id_of_ours_is_not_there(door: Agent) -> None:
    for odd in ("x" * 2000, "a%00b", "%00", "a%20b", "%2e%2e", "ü"):
        assert code(door.get(f"/agentic_commerce/test/{odd}"), 404) == "not_found"
        assert code(door.post(f"/agentic_commerce/test/{odd}/steps", {}), 404) == "not_found"
    assert STEPS.done == []


def test_unknown_addresses_and_methods_are_told_in_the_protocols_words(door: Agent) -> None:
    for path in ("/checkout_sessions/a/b/c", "/agentic_commerce", "/carts/x/y/z", "/delegate_payment/x", "/acp/x"):
        assert code(door.get(path), 404) == "not_found"
    answer = door.ask("DELETE", "/agentic_commerce/test")
    assert (code(answer, 405), answer.headers["allow"]) == ("method_not_allowed", "POST")
    assert door.http.get("/v1/nothing").json()["type"] == "urn:icommerce:problem:not_found"
    assert not PREFIXES.match("/orders_of_mine")


def test_the_older_version_has_its_own_manners_about_keys(door: Agent) -> None:
    older = door.at(OLDER)

    assert older.post("/agentic_commerce/test", {"say": "a"}, key=None).status_code == 201
    assert older.post("/agentic_commerce/test", {"say": "a"}, key="k").status_code == 201
    assert code(older.post("/agentic_commerce/test", {"say": "b"}, key="k"), 409) == "idempotency_conflict"


def test_a_key_that_was_revoked_opens_nothing(door: Agent, shop: Shop) -> None:
    assert door.get("/agentic_commerce/test/x").status_code == 200
    with shop.runtime.store.without_tenant() as session:
        for row in session.query(ApiKey).filter(ApiKey.tenant_id == shop.tenant.id):
            row.revoked_at = clock.now()
    assert code(door.get("/agentic_commerce/test/x"), 401) == "unauthorized"


def test_one_key_has_its_pace(door: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_PACE", Pace(per_second=2))
    answers = [door.get("/agentic_commerce/test/x") for _ in range(4)]

    assert [one.status_code for one in answers][:2] == [200, 200]
    assert code(answers[3], 429) == "rate_limited"
    pace = Pace(per_second=1)
    pace.step("a")
    pace.step("b")
    with pytest.raises(RateLimited):
        pace.step("a")


def done(shop: Shop, action: str = "test.done") -> int:
    with shop.uow() as session:
        return session.query(AuditRow).filter(AuditRow.action == action).count()
