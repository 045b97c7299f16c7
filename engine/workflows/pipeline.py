"""A shop's switches and settings of its pipeline, as versions: proven when saved, in force when somebody says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from engine.kit import audit
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.ids import new_id
from engine.kit.views import View
from engine.sync.wire import storable
from engine.workflows import registry
from engine.workflows.models import PipelineRow
from engine.workflows.settings import GONE, PipelineSettings, SettingsBroken

SHARED: Final = "*"
"""The settings that all workflows share; it has no switch."""
_ONE_AT_A_TIME: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")


class SettingsDiff(View):
    """What changes for one workflow from what is in force to a version."""

    workflow: str
    was_on: bool
    is_on: bool
    changes: dict[str, list[Any]]
    """Value → before and after."""


def save(
    session: Session,
    tenant_id: str,
    *,
    actor: str,
    workflow: str,
    is_on: bool,
    settings: Mapping[str, Any],
    note: str = "",
    activate_it: bool = False,
) -> PipelineRow:
    """A new version. Raises ``InvalidInput`` that names the first value that cannot be, ``NoSuchWorkflow``."""
    _known(workflow)
    said = storable(dict(settings))
    _settings({}, said)
    session.execute(_ONE_AT_A_TIME, {"key": f"{tenant_id}|pipeline|{workflow}"})
    newest = session.scalar(
        select(func.max(PipelineRow.version)).where(
            PipelineRow.tenant_id == tenant_id, PipelineRow.workflow == workflow
        )
    )
    row = PipelineRow(
        tenant_id=tenant_id,
        id=new_id("pipeline"),
        workflow=workflow,
        version=(newest or 0) + 1,
        is_on=is_on and workflow != SHARED,
        settings=said,
        note=note[:200],
        created_by=actor,
    )
    session.add(row)
    _note(session, row, actor, "pipeline.saved")
    session.flush()
    return activate(session, tenant_id, actor=actor, workflow=workflow, version=row.version) if activate_it else row


def activate(session: Session, tenant_id: str, *, actor: str, workflow: str, version: int) -> PipelineRow:
    """Put a version in force, a new one or an old one. Raises ``NotFound``, ``InvalidInput`` where it does not fit the
    others that are in force.
    """
    session.execute(_ONE_AT_A_TIME, {"key": f"{tenant_id}|pipeline|{workflow}"})
    row = get(session, tenant_id, workflow, version)
    diff(session, tenant_id, workflow, version=version)
    before = active(session, tenant_id, workflow)
    if before is not None and before.id == row.id:
        return row
    if before is not None:
        before.active = False
        session.flush()
    row.active = True
    _note(session, row, actor, "pipeline.activated", before=before.version if before else None)
    session.flush()
    return row


def switch(session: Session, tenant_id: str, *, actor: str, workflow: str, on: bool) -> PipelineRow:
    """Turn a workflow on or off, its settings as they are. Raises ``NoSuchWorkflow``."""
    registry.live(workflow)
    now = active(session, tenant_id, workflow)
    if now is not None and now.is_on == on:
        return now
    settings = _said(now)
    note = "switched on" if on else "switched off"
    return save(
        session,
        tenant_id,
        actor=actor,
        workflow=workflow,
        is_on=on,
        settings=settings,
        note=note,
        activate_it=True,
    )


def active(session: Session, tenant_id: str, workflow: str) -> PipelineRow | None:
    """The version in force."""
    query = select(PipelineRow).where(
        PipelineRow.tenant_id == tenant_id, PipelineRow.workflow == workflow, PipelineRow.active
    )
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def get(session: Session, tenant_id: str, workflow: str, version: int | None = None) -> PipelineRow:
    """A version, the newest without one. Raises ``NotFound``."""
    query = select(PipelineRow).where(PipelineRow.tenant_id == tenant_id, PipelineRow.workflow == workflow)
    if version is not None:
        query = query.where(PipelineRow.version == version)
    row = session.scalars(query.order_by(PipelineRow.version.desc()).limit(1)).one_or_none()
    if row is None:
        raise NotFound("There is no such version of the pipeline's settings.")
    return row


def versions(session: Session, tenant_id: str, workflow: str) -> list[PipelineRow]:
    """All versions, newest first."""
    query = select(PipelineRow).where(PipelineRow.tenant_id == tenant_id, PipelineRow.workflow == workflow)
    return list(session.scalars(query.order_by(PipelineRow.version.desc())))


def in_force(session: Session, tenant_id: str) -> dict[str, PipelineRow]:
    """By workflow, what is in force; what was never said is not there, and off."""
    query = select(PipelineRow).where(PipelineRow.tenant_id == tenant_id, PipelineRow.active)
    return {row.workflow: row for row in session.scalars(query)}


def switched_on(session: Session, tenant_id: str) -> list[str]:
    """Names of the workflows that are on, in the registry's order."""
    return on_in(in_force(session, tenant_id))


