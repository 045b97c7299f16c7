"""What begins runs: deliveries, polls and schedules, and people who want something done again.

Beginning a run twice is beginning it once, so each of these may be repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit import clock, holds
from engine.kit.errors import DomainError
from engine.runtime import Runtime
from engine.sync import exceptions, inbox
from engine.sync.errors import NotNow, Rejected, SyncError
from engine.sync.models import Connection
from engine.sync.policy import alerts_policy
from engine.sync.work_models import Delivery, ExceptionRow
from engine.workflows import pipeline, registry, starting, unread
from engine.workflows.access import Access, Poll, Wiring
from engine.workflows.definition import Workflow
from engine.workflows.models import OPEN_RUNS, CursorRow, PipelineRow, RunRow
from engine.workflows.run import backoff, meant
from engine.workflows.settings import PipelineSettings

log = structlog.get_logger(__name__)
_EPOCH: Final = datetime(2020, 1, 1, tzinfo=UTC)
_AT_ONCE: Final = 50
_POLL: Final = ":poll"


def hear(runtime: Runtime, tenant_id: str) -> int:
    """Work what came in and what people want again; how much that was."""
    return _hear_deliveries(runtime, tenant_id) + _do_again(runtime, tenant_id)


def _hear_deliveries(runtime: Runtime, tenant_id: str) -> int:
    with runtime.unit_of_work(tenant_id) as session:
        if not inbox.waiting(session, tenant_id):
            return 0
        rows = inbox.claim(session, tenant_id, limit=_AT_ONCE)
        force = pipeline.in_force(session, tenant_id)
        systems = dict(
            session.execute(select(Connection.id, Connection.system).where(Connection.tenant_id == tenant_id)).all()
        )
    for row in rows:
        hearing = [
            workflow
            for name in pipeline.on_in(force)
            if (workflow := registry.live(name)).from_delivery
            and (systems.get(row.connection_id or "", row.source), row.topic) in workflow.hears
        ]
        _hear_one(runtime, row, hearing, force)
    return len(rows)


def _hear_one(
    runtime: Runtime, row: Delivery, hearing: Sequence[Workflow[Any]], force: Mapping[str, PipelineRow]
) -> None:
    """It is done once all that hear it have begun; what cannot be read is tried again, and a person's in the end."""
    try:
        begun: list[tuple[str, Any]] = []
        for workflow in hearing:
            assert workflow.from_delivery is not None
            access = Access(runtime, row.tenant_id, pipeline.settings_in(force, workflow.name))
            begun += [(workflow.name, payload) for payload in workflow.from_delivery(access, row)]
    except Exception as fault:
        error = meant(fault)
        log.warning("delivery not read", tenant=row.tenant_id, delivery=row.id, why=error.code, exc_info=fault)
        with runtime.unit_of_work(row.tenant_id) as session:
            inbox.failed(session, row.tenant_id, row.id, error=error.code)
        return
    with runtime.unit_of_work(row.tenant_id) as session:
        for name, payload in begun:
            starting.begin(session, row.tenant_id, name, payload, trigger=f"delivery:{row.id}")
        inbox.done(session, row.tenant_id, row.id)


def _do_again(runtime: Runtime, tenant_id: str) -> int:
    """One transaction each: taken, and its run begun anew."""
    with runtime.unit_of_work(tenant_id) as session:
        rows = exceptions.take_wanted(session, tenant_id, limit=_AT_ONCE)
    for row in rows:
        try:
            with runtime.unit_of_work(tenant_id) as session:
                _again(session, row)
        except DomainError as error:
            _put_back(runtime, row, error)
    return len(rows)


def _again(session: Session, row: ExceptionRow) -> None:
    """Its run from the top. What a run only reported is closed with that: it is reported again where it is so."""
    if row.workflow_id.partition("#")[0].endswith(_POLL):
        _cursor(session, row.tenant_id, row.workflow).due_at = clock.now()
        return
    run = session.get(RunRow, (row.tenant_id, row.workflow_id), with_for_update=True)
    reported = run is None
    if run is None:
        run = starting.get(session, row.tenant_id, row.workflow_id.rpartition("#")[0], lock=True)
    if run.status in OPEN_RUNS:
        registry.live(run.workflow)  # or it would wait for nobody
        return
    actor = row.decided_by or "system"
    if reported:
        exceptions.resolved(session, row.tenant_id, row.workflow_id, actor=actor)
    payload = None if reported else row.fixed
    starting.again(session, run, actor=actor, payload=payload, reason=f"exception {row.id}")


def _put_back(runtime: Runtime, row: ExceptionRow, error: DomainError) -> None:
    """It cannot be begun: it is open again, and says why."""
    with runtime.unit_of_work(row.tenant_id) as session:
        exceptions.put(
            session,
            row.tenant_id,
            workflow=row.workflow,
            workflow_id=row.workflow_id,
            subject=row.subject,
            error=Rejected(error.message),
            payload=row.fixed or row.payload,
            step=row.step,
            connection_id=row.connection_id,
        )


