"""Who may do what at ``/ops`` and ``/v1/ops``: every path that there is, asked by everybody there is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from sqlalchemy import text

from app.ops import pages
from engine.kit.identity import Role
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync import inbox, targets
from engine.sync.models import System
from engine.sync.work_models import DeliveryStatus
from engine.workflows.models import RunMode, RunStatus
from engine.workflows.shadow import trigger_of
from tests.app.conftest import WEB, Browser
from tests.app.staff.conftest import Console, console, hire  # noqa: F401 (fixtures)
from tests.engine.operations.pipeline_scene import SECRETS, Pipeline
from tests.engine.sync.targets import ORDER, PLACE, SPEC

API = "/v1/ops"


class Ask(NamedTuple):
    """``granted`` to the shop's operations; ``elsewhere`` to another shop's (``None``: it would be about their own)."""

    method: str
    path: str
    granted: int
    elsewhere: int | None
    body: Any = None
    query: str = ""


def read(path: str, query: str = "", *, elsewhere: int = 404) -> Ask:
    return Ask("GET", path, 200, elsewhere, query=query)


def write(path: str, body: Any = None, *, granted: int = 200, elsewhere: int | None = 404) -> Ask:
    return Ask("POST", path, granted, elsewhere, body or {})


CONNECTION = {
    "system": "shopify",
    "name": "Second",
    "base_url": "https://shop.example.com/admin",
    "settings": {},
    "secrets": SECRETS[System.SHOPIFY],
}
TRIAL = {"documents": [ORDER]}
ASKS = (
    *(read(path, elsewhere=200) for path in ("/overview", "/runs", "/exceptions", "/exceptions/causes", "/deliveries")),
    *(read(path, elsewhere=200) for path in ("/stock", "/shadows", "/connections", "/mappings", "/workflows")),
    read("/mapping-targets", elsewhere=200),
    read("/run", "id={run}"),
    read("/run/why", "id={run}"),
    read("/objects", "kind=order&ref=%237"),
    read("/calls/{call_id}"),
    read("/exceptions/{exception_id}"),
    read("/deliveries/{delivery_id}"),
    read("/shadows/differences", "workflow=shopifyToNetsuite&version=1.1.0"),
    read("/connections/{connection_id}"),
    read("/connections/{connection_id}/calls"),
    write("/exceptions/causes/{fingerprint}/retry"),
    write("/exceptions/{exception_id}/dismiss"),
    write("/exceptions/{exception_id}/reopen"),
    write("/exceptions/{exception_id}/fix", {"payload": {"source_id": "7"}}),
    write("/exceptions/{exception_id}/retry", granted=409),
    write("/deliveries/{delivery_id}/revive"),
    write("/run/now", {"id": "{waits}"}),
    write("/run/cancel", {"id": "{waits}", "reason": "A double."}),
    write("/run/retry", {"id": "{waits}"}),
    write("/connections", CONNECTION, granted=201, elsewhere=None),
    Ask("PATCH", "/connections/{connection_id}", 200, 404, {"settings": {"a": "b"}}),
    write("/connections/{connection_id}/secrets", {"secrets": {"password": "another-password"}}),
    write("/connections/{connection_id}/pause", {"reason": "A look."}),
    write("/connections/{connection_id}/resume"),
    write("/connections/{connection_id}/breaker/reset"),
    write("/connections/{connection_id}/test"),
    write("/connections/{connection_id}/listen", granted=400),
    write("/connections/{connection_id}/close", {"reason": "It is over."}),
    write(
        "/mappings",
        {"name": "orders", "target": "test.salesOrder", "spec": SPEC, "samples": [ORDER]},
        granted=201,
        elsewhere=None,
    ),
    read("/mappings/{mapping}"),
    read("/mappings/{mapping}/versions"),
    write("/mappings/{mapping}/activate", {"version": 1}),
    write("/mappings/{mapping}/dry-run", TRIAL),
    write("/mappings/{mapping}/diff", TRIAL | {"old": 1, "new": 1}),
    write("/workflows/{name}/settings", {"is_on": True}, granted=201, elsewhere=None),
    read("/workflows/{name}/settings", elsewhere=200),
    read("/workflows/{name}/settings/{version}/diff"),
    write("/workflows/{name}/activations", {"version": 1}),
    write("/workflows/{name}/switch", {"on": True}, elsewhere=None),
    write("/workflows/{name}/runs", {"payload": {"source_id": "8"}}, granted=202, elsewhere=None),
)
PAGES = ("/ops", "/ops/runs", "/ops/exceptions", "/ops/deliveries", "/ops/stock", "/ops/shadows")
THINGS = ("/ops/run?id={run}", "/ops/object?kind=order&ref=%237")
STANDING = text("""
SELECT (SELECT string_agg(id || status, ',' ORDER BY id) FROM app.sync_exceptions),
  (SELECT string_agg(id || status || turn, ',' ORDER BY id) FROM app.sync_runs),
  (SELECT string_agg(id || status, ',' ORDER BY id) FROM app.sync_deliveries),
  (SELECT string_agg(id || status || base_url, ',' ORDER BY id) FROM app.sync_connections),
  (SELECT count(*) FROM app.sync_secrets), (SELECT count(*) FROM app.sync_mappings),
  (SELECT count(*) FROM app.sync_pipeline), (SELECT count(*) FROM app.audit)
