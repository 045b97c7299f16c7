"""``/v1/ops/mappings``: saved when they fit, tried before they are in force."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync import targets
from engine.sync.work_models import Mapping
from tests.app.conftest import Browser
from tests.engine.sync.targets import MADE, ORDER, PLACE, SPEC

PATH = "/v1/ops/mappings"
RAW = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def _target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(targets.TARGETS, "test.salesOrder", PLACE)


@pytest.fixture
def ops(tenant: Tenant, make_key: Callable[..., str]) -> str:
    return make_key(tenant, "ops")


def body(**more: Any) -> dict[str, Any]:
    return {"name": "orders", "target": "test.salesOrder", "spec": SPEC, "samples": [ORDER]} | more


def other(**fields: Any) -> dict[str, Any]:
    made = copy.deepcopy(SPEC)
    made["fields"] |= fields
    return made


def test_saved_tried_compared_and_put_in_force(browser: Browser, ops: str) -> None:
    assert browser.post(PATH, body(), authorization=ops).json()["version"] == 1
    second = browser.post(PATH, body(spec=other(status={"constant": "A"}), note="pending"), authorization=ops)
    assert (second.status_code, second.json()["version"], second.json()["active"]) == (201, 2, False)

    at = f"{PATH}/orders"
    (tried,) = browser.post(f"{at}/dry-run", {"documents": [ORDER], "version": 1}, authorization=ops).json()["items"]
    assert tried == {"ok": True, "result": MADE, "faults": []}
    compared = browser.post(f"{at}/diff", {"documents": [ORDER], "old": 1, "new": 2}, authorization=ops).json()
    assert [one["changed"] for one in compared["items"]] == [{"status": ["B", "A"]}]
    assert browser.post(f"{at}/activate", {"version": 2}, authorization=ops).json()["active"]

    assert browser.get(at, authorization=ops).json()["version"] == 2
    assert browser.get(f"{at}?version=1", authorization=ops).json()["spec"] == SPEC
    shown = browser.get(f"{at}/versions", authorization=ops).json()["items"]
    assert [(one["version"], one["active"]) for one in shown] == [(2, True), (1, False)]
    assert [one["version"] for one in browser.get(PATH, authorization=ops).json()["items"]] == [2]
    assert browser.post(f"{at}/activate", {"version": 3}, authorization=ops).status_code == 404


def test_what_does_not_fit_is_refused_with_every_reason(
    browser: Browser, ops: str, runtime: Runtime, tenant: Tenant
) -> None:
    wrong = other(status={"constant": "C"}, nowhere={"path": "x"}, amount={"path": "sum(x)"})
    answer = browser.post(PATH, body(spec=wrong), authorization=ops)

    assert (answer.status_code, answer.json()["code"], answer.json()["param"]) == (400, "mapping_refused", "spec")
    assert {one["path"]: one["message"] for one in answer.json()["faults"]} == {
        "status": "Input should be 'A' or 'B'",
        "nowhere": "SalesOrder has no nowhere",
        "amount": "sum() is not exact: use a transform",
    }
    for more, code in (
        ({"samples": [ORDER | {"processed_at": "x"}]}, "sample_refused"),
        ({"target": "nowhere"}, "invalid_request"),
        ({"name": "A name"}, "invalid_request"),
    ):
        assert browser.post(PATH, body(**more), authorization=ops).json()["code"] == code
    with runtime.unit_of_work(tenant.id) as session:
        assert session.query(Mapping).count() == 0


@pytest.mark.parametrize(
    "spec",
    [
        {"fields": {RAW: {"path": "x"}}},
        {"fields": {"status": {"path": "x", "lookup": RAW}}},
        {"fields": {"status": {"path": RAW}}},
        {"fields": {"status": {"path": "x", "transform": [RAW]}}},
        {"fields": {"status": {"path": "x", RAW: 1}}},
        {"fields": {"status": {"path": "x", "transform": [{"name": "date", "zone": RAW}]}}},
        {"fields": {"status": {"path": "x", "transform": [{"name": "minor", "currency": RAW}]}}},
        {"fields": RAW},
        {},
    ],
)
def test_nothing_odd_comes_back(browser: Browser, ops: str, spec: dict[str, Any]) -> None:
    answer = browser.post(PATH, body(spec=spec, name="x"), authorization=ops)

    assert (answer.status_code, answer.json()["code"]) == (400, "mapping_refused"), answer.text
    assert RAW not in answer.json()["detail"]
    assert RAW not in str(answer.json()["faults"])


def test_a_spec_is_tried_before_it_is_saved(browser: Browser, ops: str) -> None:
    late = ORDER | {"processed_at": None}
    answer = browser.post(f"{PATH}?dry_run=true", body(samples=[ORDER, late]), authorization=ops)

    assert [one["ok"] for one in answer.json()["items"]] == [True, False]
    assert answer.json()["items"][1]["faults"] == [{"path": "tranDate", "message": "Field required"}]
    assert browser.get(PATH, authorization=ops).json()["items"] == []


def test_what_mappings_can_be_made_of_is_told(browser: Browser, ops: str) -> None:
    told = browser.get("/v1/ops/mapping-targets", authorization=ops).json()

    assert "otherRefNum" in told["targets"]["test.salesOrder"]["properties"]
    assert told["transforms"]["upper"] == "In capitals."


@pytest.mark.parametrize("odd", ["9" * 40, '"\\ud800"', "NaN", "1e999", "[" * 200 + "]" * 200])
def test_odd_documents_make_no_server_error(browser: Browser, ops: str, odd: str) -> None:
    assert browser.post(PATH, body(), authorization=ops).status_code == 201
    headers = {"authorization": ops, "content-type": "application/json"}
    spec = f'{{"fields": {{"status": {{"constant": {odd}}}}}}}'
    account = '"system": "dcl", "name": "x", "base_url": "https://x.example", "secrets": {"password": "12345678"}'
    asked = {
        PATH: f'{{"name": "odd", "target": "test.salesOrder", "spec": {spec}}}',
        f"{PATH}/orders/dry-run": f'{{"documents": [{{"name": {odd}, "processed_at": {odd}, "line_items": {odd}}}]}}',
        "/v1/ops/connections": f'{{{account}, "settings": {{"a": {odd}}}}}',
    }
    for path, text in asked.items():
        answer = browser.http.post(path, content=text.encode(), headers=headers | {"idempotency-key": path})
        assert answer.status_code < 500, (path, answer.text)
