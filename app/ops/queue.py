"""``/v1/ops/exceptions``, ``/v1/ops/deliveries``, ``/v1/ops/stock``: what waits for a person, what came in, and where
systems do not count alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field
from sqlalchemy.orm import Session

from app.identity import Caller
from app.once import Asked, AskedDep, answer_once, json_response
from app.ops.runs import Cursor, Given, Limit, Word
from app.routing import CallerDep, Guarded, SiteDep
from app.site import Site
from engine.kit.identity import Identity
from engine.kit.views import View
from engine.operations.pipeline import queue, stock
from engine.operations.pipeline.queue import Again, DeliveryInFull, DeliveryView, ExceptionView
from engine.operations.pipeline.stock import ItemDrift
from engine.sync import exceptions, inbox
from engine.sync.exceptions import Cause
from engine.sync.work_models import DeliveryStatus, ExceptionRow, ExceptionStatus

router: Final = APIRouter(prefix="/v1/ops", tags=["operations"], route_class=Guarded)
_ONE: Final[Any] = {"responses": {200: {"model": ExceptionView}}, "response_class": Response}


class Fix(Given):
    payload: Annotated[dict[str, Any], Field(max_length=200)]


class ExceptionPage(View):
    items: list[ExceptionView]
    next_cursor: str | None


class Causes(View):
    items: list[Cause]
    next_cursor: str | None = None


class DeliveryPage(View):
    items: list[DeliveryView]
    next_cursor: str | None


class DriftPage(View):
    items: list[ItemDrift]
    next_cursor: str | None


Work = Callable[[Session, Identity], ExceptionRow]


def _write(site: Site, caller: Caller, asked: Asked, work: Work) -> Response:
    who = caller.operations

    def done(session: Session) -> ExceptionView:
        row = work(session, who)
        session.flush()
        return ExceptionView.of(row)

    return answer_once(site.runtime, who, asked, done, status=200)


@router.get("/exceptions", responses={200: {"model": ExceptionPage}}, response_class=Response)
def listed(
    site: SiteDep,
    caller: CallerDep,
    status: ExceptionStatus | Literal["any"] = ExceptionStatus.OPEN,
    workflow: Word = None,
    cause: Annotated[str | None, Query(max_length=16, description="A `fingerprint`.")] = None,
    subject: Annotated[str | None, Query(max_length=120, description="As in `order #1071`.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """What a person has to look at, what stopped last first."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        page = exceptions.listed(
            session,
            tenant_id,
            status=status if isinstance(status, ExceptionStatus) else None,
            workflow=workflow,
            cause=cause,
            subject=subject,
            limit=limit,
            cursor=cursor,
        )
        items = [ExceptionView.of(row) for row in page.items]
        return json_response(ExceptionPage(items=items, next_cursor=page.next_cursor))


@router.get("/exceptions/causes", responses={200: {"model": Causes}}, response_class=Response)
def causes(site: SiteDep, caller: CallerDep) -> Response:
    """What is open, by why it stopped, the most frequent first."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(Causes(items=exceptions.causes(session, tenant_id)))


@router.post("/exceptions/causes/{fingerprint}/retry", responses={200: {"model": Again}}, response_class=Response)
def retry_cause(
    fingerprint: str,
    site: SiteDep,
    caller: CallerDep,
    asked: AskedDep,
    dry_run: Annotated[bool, Query(description="Only tell what would be done again.")] = True,
) -> Response:
    """Everything that stopped for one reason, once more. Told first, unless `dry_run=false`."""
    who = caller.operations
    if dry_run:
        with site.runtime.unit_of_work(who.tenant_id) as session:
            return json_response(queue.retry_cause(session, who.tenant_id, fingerprint, actor=who.id))

    def work(session: Session) -> Again:
        return queue.retry_cause(session, who.tenant_id, fingerprint, actor=who.id, dry_run=False)

    return answer_once(site.runtime, who, asked, work, status=200)


@router.get("/exceptions/{exception_id}", **_ONE)
def one(exception_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One of them, with what it worked on."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(ExceptionView.of(exceptions.get(session, tenant_id, exception_id)))


@router.post("/exceptions/{exception_id}/fix", **_ONE)
def fix(exception_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: Fix) -> Response:
    """Put its payload right and have it done again. What its workflow would not take is refused, with the field."""
    return _write(
        site,
        caller,
        asked,
        lambda session, who: queue.fix(session, who.tenant_id, exception_id, actor=who.id, payload=given.payload),
    )


@router.post("/exceptions/{exception_id}/retry", **_ONE)
def retry(exception_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Have it done again as it is."""
    return _write(
        site, caller, asked, lambda session, who: exceptions.retry(session, who.tenant_id, exception_id, actor=who.id)
    )


@router.post("/exceptions/{exception_id}/dismiss", **_ONE)
def dismiss(exception_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Nothing more is to be done about it."""
    return _write(
        site, caller, asked, lambda session, who: exceptions.dismiss(session, who.tenant_id, exception_id, actor=who.id)
    )


@router.post("/exceptions/{exception_id}/reopen", **_ONE)
def reopen(exception_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Something is to be done after all."""
    return _write(
        site, caller, asked, lambda session, who: exceptions.reopen(session, who.tenant_id, exception_id, actor=who.id)
    )


@router.get("/deliveries", responses={200: {"model": DeliveryPage}}, response_class=Response)
def deliveries(
    site: SiteDep, caller: CallerDep, status: DeliveryStatus | None = None, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """What systems told us, the newest first."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        page = inbox.listed(session, tenant_id, status=status, limit=limit, cursor=cursor)
        items = [DeliveryView.of(row) for row in page.items]
        return json_response(DeliveryPage(items=items, next_cursor=page.next_cursor))


@router.get("/deliveries/{delivery_id}", responses={200: {"model": DeliveryInFull}}, response_class=Response)
def delivery(delivery_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One delivery with what it said, secrets and card numbers masked."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(DeliveryInFull.of(inbox.get(session, tenant_id, delivery_id)))


@router.post("/deliveries/{delivery_id}/revive", responses={200: {"model": DeliveryView}}, response_class=Response)
def revive(delivery_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Work one that was given up once more."""
    who = caller.operations

    def work(session: Session) -> DeliveryView:
        return DeliveryView.of(queue.revive(session, who.tenant_id, delivery_id, actor=who.id))

    return answer_once(site.runtime, who, asked, work, status=200)


@router.get("/stock", responses={200: {"model": DriftPage}}, response_class=Response)
def drift(
    site: SiteDep,
    caller: CallerDep,
    drifting: Annotated[bool, Query(description="Only items that are not counted alike everywhere.")] = True,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """What each system said last of an item's stock, beside our own."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        page = stock.drift(session, tenant_id, drifting=drifting, limit=limit, cursor=cursor)
        return json_response(DriftPage(items=list(page.items), next_cursor=page.next_cursor))
