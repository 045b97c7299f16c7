"""``/v1/ops/workflows``: what is switched on and by which settings, and the door by which a run is begun."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from app.once import AskedDep, answer_once, json_response
from app.routing import CallerDep, Guarded, SiteDep
from engine.kit.errors import Conflict
from engine.kit.views import View
from engine.workflows import pipeline, registry, starting
from engine.workflows.models import PipelineRow
from engine.workflows.pipeline import SettingsDiff
from engine.workflows.settings import PipelineSettings, SettingsBroken
from engine.workflows.shadow import DryRun, dry_run


class Named(Guarded):
    """An address that names a workflow, or what all share."""

    names = re.compile(rf"{Guarded.names.pattern}|{re.escape(pipeline.SHARED)}")


router: Final = APIRouter(prefix="/v1/ops/workflows", tags=["operations"], route_class=Named)
Name = Annotated[str, Path(min_length=1, max_length=80, description="A workflow's name; `*` for what all share.")]


class SwitchedOff(Conflict):
    code = "workflow_off"


class Given(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class NewRun(Given):
    payload: dict[str, Any]
    """What this workflow takes: `payload_schema` of the workflow."""


class Begun(View):
    workflow_id: str
    is_new: bool
    """False: there is one of this business key already, and this is it."""


class NewSettings(Given):
    is_on: bool
    settings: dict[str, Any] = {}
    note: Annotated[str, Field(max_length=200)] = ""


class Activation(Given):
    version: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]


class Switch(Given):
    on: bool


class WorkflowView(View):
    name: str
    version: str
    is_on: bool
    settings_version: int | None
    systems: list[str]
    every_seconds: int | None
    undo: dict[str, str]
    payload_schema: dict[str, Any]
    settings: dict[str, Any]
    """What counts for it: its own values, the shared ones, the defaults."""
    broken: str
    """Why that cannot be, where it cannot: then nothing of it goes on."""


class WorkflowPage(View):
    items: list[WorkflowView]
    settings_schema: dict[str, Any]


class SettingsView(View):
    workflow: str
    version: int
    is_on: bool
    active: bool
    settings: dict[str, Any]
    note: str
    created_by: str
    created_at: datetime

    @classmethod
    def of(cls, row: PipelineRow) -> SettingsView:
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class SettingsPage(View):
    items: list[SettingsView]


class Changes(View):
    items: list[SettingsDiff]


@router.get("", responses={200: {"model": WorkflowPage}}, response_class=Response)
def listed(site: SiteDep, caller: CallerDep) -> Response:
    """Every workflow there is, whether it is on, and by which settings."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        rows = pipeline.in_force(session, tenant_id)
        views = [_view(session, tenant_id, name, rows) for name in registry.names()]
    return json_response(WorkflowPage(items=views, settings_schema=PipelineSettings.model_json_schema()))


@router.post("/{name}/runs", status_code=202, responses={202: {"model": Begun}, 200: {"model": DryRun}})
def begin(
    name: Name,
    site: SiteDep,
    caller: CallerDep,
    asked: AskedDep,
    given: NewRun,
    dry: Annotated[bool, Query(alias="dry_run", description="Only tell what would be sent.")] = False,
) -> Response:
    """Begin a run. The same business key twice is one run; a workflow that is off begins none."""
    who = caller.operations
    if dry:
        return json_response(dry_run(site.runtime, who.tenant_id, name, given.payload))

    def work(session: Session) -> Begun:
        starting.wanted(who.tenant_id, name, given.payload)
        if name not in pipeline.switched_on(session, who.tenant_id):
            raise SwitchedOff(f"{name} is switched off in this shop.")
        run_id, is_new = starting.begin(session, who.tenant_id, name, given.payload, trigger=f"http:{who.id}")
        return Begun(workflow_id=run_id, is_new=is_new)

    return answer_once(site.runtime, who, asked, work, status=202)


@router.post("/{name}/switch", responses={200: {"model": SettingsView}}, response_class=Response)
def switch(name: Name, site: SiteDep, caller: CallerDep, asked: AskedDep, given: Switch) -> Response:
    """Turn it on or off, its settings as they are."""
    who = caller.operations

    def work(session: Session) -> SettingsView:
        return SettingsView.of(pipeline.switch(session, who.tenant_id, actor=who.id, workflow=name, on=given.on))

    return answer_once(site.runtime, who, asked, work, status=200)


@router.get("/{name}/settings", responses={200: {"model": SettingsPage}}, response_class=Response)
def versions(name: Name, site: SiteDep, caller: CallerDep) -> Response:
    """Every version of its settings, the newest first."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        rows = pipeline.versions(session, tenant_id, name)
        return json_response(SettingsPage(items=[SettingsView.of(row) for row in rows]))


@router.post("/{name}/settings", status_code=201, responses={201: {"model": SettingsView}}, response_class=Response)
def save(name: Name, site: SiteDep, caller: CallerDep, asked: AskedDep, given: NewSettings) -> Response:
    """A new version; it is in force when it is activated. Its `diff` tells what that would change."""
    who = caller.operations

    def work(session: Session) -> SettingsView:
        row = pipeline.save(
            session,
            who.tenant_id,
            actor=who.id,
            workflow=name,
            is_on=given.is_on,
            settings=given.settings,
            note=given.note,
        )
        return SettingsView.of(row)

    return answer_once(site.runtime, who, asked, work, status=201)


@router.get("/{name}/settings/{version}/diff", responses={200: {"model": Changes}}, response_class=Response)
def difference(
    name: Name, version: Annotated[int, Path(ge=1, le=1_000_000)], site: SiteDep, caller: CallerDep
) -> Response:
    """What would change if this version came into force."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(Changes(items=pipeline.diff(session, tenant_id, name, version=version)))


@router.post("/{name}/activations", responses={200: {"model": SettingsView}}, response_class=Response)
def activate(name: Name, site: SiteDep, caller: CallerDep, asked: AskedDep, given: Activation) -> Response:
    """Put a version in force, a new one or an old one."""
    who = caller.operations

    def work(session: Session) -> SettingsView:
        row = pipeline.activate(session, who.tenant_id, actor=who.id, workflow=name, version=given.version)
        return SettingsView.of(row)

    return answer_once(site.runtime, who, asked, work, status=200)


def _view(session: Session, tenant_id: str, name: str, rows: dict[str, PipelineRow]) -> WorkflowView:
    workflow, row = registry.live(name), rows.get(name)
    settings, broken = _settings(session, tenant_id, name)
    return WorkflowView(
        name=name,
        version=workflow.version,
        is_on=bool(row and row.is_on),
        settings_version=row.version if row else None,
        systems=[str(one) for one in workflow.systems],
        every_seconds=workflow.every_seconds,
        undo=dict(workflow.undo),
        payload_schema=workflow.payload.model_json_schema(),
        settings=settings,
        broken=broken,
    )


def _settings(session: Session, tenant_id: str, name: str) -> tuple[dict[str, Any], str]:
    try:
        return pipeline.settings_of(session, tenant_id, name).model_dump(mode="json"), ""
    except SettingsBroken as error:
        return {}, error.message