""")


@dataclass
class Scene:
    """A shop in which each path has something to find."""

    pipeline: Pipeline
    names: dict[str, str]

    def put(self, template: Any) -> Any:
        if isinstance(template, dict):
            return {key: self.put(value) for key, value in template.items()}
        if isinstance(template, str):
            return re.sub(r"\{(\w+)\}", lambda found: self.names[found[1]], template)
        return template

    def path(self, ask: Ask) -> str:
        query = re.sub(r"\{(\w+)\}", lambda found: quote(self.names[found[1]]), ask.query)
        return API + self.put(ask.path) + (f"?{query}" if query else "")

    def standing(self) -> tuple[Any, ...]:
        with self.pipeline.uow() as session:
            return tuple(session.execute(STANDING).one())


@pytest.fixture
def scene(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setitem(targets.TARGETS, "test.salesOrder", PLACE)
    tenant_id = pipeline.tenant.id
    stopped = pipeline.stopped(7, calls=[(System.DCL, "POST", "/batches", 400, "vendor_rejected")])
    waits = pipeline.run(9, RunStatus.WAITING)
    pipeline.run(
        10,
        mode=RunMode.SHADOW,
        version="1.1.0",
        replay_of=stopped.workflow_id,
        trigger=trigger_of(stopped.first_at, stopped.first_at),
    )
    with pipeline.uow() as session:
        letter, _ = inbox.receive(
            session, tenant_id=tenant_id, source="shopify", delivery_id="d", topic="t", body=b"{}", headers={}
        )
        letter.status = DeliveryStatus.DEAD
        call = session.execute(text("SELECT max(id) FROM app.sync_calls")).scalar_one()
    names = {"run": stopped.workflow_id, "waits": waits, "exception_id": stopped.id, "fingerprint": stopped.fingerprint}
    names |= {"delivery_id": letter.id, "call_id": str(call), "connection_id": pipeline.systems[System.DCL].id}
    return Scene(pipeline, names | {"mapping": "orders", "name": "shopifyToNetsuite", "version": "1"})


def test_every_path_is_asked(browser: Browser) -> None:
    described = browser.get("/openapi.json").json()["paths"]
    there = {(method.upper(), path) for path in described if path.startswith(f"{API}/") for method in described[path]}
    asked = {(one.method, API + one.path) for one in ASKS}
    assert there - asked == {("GET", f"{API}/events")}
    assert asked <= there
    assert {one.path for one in pages.router.routes} == {path.partition("?")[0] for path in (*PAGES, *THINGS)}  # type: ignore[attr-defined]


def answers(browser: Browser, scene: Scene, asks: Iterator[Ask] | tuple[Ask, ...], **headers: str) -> dict[str, int]:
    found = {}
    for one in asks:
        if one.method == "GET":
            answer = browser.get(scene.path(one), **headers)
        elif one.method == "POST":
            answer = browser.post(scene.path(one), scene.put(one.body), **headers)
        else:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            sent = {"Idempotency-Key": f"patch-{id(found)}", "Origin": WEB} | named
            sent |= {"X-Staff": "1"} if isinstance(browser, Console) else {}
            answer = browser.http.patch(scene.path(one), json=scene.put(one.body), headers=sent)
        found[f"{one.method} {one.path}"] = answer.status_code
    return found


def shown(browser: Browser, scene: Scene, **headers: str) -> dict[str, int]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {
        path: browser.http.get(
            path.format(run=quote(scene.names["run"])), headers=named, follow_redirects=False
        ).status_code
        for path in (*PAGES, *THINGS)
    }


EVENTS = Ask("GET", "/events", 200, 200)
DENIED: dict[str, tuple[int, int]] = {
    "nobody": (401, 303),
    "shopper": (403, 303),
    "agent's key": (403, 303),
    "staff's key": (403, 403),
    "support": (403, 403),
    "supervisor": (403, 403),
}
"""Who → what they are answered by the API, and by the pages."""
GRANTED = ("ops", "admin", "ops's key", "admin's key")


@pytest.fixture
def come(
    request: pytest.FixtureRequest,
    runtime: Runtime,
    tenant: Tenant,
    make_key: Callable[..., str],
    open_browser: Callable[[], Browser],
) -> Callable[[str], tuple[Browser, dict[str, str]]]:
    def make(who: str) -> tuple[Browser, dict[str, str]]:
        if who.endswith("'s key"):
            scope = who.partition("'")[0].replace("agent", "acp")
            return open_browser(), {"authorization": make_key(tenant, scope)}
        if who in set(Role):
            member = request.getfixturevalue("hire")(tenant, Role(who))
            return request.getfixturevalue("console")(runtime, member), {}
        browser = open_browser()
        if who == "shopper":
            browser.start(tenant)
        return browser, {}

    return make


@pytest.mark.parametrize("who", DENIED)
def test_nobody_else_is_let_in_and_nothing_moves(scene: Scene, come: Any, who: str) -> None:
    browser, headers = come(who)
    before, (api, page) = scene.standing(), DENIED[who]
    told = answers(browser, scene, (*ASKS, EVENTS), **headers)
    assert told == dict.fromkeys(told, api)
    seen = shown(browser, scene, **headers)
    assert seen == dict.fromkeys(seen, page)
    assert scene.standing() == before


@pytest.mark.parametrize("who", GRANTED)
def test_operations_and_admins_may_do_all_of_it(scene: Scene, come: Any, who: str) -> None:
    browser, headers = come(who)
    seen = shown(browser, scene, **headers)
    assert seen == dict.fromkeys(seen, 200)
    told = answers(browser, scene, ASKS, **headers)
    assert told == {f"{one.method} {one.path}": one.granted for one in ASKS}


def test_another_shops_operations_find_nothing_and_move_nothing(
    scene: Scene, browser: Browser, make_tenant: Callable[..., Tenant], make_key: Callable[..., str]
) -> None:
    headers = {"authorization": make_key(make_tenant(), "ops", "admin")}
    before, asks = scene.standing(), tuple(one for one in ASKS if one.elsewhere is not None)
    told = answers(browser, scene, asks, **headers)
    assert told == {f"{one.method} {one.path}": one.elsewhere for one in asks}
    for one in asks:
        if (one.method, one.elsewhere) == ("GET", 200) and one.path not in {
            "/overview",
            "/mapping-targets",
            "/workflows",
        }:
            assert browser.get(scene.path(one), **headers).json()["items"] == [], one.path
    seen = shown(browser, scene, **headers)
    assert seen == dict.fromkeys(PAGES, 200) | dict.fromkeys(THINGS, 404)
    assert scene.standing() == before