def on_in(rows: Mapping[str, PipelineRow]) -> list[str]:
    """As ``switched_on``, by what was read."""
    return [name for name in registry.names() if name in rows and rows[name].is_on]


def settings_of(session: Session, tenant_id: str, workflow: str) -> PipelineSettings:
    """What counts: a workflow's own values, then the shared ones, then the defaults. Raises ``SettingsBroken``."""
    return settings_in(in_force(session, tenant_id), workflow)


def settings_in(rows: Mapping[str, PipelineRow], workflow: str) -> PipelineSettings:
    """As ``settings_of``, by what was read for many. Raises ``SettingsBroken``."""
    own = rows.get(workflow) if workflow != SHARED else None
    try:
        return _settings(_said(rows.get(SHARED)), _said(own))
    except InvalidInput as error:
        raise SettingsBroken(f"What {workflow} goes by cannot be: {error.message} It must be set anew.") from None


def diff(session: Session, tenant_id: str, workflow: str, *, version: int) -> list[SettingsDiff]:
    """The dry run: what a version would change, workflow by workflow. Raises ``NotFound``, ``InvalidInput``."""
    row = get(session, tenant_id, workflow, version)
    rows = in_force(session, tenant_id)
    after = rows | {workflow: row}
    touched: Sequence[str] = registry.names() if workflow == SHARED else [workflow]
    return [one for name in touched if (one := _difference(name, rows, after))]


def _difference(name: str, before: Mapping[str, PipelineRow], after: Mapping[str, PipelineRow]) -> SettingsDiff | None:
    old, new = _values_if_any(name, before), _values(name, after)
    changes = {key: [old.get(key), new[key]] for key in new if key not in old or old[key] != new[key]}
    was, now = (name in one and one[name].is_on for one in (before, after))
    if not changes and was == now:
        return None
    return SettingsDiff(workflow=name, was_on=was, is_on=now, changes=changes)


def _values(name: str, rows: Mapping[str, PipelineRow]) -> dict[str, Any]:
    return _settings(_said(rows.get(SHARED)), _said(rows.get(name))).model_dump(mode="json")


def _values_if_any(name: str, rows: Mapping[str, PipelineRow]) -> dict[str, Any]:
    """Nothing where they cannot be: what is put right comes in their place."""
    try:
        return _values(name, rows)
    except InvalidInput:
        return {}


def _said(row: PipelineRow | None) -> dict[str, Any]:
    return {name: value for name, value in row.settings.items() if name not in GONE} if row else {}


def _settings(shared: Mapping[str, Any], own: Mapping[str, Any]) -> PipelineSettings:
    try:
        return PipelineSettings.model_validate({**shared, **own})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, ("settings", *first["loc"])))
        raise InvalidInput(f"{where}: {first['msg']}.", param=where) from None


def _known(workflow: str) -> None:
    if workflow != SHARED:
        registry.live(workflow)


def _note(session: Session, row: PipelineRow, actor: str, action: str, **more: Any) -> None:
    facts = {"workflow": row.workflow, "version": row.version, "on": row.is_on} | more
    audit.record(session, row.tenant_id, actor=actor, action=action, subject=row.id, facts=facts)
