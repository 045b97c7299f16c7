"""A file handed in over HTTP: reported first, then applied as it was reported, once."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from engine.catalog.bulk import working
from engine.catalog.bulk.working import Report
from engine.catalog.changes import staff_only
from engine.catalog.models import CatalogImport
from engine.kit import audit, clock
from engine.kit.errors import Conflict, NotFound
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.kit.views import View
from engine.runtime import Runtime

Form = Literal["csv", "json"]


class ImportView(View):
    id: str
    format: str
    atomic: bool
    digest: str
    status: str
    report: Report
    outcome: Report | None
    made_by: str
    created_at: datetime
    applied_at: datetime | None


def report(runtime: Runtime, identity: Identity, text: str, form: Form, *, atomic: bool) -> ImportView:
    """What the file would change; kept until it is applied. Raises ``Forbidden``, ``InvalidInput``."""
    found = working.run(runtime, identity, text, form, dry_run=True, atomic=atomic)
    row = CatalogImport(
        tenant_id=identity.tenant_id,
        id=new_id("import"),
        format=form,
        atomic=atomic,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        content=text,
        status="reported",
        report=found.model_dump(mode="json"),
        outcome=None,
        made_by=identity.id,
        created_at=clock.now(),
    )
    with runtime.unit_of_work(identity.tenant_id) as session:
        session.add(row)
        session.flush()
        return _view(row)


def apply(runtime: Runtime, identity: Identity, import_id: str) -> ImportView:
    """Bring it into the shop. Again, it answers what became of it; one that was broken off goes on, as nothing is done
    twice. Raises ``Forbidden``, ``NotFound``, ``Conflict`` for one that was refused.
    """
    staff_only(identity)
    with runtime.unit_of_work(identity.tenant_id) as session:
        row = _row(session, identity.tenant_id, import_id)
        if row.status == "applied":
            return _view(row)
        if row.status != "reported" or row.content is None:
            raise Conflict("Nothing of this file could go in: hand it in anew.")
        text, form, atomic = row.content, row.format, row.atomic
    done = working.run(runtime, identity, text, form, dry_run=False, atomic=atomic)
    with runtime.unit_of_work(identity.tenant_id) as session:
        row = _row(session, identity.tenant_id, import_id, lock=True)
        row.status, row.applied_at = ("applied" if done.applied else "refused"), clock.now()
        row.outcome, row.content = done.model_dump(mode="json"), None
        facts = {name.value: count for name, count in done.counts.items()}
        action = f"catalog.import_{row.status}"
        audit.record(session, row.tenant_id, actor=identity.id, action=action, subject=row.id, facts=facts)
        return _view(row)


def look(session: Session, tenant_id: str, import_id: str) -> ImportView:
    """Raises ``NotFound``."""
    return _view(_row(session, tenant_id, import_id))


def _row(session: Session, tenant_id: str, import_id: str, *, lock: bool = False) -> CatalogImport:
    row = session.get(CatalogImport, (tenant_id, import_id), with_for_update=lock)
    if row is None:
        raise NotFound("There is no such import.")
    return row


def _view(row: CatalogImport) -> ImportView:
    same = {name: getattr(row, name) for name in ImportView.model_fields}
    return ImportView.model_validate(same)