def poll_due(runtime: Runtime, tenant_id: str, *, wiring: Wiring, only: Sequence[str] = ()) -> int:
    """Ask for each workflow that is on and due; how many runs began. One process at a time asks for one workflow."""
    with runtime.unit_of_work(tenant_id) as session:
        if holds.held(session, tenant_id):
            return 0
        on = [name for name in pipeline.switched_on(session, tenant_id) if not only or name in only]
        cursors = {row.workflow: row.due_at for row in session.scalars(_cursors(tenant_id))}
    begun = 0
    for name in on:
        workflow = registry.live(name)
        if workflow.poll is None or cursors.get(name, _EPOCH) > clock.now():
            continue
        with runtime.store.alone(tenant_id, f"poll {name}") as mine:
            if mine:
                begun += poll(runtime, tenant_id, workflow, wiring=wiring)
    return begun


def poll(runtime: Runtime, tenant_id: str, workflow: Workflow[Any], *, wiring: Wiring) -> int:
    """Ask once; how many runs began. What goes wrong is kept with the cursor and asked again later."""
    now = clock.now()
    with runtime.unit_of_work(tenant_id) as session:
        cursor = session.get(CursorRow, (tenant_id, workflow.name))
        value, failures = (dict(cursor.value), cursor.failures) if cursor else ({}, 0)
    assert workflow.poll is not None
    begun, asking = 0, None
    try:
        asking = Poll(
            runtime,
            tenant_id,
            _settings(runtime, tenant_id, workflow),
            wiring,
            workflow_id=_poll_id(tenant_id, workflow),
            cursor=dict(value),
            slot=slot_of(workflow, now),
        )
        for payloads in _in_parts(workflow.poll(asking)):
            begun += _begin_all(runtime, tenant_id, workflow, payloads)
    except Exception as fault:  # noqa: BLE001 (one poll's failure stops no other)
        error = meant(fault)
        error.connection_id = error.connection_id or (asking.asked if asking else None)
        _poll_failed(runtime, tenant_id, workflow, error, failures + 1, fault)
        return begun
    with runtime.unit_of_work(tenant_id) as session:
        held = unread.tell(session, tenant_id, workflow.name, asking.workflow_id, asking.unread, whole=bool(value))
    _poll_done(runtime, tenant_id, workflow, value if held else asking.cursor, now, failed=failures > 0)
    return begun


def _settings(runtime: Runtime, tenant_id: str, workflow: Workflow[Any]) -> PipelineSettings:
    with runtime.unit_of_work(tenant_id) as session:
        return pipeline.settings_of(session, tenant_id, workflow.name)


def slot_of(workflow: Workflow[Any], now: datetime) -> datetime:
    """The last moment at which it was due, by its interval and offset, counted from midnight UTC long ago."""
    every, offset = timedelta(seconds=workflow.every_seconds or 60), timedelta(seconds=workflow.offset_seconds)
    return _EPOCH + offset + every * ((now - _EPOCH - offset) // every)


def _poll_done(
    runtime: Runtime, tenant_id: str, workflow: Workflow[Any], value: dict[str, Any], now: datetime, *, failed: bool
) -> None:
    every = timedelta(seconds=workflow.every_seconds or 60)
    with runtime.unit_of_work(tenant_id) as session:
        row = _cursor(session, tenant_id, workflow.name)
        row.value, row.polled_at, row.failures, row.error = value, now, 0, ""
        row.due_at = slot_of(workflow, now) + every
        if failed:
            exceptions.resolved(session, tenant_id, _poll_id(tenant_id, workflow))


def _poll_failed(
    runtime: Runtime, tenant_id: str, workflow: Workflow[Any], error: SyncError, failures: int, fault: Exception
) -> None:
    """Later again; a person hears of it once it has failed as often as the shop says (policy ``alerts``)."""
    not_now = isinstance(error, NotNow)
    seconds = error.retry_after if isinstance(error, NotNow) else backoff(failures, f"{tenant_id}|{workflow.name}")
    log.warning("poll failed", tenant=tenant_id, workflow=workflow.name, why=error.code, exc_info=not not_now and fault)
    with runtime.unit_of_work(tenant_id) as session:
        row = _cursor(session, tenant_id, workflow.name)
        row.failures = row.failures if not_now else failures
        row.error = f"{error.code}: {error.message}"[:200]
        row.due_at = clock.now() + timedelta(seconds=max(1.0, seconds))
        if not not_now and failures >= alerts_policy(session, tenant_id).failures:
            exceptions.put(
                session,
                tenant_id,
                workflow=workflow.name,
                workflow_id=_poll_id(tenant_id, workflow),
                subject="poll",
                error=error,
                payload={},
                step="poll",
                times=failures,
                connection_id=error.connection_id,
            )


def _begin_all(runtime: Runtime, tenant_id: str, workflow: Workflow[Any], payloads: Sequence[Any]) -> int:
    with runtime.unit_of_work(tenant_id) as session:
        return starting.begin_all(session, tenant_id, workflow.name, payloads, trigger="poll")


def _in_parts(payloads: Iterable[Any]) -> Iterable[list[Any]]:
    part: list[Any] = []
    for payload in payloads:
        part.append(payload)
        if len(part) == _AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def _cursor(session: Session, tenant_id: str, workflow: str) -> CursorRow:
    row = session.get(CursorRow, (tenant_id, workflow), with_for_update=True)
    if row is None:
        row = CursorRow(tenant_id=tenant_id, workflow=workflow, value={})
        session.add(row)
    return row


def _cursors(tenant_id: str) -> Any:
    return select(CursorRow).where(CursorRow.tenant_id == tenant_id)


def _poll_id(tenant_id: str, workflow: Workflow[Any]) -> str:
    return f"{tenant_id}:{workflow.name}{_POLL}"
