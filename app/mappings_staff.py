"""``/v1/ops/mappings``: how documents become other systems', in versions that were proven to fit."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from app.once import AskedDep, answer_once, json_response
from app.routing import CallerDep, Guarded, SiteDep
from engine.kit.views import View
from engine.sync import mappings
from engine.sync.mapping import Difference, Tried
from engine.sync.mapping import dry_run as try_spec
from engine.sync.targets import TARGETS, target_of
from engine.sync.transforms import described
from engine.sync.work_models import Mapping

router: Final = APIRouter(prefix="/v1/ops/mappings", tags=["operations"], route_class=Guarded)
targets: Final = APIRouter(prefix="/v1/ops/mapping-targets", tags=["operations"], route_class=Guarded)
Name = Annotated[str, Field(min_length=1, max_length=60)]
Number = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Documents = Annotated[list[dict[str, Any]], Field(min_length=1, max_length=mappings.MOST_DOCUMENTS)]


class Given(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class NewVersion(Given):
    name: Name
    target: Annotated[str, Field(min_length=1, max_length=80)]
    spec: dict[str, Any]
    """How it is written: docs/howto/change-a-mapping.md."""
    note: Annotated[str, Field(max_length=200)] = ""
    samples: Annotated[list[dict[str, Any]], Field(max_length=mappings.MOST_DOCUMENTS)] = []
    """Documents that have to map, or the version is not saved."""


class Activation(Given):
    version: Number


class Trial(Given):
    documents: Documents
    version: Number | None = None
    """The newest without it."""


class Comparison(Given):
    documents: Documents
    old: Number
    new: Number


class MappingView(View):
    id: str
    name: str
    version: int
    target: str
    spec: dict[str, Any]
    note: str
    active: bool
    created_by: str
    created_at: datetime

    @classmethod
    def of(cls, row: Mapping) -> MappingView:
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class MappingPage(View):
    items: list[MappingView]
    next_cursor: str | None = None


class Trials(View):
    items: list[Tried]


class Differences(View):
    items: list[Difference]


class Possible(View):
    """What a mapping can fill, and the transforms there are, each with what it does."""

    targets: dict[str, dict[str, Any]]
    """Name → JSON Schema."""
    transforms: dict[str, str]


@targets.get("", responses={200: {"model": Possible}}, response_class=Response)
def possible(caller: CallerDep) -> Response:
    """What mappings can be made of."""
    assert caller.operations
    schemas = {name: target_of(name).model_json_schema(by_alias=True) for name in sorted(TARGETS)}
    return json_response(Possible(targets=schemas, transforms=dict(described())))


@router.get("", responses={200: {"model": MappingPage}}, response_class=Response)
def listed(site: SiteDep, caller: CallerDep) -> Response:
    """The newest version of each mapping."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(MappingPage(items=[MappingView.of(row) for row in mappings.listed(session, tenant_id)]))


@router.post("", status_code=201, responses={201: {"model": MappingView}}, response_class=Response)
def save(
    site: SiteDep,
    caller: CallerDep,
    asked: AskedDep,
    given: NewVersion,
    dry_run: Annotated[bool, Query(description="Only tell what it would make of the samples.")] = False,
) -> Response:
    """A new version. One that does not fit its target, or does not map a sample, is refused with every reason."""
    identity = caller.operations
    if dry_run:
        return json_response(Trials(items=try_spec(given.spec, target_of(given.target), given.samples)))

    def work(session: Session) -> MappingView:
        row = mappings.save(
            session,
            identity.tenant_id,
            actor=identity.id,
            name=given.name,
            target=given.target,
            spec=given.spec,
            note=given.note,
            samples=given.samples,
        )
        return MappingView.of(row)

    return answer_once(site.runtime, identity, asked, work, status=201)


@router.get("/{mapping}", responses={200: {"model": MappingView}}, response_class=Response)
def one(
    mapping: str, site: SiteDep, caller: CallerDep, version: Annotated[int | None, Query(ge=1, le=10**6)] = None
) -> Response:
    """A version of a mapping, the newest without one."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(MappingView.of(mappings.get(session, tenant_id, mapping, version)))


@router.get("/{mapping}/versions", responses={200: {"model": MappingPage}}, response_class=Response)
def versions(mapping: str, site: SiteDep, caller: CallerDep) -> Response:
    """All versions, newest first."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        rows = mappings.versions(session, tenant_id, mapping)
        return json_response(MappingPage(items=[MappingView.of(row) for row in rows]))


@router.post("/{mapping}/activate", responses={200: {"model": MappingView}}, response_class=Response)
def activate(mapping: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: Activation) -> Response:
    """Put a version in force, a new one or an old one."""
    identity = caller.operations

    def work(session: Session) -> MappingView:
        row = mappings.activate(session, identity.tenant_id, actor=identity.id, name=mapping, version=given.version)
        return MappingView.of(row)

    return answer_once(site.runtime, identity, asked, work, status=200)


@router.post("/{mapping}/dry-run", responses={200: {"model": Trials}}, response_class=Response)
def dry_run(mapping: str, site: SiteDep, caller: CallerDep, given: Trial) -> Response:
    """What a version makes of documents. Nothing is changed or sent."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        found = mappings.dry_run(session, tenant_id, mapping, given.documents, version=given.version)
    return json_response(Trials(items=found))


@router.post("/{mapping}/diff", responses={200: {"model": Differences}}, response_class=Response)
def diff(mapping: str, site: SiteDep, caller: CallerDep, given: Comparison) -> Response:
    """What changes from one version to another, document by document."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        found = mappings.diff(session, tenant_id, mapping, given.documents, old=given.old, new=given.new)
    return json_response(Differences(items=found))
