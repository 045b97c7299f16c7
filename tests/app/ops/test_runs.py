"""``/v1/ops/runs`` and ``/v1/ops/objects``: found by what they are at, shown in full, begun anew."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import text

from engine.kit import clock
from engine.kit.audit import AuditRow
from engine.sync import exceptions, xref
from engine.sync.models import System
from engine.workflows.models import RunMode, RunStatus, StepStatus
from tests.app.conftest import Browser
from tests.engine.operations.pipeline_scene import Pipeline

RUNS = "/v1/ops/runs"


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["id"].rpartition(":")[2] for one in answer.json()["items"]]


def run_at(run_id: str, more: str = "") -> str:
    return f"/v1/ops/run{more}?id={quote(run_id)}"


def test_runs_are_found_by_what_they_are_at(browser: Browser, ops: str, pipeline: Pipeline) -> None:
    hour = timedelta(hours=1)
    pipeline.run(1, RunStatus.DONE, ago=3 * hour)
    pipeline.run(2, RunStatus.WAITING, ago=2 * hour)
    pipeline.run(3, RunStatus.RUNNING, ago=hour)
    pipeline.run(4, RunStatus.QUEUED, workflow="netsuiteToDCL")
    pipeline.run(5, RunStatus.FAILED, mode=RunMode.SHADOW)
    asked = {
        "": ["4", "3", "2", "1"],
        "?retrying=true": ["2"],
        "?status=running&status=queued": ["4", "3"],
        "?workflow=netsuiteToDCL": ["4"],
        "?older_than=5400": ["2", "1"],
        "?older_than=5400&status=done": ["1"],
        "?kind=order&ref=%233": ["3"],
        "?mode=shadow": ["5"],
    }
    assert {query: ids(browser.get(RUNS + query, authorization=ops)) for query in asked} == asked


def test_retrying_now_is_exact(browser: Browser, ops: str, pipeline: Pipeline) -> None:
    """What only stands as waiting in a step, or failed, or runs a later attempt, is not retrying."""
    pipeline.run(1, RunStatus.RUNNING, steps=[("send", StepStatus.WAITING)], attempts=3)
    pipeline.stopped(2)
    waits = pipeline.run(3, RunStatus.WAITING, step="send", attempts=3, error_code="vendor_unavailable")
    (found,) = browser.get(f"{RUNS}?retrying=true", authorization=ops).json()["items"]

    assert (found["id"], found["retrying"], found["attempt"], found["attempts_allowed"]) == (waits, True, 3, 8)
    assert found["next_try_at"] > clock.now().isoformat()
    shown = browser.get("/v1/ops/overview", authorization=ops).json()
    assert [one["id"] for one in shown["retrying"]] == [waits]
    assert shown["runs"] == {"queued": 0, "running": 1, "waiting": 1, "failed": 1}


def test_pages_end_and_hold_everything_once(browser: Browser, ops: str, pipeline: Pipeline) -> None:
    at = clock.now()
    for number in range(5):
        pipeline.run(number, created_at=at)
    seen, cursor = list[str](), ""
    while True:
        answer = browser.get(f"{RUNS}?limit=2{cursor}", authorization=ops)
        seen += ids(answer)
        if not answer.json()["next_cursor"]:
            break
        cursor = f"&cursor={answer.json()['next_cursor']}"
    assert seen == ["4", "3", "2", "1", "0"]


def test_a_run_is_shown_with_its_steps_and_requests(browser: Browser, ops: str, pipeline: Pipeline) -> None:
    steps = [("items", StepStatus.DONE), ("salesOrder", StepStatus.WAITING)]
    calls = [(System.NETSUITE, "PUT", "/record/v1/salesOrder", 503, "vendor_unavailable")]
    run_id = pipeline.run(7, RunStatus.WAITING, steps=steps, calls=calls, step="salesOrder", attempts=3)
    shown = browser.get(run_at(run_id), authorization=ops).json()

    assert [(one["place"], one["name"], one["status"], one["attempts"]) for one in shown["steps"]] == [
        (1, "items", "done", 1),
        (2, "salesOrder", "waiting", 3),
    ]
    (call,) = shown["calls"]
    assert (call["system"], call["answer"], call["outcome"]) == ("netsuite", 503, "vendor_unavailable")
    assert "request" not in call
    said = browser.get(f"/v1/ops/calls/{call['id']}", authorization=ops).json()
    assert (said["request"], said["workflow_id"]) == ('{"body":{"sku":"TENT-1"}}', run_id)
    for wrong in ("0", "x", "99999999999999999999999"):
        assert browser.get(f"/v1/ops/calls/{wrong}", authorization=ops).status_code == 404


def test_a_run_is_explained(browser: Browser, ops: str, pipeline: Pipeline) -> None:
    pipeline.stopped(7, steps=[("customer", StepStatus.DONE), ("items", StepStatus.FAILED)])
    run_id = f"{pipeline.tenant.id}:shopifyToNetsuite:shop:7"
    told = browser.get(run_at(run_id, "/why"), authorization=ops).json()

    assert told["words"][0] == (
        "shopifyToNetsuite stopped at its step “items”: the system understood the request and refused it"
        " (There is no item 'TENT-7'). It does not go on by itself."
    )
    assert told["words"][1] == "Done before that: customer."
    assert told["words"][2].endswith("What was refused: item.items.0.item: TENT-1 is unknown.")
    assert told["acts"] == ["retry_exception", "fix_exception", "dismiss_exception"]


def test_a_business_object_has_all_its_runs_and_names(browser: Browser, ops: str, pipeline: Pipeline) -> None:
    first = pipeline.run(7, ago=timedelta(hours=1))
    second = pipeline.run(7, RunStatus.WAITING, workflow="netsuiteToDCL")
    pipeline.run(8)
    names = {"tenant_id": pipeline.tenant.id, "system": System.NETSUITE, "kind": "salesOrder"}
    with pipeline.uow() as session:
        xref.link(session, **names, external_id="901", internal_kind="source_order", internal_id="shop:7")
        xref.link(session, **names, external_id="902", internal_kind="source_order", internal_id="shop:8")
    shown = browser.get("/v1/ops/objects?kind=order&ref=%237", authorization=ops).json()

    assert [one["id"] for one in shown["runs"]] == [first, second]
    assert [(one["system"], one["external_id"]) for one in shown["links"]] == [("netsuite", "901")]
    assert browser.get("/v1/ops/objects?kind=order&ref=%239", authorization=ops).status_code == 404


def test_one_that_failed_is_begun_anew_by_the_queue(browser: Browser, ops: str, pipeline: Pipeline) -> None:
    stopped = pipeline.stopped(7)
    body = {"id": stopped.workflow_id}
    assert browser.post("/v1/ops/run/retry", body, authorization=ops).status_code == 200
    again = browser.post("/v1/ops/run/retry", body, authorization=ops)

    assert (again.status_code, again.json()["code"]) == (409, "illegal_transition")
    with pipeline.uow() as session:
        row = exceptions.get(session, pipeline.tenant.id, stopped.id)
        assert (row.status, row.retries, row.decided_by[:4]) == ("retrying", 1, "key_")


def test_one_that_was_canceled_is_begun_anew(browser: Browser, ops: str, pipeline: Pipeline) -> None:
    run_id = pipeline.run(7, RunStatus.RUNNING)
    canceled = browser.post("/v1/ops/run/cancel", {"id": run_id, "reason": "a double"}, authorization=ops).json()
    refused = browser.post("/v1/ops/run/cancel", {"id": run_id, "reason": "a double"}, authorization=ops)
    again = browser.post("/v1/ops/run/retry", {"id": run_id}, authorization=ops).json()

    assert (canceled["status"], canceled["error"], refused.status_code) == ("canceled", "a double", 409)
    assert (again["status"], again["turn"]) == ("queued", 2)
    with pipeline.uow() as session:
        acts = [row.action for row in session.query(AuditRow).order_by(AuditRow.id) if row.action.startswith("run.")]
        assert acts == ["run.canceled", "run.retried"]


def test_one_that_waits_tries_at_once(browser: Browser, ops: str, pipeline: Pipeline) -> None:
    waits, done = pipeline.run(7, RunStatus.WAITING), pipeline.run(8)
    assert browser.post("/v1/ops/run/now", {"id": waits}, authorization=ops).json()["next_try_at"] <= (
        clock.now().isoformat()
    )
    assert browser.post("/v1/ops/run/now", {"id": done}, authorization=ops).status_code == 409


@pytest.mark.parametrize(
    "query", ["?kind=order", "?ref=x", "?cursor=x", "?limit=0", "?status=nothing", "?older_than=-1", "?mode=both"]
)
def test_what_cannot_be_asked(browser: Browser, ops: str, pipeline: Pipeline, query: str) -> None:
    assert browser.get(RUNS + query, authorization=ops).status_code == 400
    assert browser.get("/v1/ops/run?id=nothing", authorization=ops).status_code == 404


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("ORDER BY created_at DESC, id DESC", "ix_sync_runs_created"),
        ("AND status = $2 ORDER BY created_at DESC, id DESC", "ix_sync_runs_status"),
        ("AND workflow = $2 ORDER BY created_at DESC, id DESC", "ix_sync_runs_workflow"),
        ("AND status = 'waiting' AND next_try_at IS NOT NULL ORDER BY next_try_at", "ix_sync_runs_next"),
        ("AND subject_kind = $2 AND subject_ref = $3", "ix_sync_runs_subject"),
    ],
)
def test_lists_are_read_by_an_index(pipeline: Pipeline, query: str, index: str) -> None:
    with pipeline.uow() as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        session.execute(text("SET LOCAL enable_sort = off"))
        ask = f"EXPLAIN (GENERIC_PLAN) SELECT id FROM app.sync_runs WHERE tenant_id = $1 {query}"  # noqa: S608 (our own)
        plan = "\n".join(session.connection().exec_driver_sql(ask).scalars())
    assert index in plan
