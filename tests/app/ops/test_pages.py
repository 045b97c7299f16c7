"""``/ops``: what stands on the pages, who may see them, and the picture of a long run."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import event

from engine.operations.pipeline.lanes import picture
from engine.operations.pipeline.runs import in_full
from engine.sync.models import System
from engine.workflows import starting
from engine.workflows.models import RunStatus, StepStatus
from tests.app.conftest import Browser
from tests.engine.operations.pipeline_scene import Pipeline

PAGES = ("/ops", "/ops/runs", "/ops/exceptions", "/ops/deliveries", "/ops/stock", "/ops/object?kind=order&ref=%237")


def at(browser: Browser, ops: str, path: str) -> str:
    answer = browser.get(path, authorization=ops)
    assert answer.status_code == 200, answer.text[:500]
    return re.sub(r"\s+", " ", str(answer.text))


def test_pages_are_for_operations(browser: Browser, ops: str, pipeline: Pipeline, make_key: Callable[..., str]) -> None:
    pipeline.run(7)
    staff = make_key(pipeline.tenant, "staff")
    for path in PAGES:
        assert browser.get(path, authorization=ops).status_code == 200, path
        assert browser.get(path, authorization=staff).status_code == 403, path
        led = browser.http.get(path, follow_redirects=False)
        assert (led.status_code, led.headers["location"].partition("?")[0]) == (303, "/staff/sign-in")
    policy = browser.get("/ops", authorization=ops).headers["content-security-policy"]
    assert "unsafe-" not in policy
    assert "require-trusted-types-for 'script'" in policy


def test_an_order_is_drawn_in_the_lanes_of_its_systems(browser: Browser, ops: str, pipeline: Pipeline) -> None:
    bad = (System.NETSUITE, "PUT", "/record/v1/salesOrder", 400, "vendor_rejected")
    steps = [("items", StepStatus.DONE), ("salesOrder", StepStatus.FAILED)]
    pipeline.run(7, workflow="netsuiteToDCL", ago=timedelta(hours=1), steps=steps[:1])
    pipeline.stopped(7, steps=steps, calls=[(System.SHOPIFY, "GET", "/orders", 200, ""), bad])
    shown = at(browser, ops, "/ops/object?kind=order&ref=%237")

    lanes = re.search(r'<ul class="op-names" aria-hidden="true">(.*?)</ul>', shown)
    assert lanes
    assert re.findall(r"<li>(.*?)</li>", lanes[1]) == ["Shopify", "iCommerce", "NetSuite"]
    (focus,) = re.findall(r'<a href="(#[^"]+)" class="op-mark" data-state="failed"[^>]* data-focus>', shown)
    assert f'<tr id="{focus[1:]}" class="op-failed"' in shown
    assert shown.count('tabindex="0" aria-label=') == 1
    assert "NetSuite: PUT <span" in shown
    assert "3 of 8" in shown
    assert "There is no item &#39;TENT-7&#39;" in shown
    assert 'data-act="fix"' in shown


def test_retrying_stands_with_its_attempt_and_its_next_time(browser: Browser, ops: str, pipeline: Pipeline) -> None:
    pipeline.run(7, RunStatus.WAITING, attempts=3, step="send")
    pipeline.run(8, RunStatus.RUNNING)
    for path in ("/ops/runs?state=retrying", "/ops/runs?state=retrying&ref=7"):
        shown = at(browser, ops, path)
        assert "retrying (3/8), next <time" in shown
        assert "Order #8" not in shown
    assert "No run fits." in at(browser, ops, "/ops/runs?state=retrying&ref=8")


def test_words_of_others_are_no_markup(browser: Browser, ops: str, pipeline: Pipeline) -> None:
    raw = "<script>alert(1)</script>"
    pipeline.stopped(
        7, steps=[(raw, StepStatus.FAILED)], calls=[(System.DCL, "GET", f"/{raw}", 400, "vendor_rejected")]
    )
    for path in ("/ops/object?kind=order&ref=%237", "/ops/exceptions", f"/ops/runs?ref={raw}&workflow={raw}"):
        assert raw not in at(browser, ops, path)


@pytest.mark.parametrize("path", ["/ops/object?kind=order&ref=9", "/ops/run?id=x", "/ops/runs?cursor=x", "/ops/run"])
def test_what_is_not_there_is_said(browser: Browser, ops: str, pipeline: Pipeline, path: str) -> None:
    answer = browser.get(path, authorization=ops)
    assert answer.status_code == 404
    assert "There is nothing to see" in answer.text


def test_five_hundred_steps_are_drawn_in_few_questions(browser: Browser, ops: str, pipeline: Pipeline) -> None:
    steps = [(f"line {number}", StepStatus.DONE) for number in range(499)]
    calls = [(System.NETSUITE, "GET", "/item", 200, "")] * 40
    run_id = pipeline.run(7, RunStatus.FAILED, steps=[*steps, ("last", StepStatus.FAILED)], calls=calls)
    heard: list[str] = []
    note = lambda *told: heard.append(told[2])  # noqa: E731
    event.listen(pipeline.runtime.store.engine, "before_cursor_execute", note)
    try:
        answer = browser.get(f"/ops/run?id={run_id}", authorization=ops)
    finally:
        event.remove(pipeline.runtime.store.engine, "before_cursor_execute", note)
    shown = str(answer.text)

    assert shown.count('class="op-mark"') == 540
    assert len(answer.content) < 900_000
    asked = [re.findall(r"FROM app\.(\w+)", one)[0] for one in heard if "FROM app." in one]
    assert asked.count("sync_steps") == asked.count("sync_calls") == 2  # for the picture, and for the words above it
    assert len(asked) < 20
    with pipeline.uow() as session:
        drawn = picture([in_full(session, pipeline.tenant.id, starting.get(session, pipeline.tenant.id, run_id))])
    assert (drawn.columns, drawn.failed and drawn.failed.label) == (539, "last")
    columns = [mark.column for mark in drawn.marks if mark.call_id is not None]
    assert columns == list(range(499, 539))
