"""What runs between the shop and its other systems: looked at, put into plain words, and cards that do it again."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from engine.operations.pipeline import explain, overview, queue, runs, stock
from engine.sync import exceptions
from engine.workflows import starting
from engine.workflows.models import RunStatus
from tools.naming import OPERATIONS, Few, Given
from tools.operations import asked
from tools.spec import Access, Outcome, Ref, Risk, ToolContext, tool

State = Literal["retrying", "queued", "running", "waiting", "done", "failed", "canceled"]
About = Annotated[str, Field(description="Order, purchase or return as people call it, or a run's id.", max_length=200)]
Cause = Annotated[str | None, Field(description="A fingerprint: only of this cause.", max_length=16)]
ExceptionId = Annotated[str, Ref, Field(description="exc_ id from list_stopped_runs.", max_length=60)]


class Change(Given):
    """One field of a payload."""

    field: Annotated[str, Field(description="Its name, with dots where it lies deeper.", max_length=100)]
    value: Annotated[str, Field(max_length=2_000)]


@tool(access=Access.READ, agents=OPERATIONS, staff=True)
def pipeline_state(context: ToolContext) -> Outcome:
    """How the exchange with ERP, warehouse, shop systems stands: runs under way, retrying and stopped, and of every
    connection its state, breaker and limit.
    """
    with context.unit_of_work() as session:
        now = overview.overview(session, context.identity.tenant_id)
    systems = [
        {
            "connection": f"{one.system} {one.name}",
            "id": one.id,
            "status": one.status,
            "reason": one.reason,
            "breaker": one.breaker.state,
            "used": one.limit.used,
            "capacity": one.limit.capacity,
        }
        for one in now.connections
    ]
    told = now.model_dump(mode="json", include={"runs", "exceptions_open", "exceptions_retrying", "deliveries"})
    return Outcome(told | {"connections": systems})


@tool(access=Access.READ, agents=OPERATIONS, staff=True)
def list_runs(
    context: ToolContext,
    state: Annotated[State | None, Field(description="`retrying`: tries again by itself.")] = None,
    about: Annotated[str | None, Field(description="Only of this order, purchase or return.", max_length=120)] = None,
    limit: Few = 10,
) -> Outcome:
    """Runs that carry orders, stock and invoices between systems, newest first."""
    tenant_id = context.identity.tenant_id
    with context.unit_of_work() as session:
        found = explain.find(session, tenant_id, about) if about else None
        page = starting.listed(
            session,
            tenant_id,
            status=(RunStatus(state),) if state and state != "retrying" else (),
            retrying=state == "retrying",
            subject=(found.subject_kind, found.subject_ref) if found else None,
            limit=limit,
        )
        rows = [_run(runs.shown(row)) for row in page.items]
    return Outcome({"runs": rows, "more": page.next_cursor is not None})


@tool(access=Access.READ, agents=OPERATIONS, staff=True)
def explain_run(context: ToolContext, about: About) -> Outcome:
    """Why an order, purchase or return is stuck at, or went well to, the ERP, the warehouse or the shop's platform: in
    plain words, with what can be done about it.
    """
    with context.unit_of_work() as session:
        told = explain.explained(session, context.identity.tenant_id, about)
    return Outcome(told.model_dump(mode="json"))


@tool(access=Access.READ, agents=OPERATIONS, staff=True)
def list_stopped_runs(context: ToolContext, cause: Cause = None, limit: Few = 10) -> Outcome:
    """Runs that stopped and wait for a person, with what was refused, and how many stopped for each cause."""
    tenant_id = context.identity.tenant_id
    with context.unit_of_work() as session:
        counted = [one.model_dump(mode="json") for one in exceptions.causes(session, tenant_id)[:10]]
        page = exceptions.listed(session, tenant_id, cause=cause, limit=limit)
        shown = [queue.ExceptionView.of(row) for row in page.items]
    kept = {"id", "workflow", "subject", "step", "reason", "fields", "payload", "fingerprint"}
    return Outcome({"causes": counted, "stopped": [one.model_dump(mode="json", include=kept) for one in shown]})


@tool(access=Access.READ, agents=OPERATIONS, staff=True)
def stock_drift(context: ToolContext, limit: Few = 10) -> Outcome:
    """Items that systems do not count alike, by what each said last."""
    with context.unit_of_work() as session:
        page = stock.drift(session, context.identity.tenant_id, limit=limit)
    rows = [
        {"sku": one.sku, "leads": one.leads, "counts": {c.system: c.available for c in one.counts}}
        for one in page.items
    ]
    return Outcome({"items": rows, "more": page.next_cursor is not None})


@tool(access=Access.WRITE, agents=OPERATIONS, staff=True, risk=Risk.ASK)
def retry_run(context: ToolContext, about: Annotated[About, Ref]) -> Outcome:
    """Show a card that has a run done again that stopped, or now that waits."""
    return asked(context, kind="retry_run", about=about)


@tool(access=Access.WRITE, agents=OPERATIONS, staff=True, risk=Risk.ASK)
def fix_run(
    context: ToolContext,
    exception_id: ExceptionId,
    changes: Annotated[list[Change], Field(description="What becomes what.", min_length=1, max_length=20)],
) -> Outcome:
    """Show a card that puts fields of a stopped run's payload right and has it done again."""
    return asked(context, kind="fix_run", exception_id=exception_id, changes=[one.model_dump() for one in changes])


@tool(access=Access.WRITE, agents=OPERATIONS, staff=True, risk=Risk.ASK)
def cancel_run(
    context: ToolContext,
    about: Annotated[About, Ref],
    reason: Annotated[str, Field(description="Why, in a few words.", min_length=1, max_length=200)],
) -> Outcome:
    """Show a card that stops a run before its next step."""
    return asked(context, kind="cancel_run", about=about, reason=reason)


@tool(access=Access.WRITE, agents=OPERATIONS, staff=True, risk=Risk.ASK)
def retry_cause(
    context: ToolContext,
    fingerprint: Annotated[str, Field(description="From list_stopped_runs.", pattern="^[0-9a-f]{16}$")],
) -> Outcome:
    """Show a card that has everything done again that stopped for one cause."""
    return asked(context, kind="retry_cause", fingerprint=fingerprint)


def _run(run: runs.RunView) -> dict[str, Any]:
    kept = {"id", "workflow", "status", "retrying", "step", "attempt", "next_try_at", "error", "created_at"}
    told = run.model_dump(mode="json", include=kept, exclude_none=True)
    return {"about": f"{run.subject_kind} {run.subject_ref}"} | {name: value for name, value in told.items() if value}
