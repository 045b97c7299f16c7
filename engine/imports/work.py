"""Working through files that wait, one at a time in a shop, from where the last attempt got to."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, cast

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.catalog.bulk.running import Report, Tally, Verdict
from engine.catalog.bulk.streams import Form
from engine.imports import kinds, service
from engine.imports.models import CatalogImport, ImportStatus
from engine.imports.service import ImportView
from engine.kit import audit, clock
from engine.kit.errors import InvalidInput
from engine.kit.identity import Actor, Identity, Scope
from engine.runtime import Runtime

log = structlog.get_logger(__name__)
TASK: Final = "imports"
MOST_ATTEMPTS: Final = 5
"""That came no further."""
KEPT: Final = timedelta(days=7)
"""How long a file that was told waits to be applied."""
_BATCH: Final = 20
_UNDER_WAY: Final = (ImportStatus.WAITING, ImportStatus.APPLYING)


def work(runtime: Runtime, tenant_id: str) -> int:
    """Work through the tenant's files that wait, the oldest first; returns how many came to an end. What another
    process is at is left to it.
    """
    ended = _let_lie(runtime, tenant_id)
    with runtime.store.alone(tenant_id, TASK) as mine:
        while mine and (import_id := _next(runtime, tenant_id)):
            go_on(runtime, tenant_id, import_id)
            ended += 1
    return ended


def go_on(runtime: Runtime, tenant_id: str, import_id: str) -> ImportView:
    """Read or apply one file to its end. What breaks off goes on with the next attempt, nothing twice."""
    with runtime.unit_of_work(tenant_id) as session:
        row = service.row_of(session, tenant_id, import_id, lock=True)
        if row.status not in _UNDER_WAY:
            return service.view(row)
        row.attempts += 1
        if row.attempts > MOST_ATTEMPTS:
            return _give_up(session, row, "It broke off too often.")
        session.flush()
        session.expunge(row)
    try:
        found = _run(runtime, row)
    except InvalidInput as refused:
        with runtime.unit_of_work(tenant_id) as session:
            return _give_up(session, service.row_of(session, tenant_id, import_id, lock=True), refused.message)
    with runtime.unit_of_work(tenant_id) as session:
        return _end(session, service.row_of(session, tenant_id, import_id, lock=True), found)


def _let_lie(runtime: Runtime, tenant_id: str) -> int:
    """Files that were told and never applied do not keep their bytes for ever."""
    old = (CatalogImport.status == ImportStatus.REPORTED, CatalogImport.created_at < clock.now() - KEPT)
    with runtime.unit_of_work(tenant_id) as session:
        query = select(CatalogImport).where(CatalogImport.tenant_id == tenant_id, *old)
        rows = session.scalars(query.order_by(CatalogImport.id).limit(_BATCH).with_for_update(skip_locked=True)).all()
        for row in rows:
            _give_up(session, row, "It was not applied in time.")
    return len(rows)


def _run(runtime: Runtime, row: CatalogImport) -> Report:
    dry_run = row.status == ImportStatus.WAITING
    if dry_run:
        total = service.count(runtime, row)
        with runtime.unit_of_work(row.tenant_id) as session:
            service.row_of(session, row.tenant_id, row.id).total = total
    begun = Report.model_validate(row.outcome) if row.outcome and not row.atomic else None

    def after(session: Session, tally: Tally) -> None:
        ours = service.row_of(session, row.tenant_id, row.id)
        ours.done = tally.done
        if not dry_run and not row.atomic:
            ours.outcome, ours.attempts = tally.report(applied=False, atomic=False).model_dump(mode="json"), 0

    return kinds.run(
        runtime,
        Identity(row.tenant_id, Actor.API_KEY, row.made_by, scopes=frozenset({Scope.STAFF})),
        service.opener(runtime, row),
        cast("Form", row.format),
        kind=row.kind,
        dry_run=dry_run,
        atomic=row.atomic,
        begun=begun,
        after=None if row.atomic and row.size <= service.AT_ONCE else after,
    )


def _end(session: Session, row: CatalogImport, found: Report) -> ImportView:
    row.done, row.attempts = sum(found.counts.values()), 0
    if row.status == ImportStatus.WAITING:
        row.status, row.report, row.total = ImportStatus.REPORTED, found.model_dump(mode="json"), row.done
        return service.view(row)
    row.status = ImportStatus.APPLIED if found.applied else ImportStatus.REFUSED
    row.outcome, row.applied_at = found.model_dump(mode="json"), clock.now()
    _note(session, row, {name.value: found.counts[name] for name in Verdict})
    service.forget(session, row)
    return service.view(row)


def _give_up(session: Session, row: CatalogImport, words: str) -> ImportView:
    row.status, row.problem, row.applied_at = ImportStatus.UNREADABLE, words, None
    _note(session, row, {"problem": words})
    service.forget(session, row)
    return service.view(row)


def _note(session: Session, row: CatalogImport, facts: dict[str, int] | dict[str, str]) -> None:
    action = f"catalog.import_{row.status}"
    audit.record(session, row.tenant_id, actor=row.made_by, action=action, subject=row.id, facts=dict(facts))
    session.flush()


def _next(runtime: Runtime, tenant_id: str) -> str | None:
    waits = (CatalogImport.tenant_id == tenant_id, CatalogImport.status.in_(_UNDER_WAY))
    with runtime.unit_of_work(tenant_id) as session:
        return session.scalars(select(CatalogImport.id).where(*waits).order_by(CatalogImport.id).limit(1)).first()
