"""A file handed in: kept in parts, told what it would change, then applied as it was told, once.

A small one is worked through while its sender waits; a large one beside the requests (``work``), with how far it is.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from datetime import datetime
from typing import IO, Final, TextIO, cast

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from engine.catalog.bulk.running import Report
from engine.catalog.bulk.streams import Form, Opener, of_text
from engine.catalog.changes import staff_only
from engine.imports import kinds
from engine.imports.models import CatalogImport, ImportPart, ImportStatus
from engine.kit import audit
from engine.kit.errors import Conflict, InvalidInput, NotFound
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.kit.views import View
from engine.runtime import Runtime

PART: Final = 512 * 1024
"""Bytes of a part."""
AT_ONCE: Final = 256 * 1024
"""Bytes of a file that is worked through while its sender waits."""


class ImportView(View):
    """``status``: ``waiting`` until it is known what it would change (``report``), ``applying`` until it is in
    (``outcome``); ``done`` of ``total`` items tell how far it is.
    """

    id: str
    kind: str
    format: str
    atomic: bool
    digest: str
    size: int
    status: ImportStatus
    total: int
    done: int
    problem: str | None
    report: Report | None
    outcome: Report | None
    made_by: str
    created_at: datetime
    applied_at: datetime | None


def receive(
    session: Session, identity: Identity, file: IO[bytes], form: Form, *, kind: str = "products", atomic: bool = False
) -> ImportView:
    """Keep a file, to be read. Raises ``Forbidden``, ``InvalidInput`` for an empty one."""
    staff_only(identity)
    row = CatalogImport(
        tenant_id=identity.tenant_id,
        id=new_id("import"),
        kind=kind,
        format=form,
        atomic=atomic,
        digest="",
        status=ImportStatus.WAITING,
        size=0,
        made_by=identity.id,
    )
    session.add(row)
    session.flush()
    digest = hashlib.sha256()
    for position, content in enumerate(iter(lambda: file.read(PART), b"")):
        digest.update(content)
        row.size += len(content)
        values = {"tenant_id": row.tenant_id, "import_id": row.id, "position": position, "content": content}
        session.execute(insert(ImportPart).values(values))
    if not row.size:
        raise InvalidInput("The file is empty.", param="content")
    row.digest = digest.hexdigest()
    session.flush()
    return view(row)


def apply(session: Session, identity: Identity, import_id: str) -> ImportView:
    """Let it into the shop; again, it answers what became of it, or how far it is. Raises ``Forbidden``, ``NotFound``,
    ``Conflict`` for one that was refused, or is not read yet.
    """
    staff_only(identity)
    row = row_of(session, identity.tenant_id, import_id, lock=True)
    if row.status in {ImportStatus.APPLIED, ImportStatus.APPLYING}:
        return view(row)
    if row.status == ImportStatus.WAITING:
        raise Conflict("It is still being read: wait for its report.")
    if row.status != ImportStatus.REPORTED:
        raise Conflict("Nothing of this file could go in: hand it in anew.")
    row.status, row.done, row.attempts = ImportStatus.APPLYING, 0, 0
    session.flush()
    audit.record(
        session,
        row.tenant_id,
        actor=identity.id,
        action="catalog.import_begun",
        subject=row.id,
        facts={"kind": row.kind},
    )
    return view(row)


def at_once(runtime: Runtime, identity: Identity, shown: ImportView) -> ImportView:
    """Work a small file through now; a large one stays as it is, for ``work``."""
    from engine.imports.work import TASK, go_on

    if shown.size > AT_ONCE or shown.status not in {ImportStatus.WAITING, ImportStatus.APPLYING}:
        return shown
    with runtime.store.alone(identity.tenant_id, TASK) as mine:
        return go_on(runtime, identity.tenant_id, shown.id) if mine else shown


def look(session: Session, tenant_id: str, import_id: str) -> ImportView:
    """Raises ``NotFound``."""
    return view(row_of(session, tenant_id, import_id))


def opener(runtime: Runtime, row: CatalogImport) -> Opener:
    """The file from its start, a part in memory at a time."""
    tenant_id, import_id = row.tenant_id, row.id
    if row.content is not None:
        return of_text(row.content)

    def opened() -> TextIO:
        raw = _Parts(_parts(runtime, tenant_id, import_id))
        return io.TextIOWrapper(io.BufferedReader(raw, PART), encoding="utf-8-sig", newline="")

    return opened


def forget(session: Session, row: CatalogImport) -> None:
    """The file's bytes are needed no more."""
    row.content = None
    session.execute(delete(ImportPart).where(ImportPart.tenant_id == row.tenant_id, ImportPart.import_id == row.id))


def row_of(session: Session, tenant_id: str, import_id: str, *, lock: bool = False) -> CatalogImport:
    """Raises ``NotFound``."""
    row = session.get(CatalogImport, (tenant_id, import_id), with_for_update=lock)
    if row is None:
        raise NotFound("There is no such import.")
    return row


def view(row: CatalogImport) -> ImportView:
    """As staff see it."""
    return ImportView.model_validate({name: getattr(row, name) for name in ImportView.model_fields})


def count(runtime: Runtime, row: CatalogImport) -> int:
    """Items of the file. Raises ``InvalidInput`` for what is none."""
    return kinds.count(row.kind, opener(runtime, row), cast("Form", row.format))


class _Parts(io.RawIOBase):
    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, into: memoryview) -> int:  # type: ignore[override]  # (typeshed's buffer has no length)
        if not self._rest:
            self._rest = next(self._parts, b"")
        count = min(len(into), len(self._rest))
        into[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _parts(runtime: Runtime, tenant_id: str, import_id: str) -> Iterator[bytes]:
    position = 0
    while True:
        key = (ImportPart.tenant_id == tenant_id, ImportPart.import_id == import_id, ImportPart.position == position)
        with runtime.unit_of_work(tenant_id) as session:
            content = session.scalar(select(ImportPart.content).where(*key))
        if content is None:
            return
        yield content
        position += 1
