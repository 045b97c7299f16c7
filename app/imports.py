"""``/v1/staff/imports``: files of products and promotions, told first, then applied."""

from __future__ import annotations

import hashlib
import io
import tempfile
from typing import IO, Annotated, Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from app.once import Asked, AskedDep, answer_after, json_response
from app.routing import CallerDep, Filed, Guarded, SiteDep
from engine.catalog.bulk.streams import Form
from engine.imports import service
from engine.imports.kinds import KindName
from engine.imports.models import ImportStatus
from engine.imports.service import ImportView
from engine.kit import idempotency
from engine.kit.identity import Identity
from engine.runtime import Runtime

router: Final = APIRouter(tags=["imports"], route_class=Guarded)
files: Final = APIRouter(tags=["imports"], route_class=Filed)
IN_MEMORY: Final = 1024 * 1024
"""Bytes of an upload that are held in memory; what is larger is on disk."""
FORM_OF: Final[dict[str, Form]] = {
    "text/csv": "csv",
    "application/json": "json",
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
}
_OUT: Final[dict[int | str, dict[str, Any]]] = {200: {"model": ImportView}, 202: {"model": ImportView}}
_IN: Final[dict[int | str, dict[str, Any]]] = {201: {"model": ImportView}, 202: {"model": ImportView}}
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {name: {"schema": {"type": "string", "format": "binary"}} for name in FORM_OF},
    }
}


class ImportIn(BaseModel):
    """A small file as text. ``atomic``: all of it or nothing."""

    model_config = ConfigDict(extra="forbid")

    format: Form
    content: Annotated[str, Field(min_length=1)]
    kind: KindName = "products"
    atomic: bool = False


@router.post("/v1/staff/imports", responses=_IN, response_class=Response)
def hand_in(site: SiteDep, caller: CallerDep, asked: AskedDep, given: ImportIn) -> Response:
    """What a file would change. It goes in with `apply`. A file that is larger than a request's body goes to
    `/v1/staff/imports/files`.
    """
    file = io.BytesIO(given.content.encode())
    return _received(site.runtime, caller.staff, asked, file, given.format, kind=given.kind, atomic=given.atomic)


@files.post("/v1/staff/imports/files", responses=_IN, response_class=Response, openapi_extra=_BODY)
async def hand_in_file(
    request: Request, site: SiteDep, caller: CallerDep, kind: KindName = "products", *, atomic: bool = False
) -> Response:
    """The same with the file itself as body, of CSV, JSON or a line of JSON for each item. A large one is read beside
    the request: 202, and `GET` tells how far it is.
    """
    identity, runtime = caller.staff, site.runtime
    form = FORM_OF[request.headers["content-type"].partition(";")[0].strip().lower()]
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        digest = await _spool(request, file)
        meaning = idempotency.fingerprint([kind, form, atomic, digest])
        asked = Asked(f"{request.method} {request.url.path}", request.headers["idempotency-key"], meaning)
        return await run_in_threadpool(_received, runtime, identity, asked, file, form, kind=kind, atomic=atomic)


@router.get("/v1/staff/imports/{import_id}", responses={200: {"model": ImportView}}, response_class=Response)
def handed_in(import_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One import: how far it is, its report and what became of it."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(service.look(session, tenant_id, import_id))


@router.post("/v1/staff/imports/{import_id}/apply", responses=_OUT, response_class=Response)
def apply(import_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Bring a reported file into the shop; a large one beside the request: 202."""
    identity, runtime = caller.staff, site.runtime

    def work() -> ImportView:
        with runtime.unit_of_work(identity.tenant_id) as session:
            begun = service.apply(session, identity, import_id)
        return service.at_once(runtime, identity, begun)

    return answer_after(runtime, identity, asked, work, status=lambda view: _status(view, 200))


def _received(
    runtime: Runtime, identity: Identity, asked: Asked, file: IO[bytes], form: Form, *, kind: KindName, atomic: bool
) -> Response:
    def work() -> ImportView:
        file.seek(0)
        with runtime.unit_of_work(identity.tenant_id) as session:
            kept = service.receive(session, identity, file, form, kind=kind, atomic=atomic)
        return service.at_once(runtime, identity, kept)

    return answer_after(runtime, identity, asked, work, status=lambda view: _status(view, 201))


def _status(view: BaseModel, ended: int) -> int:
    waits = isinstance(view, ImportView) and view.status in {ImportStatus.WAITING, ImportStatus.APPLYING}
    return 202 if waits else ended


async def _spool(request: Request, file: tempfile.SpooledTemporaryFile[bytes]) -> str:
    """The body into a file; its digest."""
    digest = hashlib.sha256()
    async for piece in request.stream():
        digest.update(piece)
        await run_in_threadpool(file.write, piece)
    return digest.hexdigest()
