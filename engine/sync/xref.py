"""What a thing is called there and here. Unique both ways: the memory of what was done, and of what came from what."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.errors import Conflict
from engine.sync.models import System, Xref


class LinkedElsewhere(Conflict):
    """One of the two is linked to another thing already."""

    code = "linked_elsewhere"


def link(
    session: Session,
    *,
    tenant_id: str,
    system: System,
    kind: str,
    external_id: str,
    internal_kind: str,
    internal_id: str,
    version: str = "",
    hash: str = "",  # noqa: A002 (the column's name)
    account: str = "",
) -> Xref:
    """Remember that ``external_id`` there is ``internal_id`` here; asked again it keeps the newest ``version`` and
    ``hash``. Two that link at once wait for each other. Raises ``LinkedElsewhere``.
    """
    now = clock.now()
    row = insert(Xref).values(
        tenant_id=tenant_id,
        system=system,
        account=account,
        kind=kind,
        external_id=external_id,
        internal_kind=internal_kind,
        internal_id=internal_id,
        version=version,
        hash=hash,
        linked_at=now,
        updated_at=now,
    )
    session.execute(row.on_conflict_do_nothing())
    found = session.get(
        Xref, (tenant_id, system, account, kind, external_id), with_for_update=True, populate_existing=True
    )
    if found is None or (found.internal_kind, found.internal_id) != (internal_kind, internal_id):
        raise LinkedElsewhere(f"This {kind} of {system} and this {internal_kind} are not one: they are linked already.")
    if (found.version, found.hash) != (version, hash):
        found.version, found.hash, found.updated_at = version, hash, now
    return found


def find(
    session: Session, *, tenant_id: str, system: System, kind: str, external_id: str, account: str = ""
) -> Xref | None:
    """What a thing of another system is here."""
    return session.get(Xref, (tenant_id, system, account, kind, external_id))


def find_external(
    session: Session,
    *,
    tenant_id: str,
    system: System,
    kind: str,
    internal_kind: str,
    internal_id: str,
    account: str = "",
) -> Xref | None:
    """What a thing of ours is there."""
    return session.scalars(
        select(Xref).where(
            Xref.tenant_id == tenant_id,
            Xref.system == system,
            Xref.account == account,
            Xref.kind == kind,
            Xref.internal_kind == internal_kind,
            Xref.internal_id == internal_id,
        )
    ).one_or_none()


def lineage(session: Session, *, tenant_id: str, internal_kind: str, internal_id: str) -> list[Xref]:
    """Everything that a thing of ours is called anywhere, in the order in which it came to be."""
    query = select(Xref).where(
        Xref.tenant_id == tenant_id, Xref.internal_kind == internal_kind, Xref.internal_id == internal_id
    )
    return list(session.scalars(query.order_by(Xref.linked_at, Xref.system, Xref.kind, Xref.external_id)))
