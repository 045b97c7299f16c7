"""Versions of mappings: proven to fit when they are saved, in force when somebody says so, never changed."""

from __future__ import annotations

import re
from collections.abc import Mapping as Document
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import orjson
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from engine.kit import audit
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.ids import new_id
from engine.sync import mapping
from engine.sync.mapping import Compiled, Difference, FaultView, Tried
from engine.sync.targets import target_of
from engine.sync.wire import storable
from engine.sync.work_models import Mapping

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
MOST_BYTES: Final = 500_000
MOST_DOCUMENTS: Final = 100
_ONE_AT_A_TIME: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")


class SampleRefused(InvalidInput):
    """A document that the mapping should take, and does not."""

    code = "sample_refused"

    def __init__(self, number: int, faults: Sequence[FaultView]) -> None:
        words = "; ".join(f"{one.path}: {one.message}" for one in faults[:5])
        super().__init__(f"Sample {number} does not map. {words}", param=f"samples.{number}")


def save(
    session: Session,
    tenant_id: str,
    *,
    actor: str,
    name: str,
    target: str,
    spec: Document[str, Any],
    note: str = "",
    samples: Sequence[Any] = (),
) -> Mapping:
    """A new version; it is in force when it is activated. Raises ``MappingRefused`` with all that does not fit,
    ``SampleRefused`` for a sample that it does not map, ``InvalidInput`` for a target that is not there, or for
    another than the versions before have.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput("A mapping's name is small letters, digits and hyphens, at most 60.", param="name")
    try:
        spec = storable(dict(spec))
    except ValueError as error:
        raise InvalidInput(f"A mapping cannot be kept: {error}.", param="spec") from None
    if len(orjson.dumps(spec)) > MOST_BYTES:
        raise InvalidInput("A mapping has at most 500 kB.", param="spec")
    compiled = mapping.compile(spec, target_of(target))
    for number, sample in enumerate(samples):
        tried = mapping.attempt(compiled, sample)
        if not tried.ok:
            raise SampleRefused(number, tried.faults)
    session.execute(_ONE_AT_A_TIME, {"key": f"{tenant_id}|mapping|{name}"})
    last = session.execute(
        select(Mapping.version, Mapping.target)
        .where(Mapping.tenant_id == tenant_id, Mapping.name == name)
        .order_by(Mapping.version.desc())
        .limit(1)
    ).first()
    if last is not None and last.target != target:
        raise InvalidInput(f"This mapping fills {last.target}: another target has another name.", param="target")
    row = Mapping(
        tenant_id=tenant_id,
        id=new_id("mapping"),
        name=name,
        version=(last.version if last else 0) + 1,
        target=target,
        spec=dict(spec),
        note=note,
        created_by=actor,
    )
    session.add(row)
    _note(session, row, actor, "mapping.saved")
    session.flush()
    return row


def activate(session: Session, tenant_id: str, *, actor: str, name: str, version: int) -> Mapping:
    """Put a version in force, a new one or an old one. Raises ``NotFound``, ``MappingRefused`` where its target has
    changed since it was saved.
    """
    session.execute(_ONE_AT_A_TIME, {"key": f"{tenant_id}|mapping|{name}"})
    row = get(session, tenant_id, name, version)
    mapping.compile(row.spec, target_of(row.target))
    before = active(session, tenant_id, name)
    if before is not None and before.id == row.id:
        return row
    if before is not None:
        before.active = False
        session.flush()
    row.active = True
    _note(session, row, actor, "mapping.activated", before=before.version if before else None)
    session.flush()
    return row


def active(session: Session, tenant_id: str, name: str) -> Mapping | None:
    """The version in force."""
    query = select(Mapping).where(Mapping.tenant_id == tenant_id, Mapping.name == name, Mapping.active)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def get(session: Session, tenant_id: str, name: str, version: int | None = None) -> Mapping:
    """A version, the newest without one. Raises ``NotFound``."""
    query = select(Mapping).where(Mapping.tenant_id == tenant_id, Mapping.name == name)
    if version is not None:
        query = query.where(Mapping.version == version)
    row = session.scalars(query.order_by(Mapping.version.desc()).limit(1)).one_or_none()
    if row is None:
        raise NotFound("There is no such mapping.")
    return row


def listed(session: Session, tenant_id: str) -> list[Mapping]:
    """The newest version of each, by name."""
    newest = (
        select(Mapping.name, func.max(Mapping.version).label("version"))
        .where(Mapping.tenant_id == tenant_id)
        .group_by(Mapping.name)
        .subquery()
    )
    query = select(Mapping).join(newest, (Mapping.name == newest.c.name) & (Mapping.version == newest.c.version))
    return list(session.scalars(query.where(Mapping.tenant_id == tenant_id).order_by(Mapping.name)))


def versions(session: Session, tenant_id: str, name: str) -> list[Mapping]:
    """All versions, newest first. Raises ``NotFound``."""
    query = select(Mapping).where(Mapping.tenant_id == tenant_id, Mapping.name == name)
    rows = list(session.scalars(query.order_by(Mapping.version.desc())))
    if not rows:
        raise NotFound("There is no such mapping.")
    return rows


def ready(session: Session, tenant_id: str, name: str) -> Compiled | None:
    """The version in force, compiled; ``None`` where a shop has said nothing. Kept: a version never changes."""
    row = active(session, tenant_id, name)
    return _compiled(row.tenant_id, row.id, row.target, orjson.dumps(row.spec)) if row else None


def dry_run(
    session: Session, tenant_id: str, name: str, documents: Sequence[Any], *, version: int | None = None
) -> list[Tried]:
    """What a version makes of documents; the newest without one. Raises ``NotFound``, ``InvalidInput``."""
    _check_number(documents)
    row = get(session, tenant_id, name, version)
    return mapping.dry_run(row.spec, target_of(row.target), documents)


def diff(
    session: Session, tenant_id: str, name: str, documents: Sequence[Any], *, old: int, new: int
) -> list[Difference]:
    """What changes from a version to another. Raises ``NotFound``, ``InvalidInput``."""
    _check_number(documents)
    one, other = get(session, tenant_id, name, old), get(session, tenant_id, name, new)
    return mapping.diff(one.spec, other.spec, target_of(other.target), documents)


@lru_cache(maxsize=200)
def _compiled(_tenant_id: str, _id: str, target: str, spec: bytes) -> Compiled:
    return mapping.compile(orjson.loads(spec), target_of(target))


def _check_number(documents: Sequence[Any]) -> None:
    if len(documents) > MOST_DOCUMENTS:
        raise InvalidInput(f"Try at most {MOST_DOCUMENTS} documents at a time.", param="documents")


def _note(session: Session, row: Mapping, actor: str, action: str, **more: Any) -> None:
    facts = {"name": row.name, "version": row.version, "target": row.target} | more
    audit.record(session, row.tenant_id, actor=actor, action=action, subject=row.id, facts=facts)
