"""``/v1/staff/digital``: licence codes a merchant brings, and what buyers were given of what has no parcel."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from app.once import AskedDep, answer_once
from app.routing import CallerDep, Guarded, SiteDep
from engine.digital import access, codes
from engine.digital.codes import LONGEST, MOST, Pool
from engine.kit.views import View

router: Final = APIRouter(prefix="/v1/staff/digital", tags=["digital"], route_class=Guarded)


Code = Annotated[str, Field(min_length=1, max_length=LONGEST)]


class PoolView(View):
    variant_id: str
    sku: str
    free: int
    """Codes that can be sold, or are sold and about to be given out."""
    claimed: int
    revoked: int

    @classmethod
    def of(cls, pool: Pool) -> PoolView:
        return cls(variant_id=pool.variant_id, sku=pool.sku, free=pool.free, claimed=pool.claimed, revoked=pool.revoked)


class AddedView(PoolView):
    added: int
    known: int
    """Codes that were there before, or were named twice."""


class Brought(BaseModel):
    """Codes as their publisher made them. They are kept sealed, and shown to nobody but who buys one."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    codes: Annotated[list[Code], Field(min_length=1, max_length=MOST)]

    def __repr__(self) -> str:
        return f"Brought({len(self.codes)})"

    __str__ = __repr__


class Withdrawn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    units: Annotated[int, Field(strict=True, ge=1, le=MOST)]


class Revoked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=300)]


class DeliveryView(View):
    id: str
    order_id: str
    order_line_id: str
    quantity: int
    expires_at: datetime | None
    revoked_at: datetime | None


_MADE: Final[dict[int | str, dict[str, Any]]] = {201: {"model": AddedView}}
_POOL: Final[dict[int | str, dict[str, Any]]] = {200: {"model": PoolView}}
_GONE: Final[dict[int | str, dict[str, Any]]] = {200: {"model": DeliveryView}}


@router.get("/pools/{variant_id}")
def pool(variant_id: str, site: SiteDep, caller: CallerDep) -> PoolView:
    """How many codes of a variant there are."""
    identity = caller.staff
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return PoolView.of(codes.pool(session, identity.tenant_id, variant_id))


@router.post("/pools/{variant_id}/codes", responses=_MADE, response_class=Response)
def bring(variant_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: Brought) -> Response:
    """Bring codes: each unit sold takes one. One that is there already is left alone."""
    identity, runtime = caller.staff, site.runtime

    def work(session: Any) -> AddedView:
        done = codes.add(session, runtime.secret_key, identity, variant_id, given.codes)
        return AddedView(**PoolView.of(done.pool).model_dump(), added=done.added, known=done.known)

    return answer_once(runtime, identity, asked, work, status=201)


@router.post("/pools/{variant_id}/withdrawals", responses=_POOL, response_class=Response)
def withdraw(variant_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: Withdrawn) -> Response:
    """Take free codes out for good, the newest first."""
    identity = caller.staff
    return answer_once(
        site.runtime,
        identity,
        asked,
        lambda session: PoolView.of(codes.withdraw(session, identity, variant_id, given.units)),
        status=200,
    )


@router.get("/access/{access_key}")
def granted(access_key: str, site: SiteDep, caller: CallerDep) -> access.Granted:
    """What the `{access}` of an address opens: for the merchant's own download server to ask."""
    identity = caller.staff
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return access.granted(session, site.runtime.secret_key, identity.tenant_id, access_key)


@router.post("/deliveries/{delivery_id}/revoke", responses=_GONE, response_class=Response)
def revoke(delivery_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: Revoked) -> Response:
    """What was given is not good any more. Money is another matter: give it back as any other."""
    identity = caller.staff

    def work(session: Any) -> DeliveryView:
        row = access.revoke(session, identity, delivery_id, reason=given.reason)
        return DeliveryView(**{name: getattr(row, name) for name in DeliveryView.model_fields})

    return answer_once(site.runtime, identity, asked, work, status=200)
