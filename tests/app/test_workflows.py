"""``/v1/ops/workflows`` and ``icommerce run|runs``: runs are begun, looked at and begun anew from anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

import app.commands.opened
import app.logs
from app.cli import app as cli
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.workflows.models import RunRow
from engine.workflows.rehearsal import rehearse
from engine.workflows.run import Run
from tests.app.conftest import Browser
from tests.engine.workflows.toys import Toy, registered, toy

PATH = "/v1/ops/workflows"


def body(run: Run, payload: Toy) -> dict[str, Any]:
    return {"ref": run.step("only", lambda: payload.ref)}


WORKFLOW = toy(body)


@pytest.fixture(autouse=True)
def _toys() -> Iterator[None]:
    with registered(WORKFLOW):
        yield


@pytest.fixture
def ops(tenant: Tenant, make_key: Callable[..., str]) -> str:
    return make_key(tenant, "ops")


@pytest.fixture
def invoke(runtime: Runtime, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    @contextmanager
    def opened(*_: object, **__: object) -> Iterator[Runtime]:
        yield runtime

    monkeypatch.setattr(app.commands.opened, "runtime", opened)
    monkeypatch.setattr(app.logs, "configure", lambda: None)  # of this whole process

    def said(*words: str, stdin: str = "") -> Any:
        return CliRunner().invoke(cli, [*words, "--tenant", tenant.slug], input=stdin)

    return said


def runs(runtime: Runtime, tenant: Tenant) -> list[RunRow]:
    with runtime.unit_of_work(tenant.id) as session:
        return list(session.scalars(select(RunRow).where(RunRow.tenant_id == tenant.id).order_by(RunRow.id)))


def test_a_run_is_begun_once_and_only_where_its_workflow_is_on(
    browser: Browser, ops: str, runtime: Runtime, tenant: Tenant
) -> None:
    at = f"{PATH}/toy"
    off = browser.post(f"{at}/runs", {"payload": {"ref": "#1"}}, authorization=ops)
    assert (off.status_code, off.json()["code"], runs(runtime, tenant)) == (409, "workflow_off", [])
    assert browser.post(f"{at}/switch", {"on": True}, authorization=ops).json()["is_on"]
    begun = browser.post(f"{at}/runs", {"payload": {"ref": "#1"}}, authorization=ops)
    assert (begun.status_code, begun.json()) == (202, {"workflow_id": f"{tenant.id}:toy:#1", "is_new": True})
    again = browser.post(f"{at}/runs", {"payload": {"ref": "#1", "note": "other"}}, authorization=ops)
    assert (again.status_code, again.json()["is_new"]) == (202, False)
    (row,) = runs(runtime, tenant)
    assert (row.status, row.payload, row.trigger.split(":")[0]) == ("queued", {"ref": "#1", "note": ""}, "http")


def test_a_payload_that_is_none_and_a_workflow_that_is_none_are_refused(
    browser: Browser, ops: str, runtime: Runtime, tenant: Tenant
) -> None:
    wrong = browser.post(f"{PATH}/toy/runs", {"payload": {"note": 7}}, authorization=ops)
    assert (wrong.status_code, wrong.json()["code"]) == (400, "payload_refused")
    assert browser.post(f"{PATH}/nope/runs", {"payload": {}}, authorization=ops).status_code == 404
    assert runs(runtime, tenant) == []


def test_it_is_for_operations_alone(browser: Browser, tenant: Tenant, make_key: Callable[..., str]) -> None:
    for scope in ("staff", "acp"):
        key = make_key(tenant, scope)
        assert browser.get(PATH, authorization=key).status_code == 403
        assert browser.post(f"{PATH}/toy/runs", {"payload": {"ref": "#1"}}, authorization=key).status_code == 403
    assert browser.get(PATH).status_code in {401, 403}


def test_a_dry_run_begins_nothing(browser: Browser, ops: str, runtime: Runtime, tenant: Tenant) -> None:
    tried = browser.post(f"{PATH}/toy/runs?dry_run=true", {"payload": {"ref": "#1"}}, authorization=ops).json()
    assert (tried["status"], tried["result"], tried["requests"]) == ("done", {"ref": "#1"}, [])
    assert [row.mode for row in runs(runtime, tenant)] == ["shadow"]


def test_settings_are_tried_and_put_in_force(browser: Browser, ops: str) -> None:
    at = f"{PATH}/toy"
    saved = browser.post(f"{at}/settings", {"is_on": True, "settings": {"safety_stock": 3}}, authorization=ops)
    assert (saved.status_code, saved.json()["version"], saved.json()["active"]) == (201, 1, False)
    (change,) = browser.get(f"{at}/settings/1/diff", authorization=ops).json()["items"]
    assert (change["is_on"], change["changes"]) == (True, {"safety_stock": [0, 3]})
    bad = browser.post(f"{at}/settings", {"is_on": True, "settings": {"safety_stock": "much"}}, authorization=ops)
    assert (bad.status_code, bad.json()["param"]) == (400, "settings.safety_stock")
    assert browser.post(f"{at}/activations", {"version": 1}, authorization=ops).json()["active"]
    (view,) = browser.get(PATH, authorization=ops).json()["items"]
    assert (view["is_on"], view["settings"]["safety_stock"], view["settings_version"]) == (True, 3, 1)


def test_what_all_share_is_set_as_well_and_has_no_switch_and_no_runs(browser: Browser, ops: str) -> None:
    for number, path in enumerate(("*", "%2A"), 1):
        given: dict[str, Any] = {"is_on": True, "settings": {"safety_stock": number}}
        saved = browser.post(f"{PATH}/{path}/settings", given, authorization=ops)
        assert (saved.status_code, saved.json()["version"], saved.json()["is_on"]) == (201, number, False)
        (change,) = browser.get(f"{PATH}/{path}/settings/{number}/diff", authorization=ops).json()["items"]
        assert change["changes"] == {"safety_stock": [number - 1, number]}
        assert browser.post(f"{PATH}/{path}/activations", {"version": number}, authorization=ops).json()["active"]
    (view,) = browser.get(PATH, authorization=ops).json()["items"]
    assert (view["is_on"], view["settings"]["safety_stock"]) == (False, 2)
    for act, given in (("switch", {"on": True}), ("runs", {"payload": {"ref": "#1"}})):
        refused = browser.post(f"{PATH}/*/{act}", given, authorization=ops)
        assert (refused.status_code, refused.json()["code"]) == (404, "workflow_not_found")
    versions = browser.get(f"{PATH}/*/settings", authorization=ops).json()["items"]
    assert [(one["version"], one["active"]) for one in versions] == [(2, True), (1, False)]
    assert browser.get(f"{PATH}/**/settings", authorization=ops).status_code == 404


def test_the_command_line_begins_many_shows_and_begins_anew(
    browser: Browser, ops: str, invoke: Callable[..., Any], runtime: Runtime, tenant: Tenant, tmp_path: Path
) -> None:
    browser.post(f"{PATH}/toy/switch", {"on": True}, authorization=ops)
    lines = "".join(json.dumps({"ref": ref}) + "\n" for ref in ("#1", "#2", "#1"))
    said = invoke("run", "--connector", "toy", "--payload", "-", "--json", stdin=lines)
    assert (said.exit_code, [json.loads(line)["is_new"] for line in said.stdout.splitlines()]) == (
        0,
        [True, True, False],
    )
    file = tmp_path / "one.json"
    file.write_text(json.dumps({"ref": "#3"}))
    assert invoke("run", "--connector", "toy", "--payload", str(file)).stdout == f"{tenant.id}:toy:#3\n"
    dry = invoke("run", "--connector", "toy", "--payload", str(file), "--dry-run", "--json")
    assert json.loads(dry.stdout)["result"] == {"ref": "#3"}

    run_id = f"{tenant.id}:toy:#1"
    canceled = invoke("runs", "cancel", run_id, "--reason", "a test")
    assert (canceled.exit_code, canceled.stdout) == (0, f"{run_id}  canceled\n")
    waited = invoke("run", "--connector", "toy", "--payload", "-", "--wait", stdin='{"ref": "#1"}')
    assert waited.exit_code == 1
    assert invoke("runs", "retry", run_id).stdout == f"{run_id}  queued\n"
    rehearse(runtime, tenant.id, WORKFLOW, Toy(ref="#1"))
    assert invoke("run", "--connector", "toy", "--payload", "-", "--wait", stdin='{"ref": "#1"}').exit_code == 0
    shown = json.loads(invoke("runs", "show", run_id, "--json").stdout)
    assert (shown["status"], shown["turn"], [step["name"] for step in shown["steps"]]) == ("done", 2, ["only"])
    listed = json.loads(invoke("runs", "list", "--status", "queued", "--json").stdout)
    assert [one["id"] for one in listed] == [f"{tenant.id}:toy:#3", f"{tenant.id}:toy:#2"]


def test_a_replay_differs_in_nothing_or_ends_with_one(
    invoke: Callable[..., Any], runtime: Runtime, tenant: Tenant
) -> None:
    nothing = invoke("replay", "--version", "1.0.0", "--shadow")
    assert (nothing.exit_code, nothing.stderr) == (1, "0 runs played, 0 differ.\n")
    rehearse(runtime, tenant.id, WORKFLOW, Toy(ref="#1"))
    same = invoke("replay", "--version", "1.0.0", "--shadow", "--json")
    assert (same.exit_code, [one["same"] for one in json.loads(same.stdout)]) == (0, [True])
    assert invoke("replay", "--version", "1.0.0").exit_code == 2
    assert invoke("replay", "--version", "9.9.9", "--shadow").exit_code == 2

    def refuses(run: Run, payload: Toy) -> dict[str, Any]:
        raise KeyError("broken")

    with registered(toy(refuses, version="1.1.0")):
        other = invoke("replay", "--version", "1.1.0", "--shadow", "--json")
    assert (other.exit_code, json.loads(other.stdout.splitlines()[-1])[0]["status"]) == (1, "failed")
