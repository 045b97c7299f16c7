"""``/ops``: the pipeline as pages for operations. What they do is in ``/v1/ops``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from app.identity import Caller
from app.ops.plots import plot
from app.routing import SiteDep
from app.site import Site
from app.staff.pages import page_response
from engine.kit import clock
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.identity import Role, Scope
from engine.kit.pagination import Page
from engine.operations.pipeline import objects, overview, runs, shadows, stock
from engine.operations.pipeline.explain import cause, explain, find
from engine.operations.pipeline.lanes import TITLES, anchor, picture
from engine.operations.pipeline.queue import DeliveryView, ExceptionView
from engine.operations.pipeline.runs import RunInFull
from engine.sync import exceptions, inbox
from engine.sync.models import System
from engine.sync.work_models import DeliveryStatus, ExceptionStatus
from engine.workflows import registry, starting
from engine.workflows.models import RunStatus

router: Final = APIRouter(prefix="/ops", include_in_schema=False)
PEOPLE: Final = frozenset({Role.OPS, Role.ADMIN})
AGES: Final = ((900, "15 minutes"), (3_600, "an hour"), (86_400, "a day"), (604_800, "a week"))
RETRYING: Final = "retrying"
_SHOWN: Final = 50
Fill = Callable[[Session, str], dict[str, Any]]
Words = Annotated[str, Query(max_length=200)]
Cursor = Annotated[str, Query(max_length=400)]
RunId = Annotated[str, Query(alias="id", max_length=200)]


@router.get("")
def home(request: Request, site: SiteDep) -> Response:
    """How the pipeline stands."""

    def fill(session: Session, tenant_id: str) -> dict[str, Any]:
        return {"now": overview.overview(session, tenant_id)}

    return _page(request, site, "ops/overview.html", fill)


@router.get("/runs")
def run_list(
    request: Request,
    site: SiteDep,
    ref: Words = "",
    workflow: Words = "",
    state: Words = "",
    older_than: Annotated[str, Query(max_length=10)] = "",
    cursor: Cursor = "",
) -> Response:
    """Runs by what they are about, what they are at, and since when."""
    asked = {"ref": ref.strip(), "workflow": workflow, "state": state, "older_than": older_than}

    def fill(session: Session, tenant_id: str) -> dict[str, Any]:
        page = starting.listed(session, tenant_id, **_wanted(session, tenant_id, asked), limit=_SHOWN, cursor=cursor)
        return {
            "runs": [runs.shown(row) for row in page.items],
            "more": _more(asked, page.next_cursor),
            "asked": asked,
            "workflows": sorted({*registry.names(), *([workflow] if workflow else [])}),
            "states": [RETRYING, *RunStatus],
            "ages": AGES,
        }

    return _page(request, site, "ops/runs.html", fill)


@router.get("/run")
def one_run(request: Request, site: SiteDep, run_id: RunId = "") -> Response:
    """One run: lanes, steps, requests."""

    def fill(session: Session, tenant_id: str) -> dict[str, Any]:
        row = starting.get(session, tenant_id, run_id)
        run = runs.in_full(session, tenant_id, row)
        return {
            "title": run.workflow,
            "about": {"run": run.id},
            "why": explain(session, tenant_id, row),
            "found": None,
            "links": [],
            "exceptions": _exception_of(session, tenant_id, run),
        } | _drawn([run])

    return _page(request, site, "ops/object.html", fill)


@router.get("/object")
def one_object(
    request: Request,
    site: SiteDep,
    kind: Annotated[str, Query(max_length=20)] = "",
    ref: Annotated[str, Query(max_length=120)] = "",
) -> Response:
    """One order, purchase or return: every run that touched it, in the lanes of all systems."""

    def fill(session: Session, tenant_id: str) -> dict[str, Any]:
        found = objects.business_object(session, tenant_id, kind, ref)
        return {
            "title": f"{kind.capitalize()} {ref}",
            "about": {"kind": kind, "ref": ref},
            "why": explain(session, tenant_id, find(session, tenant_id, ref, kind=kind)),
            "found": found,
            "links": found.links,
            "exceptions": found.exceptions,
        } | _drawn(found.runs)

    return _page(request, site, "ops/object.html", fill)


@router.get("/exceptions")
def queue(request: Request, site: SiteDep, status: Words = "open", cause: Words = "", cursor: Cursor = "") -> Response:
    """What a person has to look at."""
    wanted = ExceptionStatus(status) if status in set(ExceptionStatus) else None

    def fill(session: Session, tenant_id: str) -> dict[str, Any]:
        page = exceptions.listed(
            session, tenant_id, status=wanted, cause=cause or None, limit=_SHOWN, cursor=cursor or None
        )
        return {
            "items": [ExceptionView.of(row) for row in page.items],
            "causes": exceptions.causes(session, tenant_id),
            "more": _more({"status": status, "cause": cause}, page.next_cursor),
            "statuses": list(ExceptionStatus),
            "chosen": str(wanted or "any"),
            "of_cause": cause,
        }

    return _page(request, site, "ops/exceptions.html", fill)


@router.get("/deliveries")
def deliveries(request: Request, site: SiteDep, status: Words = "", cursor: Cursor = "") -> Response:
    """What systems told us."""
    wanted = DeliveryStatus(status) if status in set(DeliveryStatus) else None

    def fill(session: Session, tenant_id: str) -> dict[str, Any]:
        page = inbox.listed(session, tenant_id, status=wanted, limit=_SHOWN, cursor=cursor or None)
        return {
            "items": [DeliveryView.of(row) for row in page.items],
            "more": _more({"status": status}, page.next_cursor),
            "statuses": list(DeliveryStatus),
            "chosen": str(wanted or ""),
        }

    return _page(request, site, "ops/deliveries.html", fill)


@router.get("/shadows")
def shadow(request: Request, site: SiteDep, workflow: Words = "", version: Words = "", cursor: Cursor = "") -> Response:
    """Which other versions may be put in force, and how one of them differs."""

    def fill(session: Session, tenant_id: str) -> dict[str, Any]:
        found = shadows.gates(session, tenant_id)
        chosen = shadows.gate(session, tenant_id, workflow, version) if workflow else next(iter(found), None)
        page = shadows.differences(session, tenant_id, chosen, cursor=cursor or None) if chosen else Page([])
        asked = {"workflow": chosen.workflow, "version": chosen.version} if chosen else {}
        return {"gates": found, "chosen": chosen, "items": page.items, "more": _more(asked, page.next_cursor)}

    return _page(request, site, "ops/shadows.html", fill)


@router.get("/stock")
def drift(request: Request, site: SiteDep, every: Words = "", cursor: Cursor = "") -> Response:
    """Items that systems do not count alike."""

    def fill(session: Session, tenant_id: str) -> dict[str, Any]:
        page = stock.drift(session, tenant_id, drifting=not every, limit=_SHOWN, cursor=cursor or None)
        return {
            "items": page.items,
            "systems": list(dict.fromkeys((c.system, c.connection_id) for one in page.items for c in one.counts)),
            "read_at": stock.last_read(session, tenant_id),
            "more": _more({"every": every}, page.next_cursor),
            "every": bool(every),
        }

    return _page(request, site, "ops/stock.html", fill)


def _page(request: Request, site: Site, template: str, fill: Fill) -> Response:
    def filled(caller: Caller) -> Mapping[str, Any]:
        tenant_id = caller.merchant.id
        with site.runtime.store.unit_of_work(tenant_id, snapshot=True) as session:
            return _USUAL | fill(session, tenant_id)

    shown = partial(page_response, request, site, needs=Scope.OPS, roles=PEOPLE)
    try:
        return shown(template, fill=filled)
    except (NotFound, InvalidInput) as error:
        return shown("ops/missing.html", status=404, said=error.message, fill=lambda _: _USUAL)


def _system(name: str) -> str:
    """What people call it."""
    return TITLES[System(name)] if name in set(System) else "iCommerce"


def _pretty(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)


_USUAL: Final[dict[str, Any]] = {
    "system": _system,
    "anchor": anchor,
    "cause": cause,
    "pretty": _pretty,
    "about": {},
}


def _wanted(session: Session, tenant_id: str, asked: Mapping[str, str]) -> dict[str, Any]:
    state, age, ref = asked["state"], asked["older_than"], asked["ref"]
    found: dict[str, Any] = {"workflow": asked["workflow"] or None, "retrying": state == RETRYING}
    if state in set(RunStatus):
        found["status"] = (RunStatus(state),)
    if age.isascii() and age.isdigit():
        found["begun_before"] = clock.now() - timedelta(seconds=min(int(age), AGES[-1][0] * 52))
    if ref:
        found["subject"] = _subject(session, tenant_id, ref)
    return found


def _subject(session: Session, tenant_id: str, ref: str) -> tuple[str, str]:
    """What somebody calls it, as the runs have it; of what nobody knows nothing is found."""
    try:
        row = find(session, tenant_id, ref)
    except NotFound:
        return "order", ref
    return row.subject_kind, row.subject_ref


def _exception_of(session: Session, tenant_id: str, run: RunInFull) -> list[ExceptionView]:
    return [ExceptionView.of(exceptions.get(session, tenant_id, run.exception_id))] if run.exception_id else []


def _drawn(shown: list[RunInFull]) -> dict[str, Any]:
    drawn = picture(shown)
    calls = {id(run): _by_step(number, run) for number, run in enumerate(shown)}
    return {"runs": shown, "plot": plot(drawn), "calls": [calls[id(run)] for run in shown]}


def _by_step(number: int, run: RunInFull) -> dict[str, list[Any]]:
    """A run's requests by the anchor of their step."""
    names = {mark.call_id: mark.step for mark in picture([run]).marks if mark.call_id is not None}
    found: dict[str, list[Any]] = {}
    for call in run.calls:
        found.setdefault(names[call.id].replace("s-0-", f"s-{number}-", 1), []).append(call)
    return found


def _more(asked: Mapping[str, str], cursor: str | None) -> str:
    said = {name: value for name, value in asked.items() if value}
    return f"?{urlencode(said | {'cursor': cursor})}" if cursor else ""
