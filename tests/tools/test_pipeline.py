"""The pipeline from a conversation: why something is stuck in plain words, and cards that do it again."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from engine.checkout.models import Consent
from engine.kit.errors import Conflict, DomainError, Forbidden, NotFound
from engine.kit.identity import Identity
from engine.operations import asking
from engine.operations.acts import read
from engine.runtime import Runtime
from engine.sync import exceptions, readings
from engine.sync.models import System
from engine.workflows import registry
from engine.workflows.models import RunRow, RunStatus, StepStatus
from tests.engine.operations.conftest import person
from tests.engine.operations.pipeline_scene import PLACE, Level, Pipeline
from tools.gate import admit
from tools.spec import Outcome, Risk, ToolContext, load

THREAD = "thr_x"


@pytest.fixture
def pipeline(runtime: Runtime, tenant: Any, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    monkeypatch.setitem(registry.WORKFLOWS, "shopifyToNetsuite", PLACE)
    made = Pipeline(runtime, tenant)
    made.connect(System.SHOPIFY, System.NETSUITE)
    return made


@pytest.fixture
def ops(pipeline: Pipeline) -> Identity:
    return person(pipeline.tenant, "noor")


@pytest.fixture
def call(pipeline: Pipeline, ops: Identity) -> Callable[..., Outcome]:
    context = ToolContext(pipeline.runtime, ops, THREAD, "run_x")

    def made(name: str, **given: Any) -> Outcome:
        spec = load()[name]
        admit(spec, context)
        arguments = spec.arguments.model_validate(given)
        return spec.function(context, **{key: getattr(arguments, key) for key in type(arguments).model_fields})

    return made


def press(pipeline: Pipeline, ops: Identity, card: str) -> Any:
    with pipeline.uow() as session:
        assert asking.agree(session, ops, card, approved=True)
    return asking.carry_out(pipeline.runtime, ops, card)


def status(pipeline: Pipeline, exception_id: str) -> str:
    with pipeline.uow() as session:
        return str(exceptions.get(session, pipeline.tenant.id, exception_id).status)


@pytest.mark.parametrize("name", ["7", "#7", " #7 "])
def test_why_an_order_is_stuck(pipeline: Pipeline, call: Callable[..., Outcome], name: str) -> None:
    calls = [(System.NETSUITE, "PUT", "/record/v1/salesOrder", 503, "vendor_unavailable")]
    steps = [("items", StepStatus.DONE), ("salesOrder", StepStatus.WAITING)]
    pipeline.run(7, RunStatus.DONE, workflow="other")
    pipeline.run(
        7, RunStatus.WAITING, steps=steps, calls=calls, step="salesOrder", attempts=3, error_code="vendor_unavailable"
    )
    told = call("explain_run", about=name).result

    assert (told["subject"], told["retrying"], told["acts"]) == ("order #7", True, ["cancel_run"])
    first, done, asked = told["words"]
    assert re.fullmatch(
        "shopifyToNetsuite waits at its step “salesOrder” after attempt 3 of 8:"
        r" the system did not answer properly. It tries again in 1[12] min, at \d\d:\d\d UTC, by itself.",
        first,
    )
    assert done == "Done before that: items."
    assert asked == "NetSuite answered 503 to PUT /record/v1/salesOrder (the system did not answer properly)."
    with pytest.raises(NotFound):
        call("explain_run", about="8")


def test_what_runs_what_stopped_and_what_differs(pipeline: Pipeline, call: Callable[..., Outcome]) -> None:
    pipeline.run(1, RunStatus.WAITING)
    stopped = pipeline.stopped(2)
    with pipeline.uow() as session:
        for system, units in ((System.NETSUITE, 5), (System.SHOPIFY, 3)):
            levels = [Level("A", "1", units)]
            readings.keep(session, pipeline.tenant.id, pipeline.systems[system].id, levels)
    (run,) = call("list_runs", state="retrying").result["runs"]
    (same,) = call("list_runs", about="1").result["runs"]
    assert (run["about"], run["retrying"], same) == ("order #1", True, run)
    found = call("list_stopped_runs").result
    assert [(one["count"], one["fingerprint"]) for one in found["causes"]] == [(1, stopped.fingerprint)]
    assert found["stopped"][0]["fields"] == [{"path": "item.items.0.item", "message": "TENT-1 is unknown"}]
    state = call("pipeline_state").result
    assert (state["exceptions_open"], state["runs"]["waiting"]) == (1, 1)
    assert [(one["connection"], one["breaker"]) for one in state["connections"]] == [
        ("shopify Main", "closed"),
        ("netsuite Main", "closed"),
    ]
    assert call("stock_drift").result["items"] == [
        {"sku": "A", "leads": "netsuite", "counts": {"netsuite": 5, "shopify": 3}}
    ]


def test_nothing_is_done_before_the_press(pipeline: Pipeline, call: Callable[..., Outcome], ops: Identity) -> None:
    row = pipeline.stopped(7)
    (card,) = call("retry_run", about="#7").cards
    assert card.data["words"][0] == "shopifyToNetsuite of order #7 stopped: There is no item 'TENT-7'."
    assert status(pipeline, row.id) == "open"
    done = press(pipeline, ops, card.data["id"])
    assert (done.outcome, status(pipeline, row.id)) == ("shopifyToNetsuite of order #7 is done again.", "retrying")
    assert asking.carry_out(pipeline.runtime, ops, card.data["id"]).outcome == done.outcome


def test_a_payload_is_put_right(pipeline: Pipeline, call: Callable[..., Outcome], ops: Identity) -> None:
    row = pipeline.stopped(7)
    given = {"exception_id": row.id, "changes": [{"field": "sku", "value": "TENT-2"}]}
    (card,) = call("fix_run", **given).cards
    assert card.data["words"] == [
        "sku: TENT-1 becomes TENT-2.",
        "Then shopifyToNetsuite of order #7 begins anew with that.",
    ]
    press(pipeline, ops, card.data["id"])
    with pipeline.uow() as session:
        kept = exceptions.get(session, pipeline.tenant.id, row.id)
        assert (kept.fixed, kept.status) == ({"source_id": "7", "sku": "TENT-2"}, "retrying")


@pytest.mark.parametrize("change", [("nothing.at.all", "x"), ("source_id", "9"), ("card", "x")])
def test_a_payload_that_would_not_be_taken_has_no_card(
    pipeline: Pipeline, call: Callable[..., Outcome], change: tuple[str, str]
) -> None:
    row = pipeline.stopped(7)
    with pytest.raises(DomainError):
        call("fix_run", exception_id=row.id, changes=[dict(zip(("field", "value"), change, strict=True))])
    with pipeline.uow() as session:
        assert session.query(Consent).count() == 0


def test_all_of_a_cause(pipeline: Pipeline, call: Callable[..., Outcome], ops: Identity) -> None:
    rows = [pipeline.stopped(number) for number in (1, 2)]
    (card,) = call("retry_cause", fingerprint=rows[0].fingerprint).cards
    assert card.data["words"][0] == "2 runs that stopped are done again: order #1, order #2."
    assert press(pipeline, ops, card.data["id"]).outcome == "2 runs are done again."
    assert {status(pipeline, row.id) for row in rows} == {"retrying"}


def test_one_more_that_stopped_makes_it_another_question(
    pipeline: Pipeline, call: Callable[..., Outcome], ops: Identity
) -> None:
    first = pipeline.stopped(1)
    (card,) = call("retry_cause", fingerprint=first.fingerprint).cards
    second = pipeline.stopped(2)
    with pytest.raises(asking.ActOutdated):
        press(pipeline, ops, card.data["id"])
    assert (status(pipeline, first.id), status(pipeline, second.id)) == ("open", "open")


def test_a_run_is_stopped(pipeline: Pipeline, call: Callable[..., Outcome], ops: Identity) -> None:
    run_id = pipeline.run(7, RunStatus.WAITING, step="send")
    (card,) = call("cancel_run", about="7", reason="a double").cards
    press(pipeline, ops, card.data["id"])
    with pipeline.uow() as session:
        row = session.get_one(RunRow, (pipeline.tenant.id, run_id))
        assert (row.status, row.error) == ("canceled", "a double")
    with pytest.raises(Conflict):
        call("cancel_run", about="7", reason="again")


def test_they_are_for_operations_and_only_ask(pipeline: Pipeline) -> None:
    shopper = ToolContext(pipeline.runtime, person(pipeline.tenant, None, *()), THREAD, "run_x")
    assert shopper.identity.person is None
    for name in ("retry_run", "fix_run", "cancel_run", "retry_cause"):
        assert (load()[name].risk, load()[name].staff) == (Risk.ASK, True)
    pipeline.stopped(7)
    with pytest.raises(Forbidden):
        load()["retry_run"].function(shopper, about="7")
    assert read({"kind": "retry_run", "about": "7"}).title == "Retry a run"
