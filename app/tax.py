"""``/v1/tax``, ``/v1/shipping`` and ``/v1/restrictions``: what a sale must know before it, for the shop's people."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy.orm import Session

from app.once import AskedDep, answer_once, json_response
from app.routing import CallerDep, Guarded, SiteDep
from engine.catalog.shop_file import ShippingZoneRow
from engine.compliance.policy import CompliancePolicy, Rule
from engine.kit.identity import Identity
from engine.kit.policies import policy_of
from engine.kit.tenancy import Tenant
from engine.kit.views import View
from engine.shipping import service as shipping
from engine.shipping import zones
from engine.shipping.models import ShippingZone
from engine.tax import desk
from engine.tax import service as tax
from engine.tax.desk import ExemptionView, FilingView, RateView
from engine.tax.models import ExemptionKind, ExemptionStatus, FilingKind, FilingStatus, Level

router: Final = APIRouter(tags=["tax"], route_class=Guarded)
Cursor = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,300}$")]
Limit = Annotated[int, Query(ge=1, le=200)]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Region = Annotated[str, Field(pattern=r"^[A-Z0-9]{0,3}$")]
Name = Annotated[str, Field(min_length=1, max_length=120)]
Ppm = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Minor = Annotated[int, Field(strict=True, ge=0, le=100_000_000)]
Code = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Category = Annotated[str, Field(pattern=r"^[a-z_]{1,20}$")]
Prefix = Annotated[str, Field(pattern=r"^[A-Za-z0-9 -]{1,12}$")]


class Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Threshold(Given):
    amounts: Annotated[dict[Code, Minor], Field(min_length=1)]
    taxes: Literal["all", "excess"] = "all"


class RateIn(Given):
    country: Country
    region: Region = ""
    level: Level
    city: Annotated[str, Field(max_length=80)] = ""
    postal_prefixes: Annotated[list[Prefix], Field(max_length=500)] = []
    name: Name
    rate_ppm: Ppm
    category_ppm: dict[Category, Ppm] = {}
    thresholds: dict[Category, Threshold] = {}
    taxes_shipping: bool = False
    shipping_as_goods: bool = False
    replaces_wider: bool = False
    valid_from: date
    valid_to: date | None = None

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> RateIn:
        if self.valid_to and self.valid_to < self.valid_from:
            raise ValueError("a rate cannot end before it starts")
        return self

    def row(self) -> dict[str, Any]:
        limits = {category: one.amounts | {"taxes": one.taxes} for category, one in self.thresholds.items()}
        return self.model_dump() | {"thresholds": limits}


class RatesIn(Given):
    rates: Annotated[list[RateIn], Field(min_length=1, max_length=500)]


class LastDay(Given):
    last_day: date


class ExemptionIn(Given):
    customer_id: Annotated[str, Field(min_length=1, max_length=40)]
    kind: ExemptionKind
    country: Country
    region: Region = ""
    certificate: Annotated[str, Field(min_length=1, max_length=80)]
    valid_from: date
    valid_to: date | None = None


class Decision(Given):
    status: Literal[ExemptionStatus.VERIFIED, ExemptionStatus.REJECTED, ExemptionStatus.REVOKED]
    note: Annotated[str, Field(max_length=400)] = ""


class QuoteItem(Given):
    category: Category = "standard"
    unit_price: Minor
    quantity: Annotated[int, Field(strict=True, ge=1, le=1_000)] = 1
    discount: Minor = 0

    @model_validator(mode="after")
    def _is_not_less_than_nothing(self) -> QuoteItem:
        if self.discount > self.unit_price * self.quantity:
            raise ValueError("a discount cannot be more than the price")
        return self


class QuoteIn(Given):
    country: Country
    state: Region = ""
    city: Annotated[str, Field(max_length=80)] = ""
    postal_code: Annotated[str, Field(max_length=20)] = ""
    currency: Code | None = None
    customer_id: Annotated[str | None, Field(max_length=40)] = None
    on: date | None = None
    shipping: Minor = 0
    items: Annotated[list[QuoteItem], Field(min_length=1, max_length=100)]


class RatePage(View):
    items: list[RateView]
    next_cursor: str | None


class RatesOut(View):
    items: list[RateView]


class ExemptionPage(View):
    items: list[ExemptionView]
    next_cursor: str | None


class FilingPage(View):
    items: list[FilingView]
    next_cursor: str | None


class LineTax(View):
    unit_price: int
    """What a unit would be sold for."""
    tax: int
    taxes: list[dict[str, Any]]


class TaxQuote(View):
    """Minor units of ``currency``. ``total`` is what would be paid."""

    currency: str
    name: str
    included: bool
    lines: list[LineTax]
    shipping_tax: int
    tax: int
    total: int
    taxes: list[dict[str, Any]]
    notice: str


class ZoneView(View):
    id: str
    name: str
    countries: list[str]
    regions: list[str]
    rates: list[dict[str, Any]]


class Zones(View):
    items: list[ZoneView]


class Restrictions(View):
    rules: list[Rule]
    embargoed: list[str]
    max_per_order: dict[str, int]


@router.get("/v1/tax/rates", responses={200: {"model": RatePage}}, response_class=Response)
def rates(
    site: SiteDep,
    caller: CallerDep,
    country: Annotated[str | None, Query(pattern=r"^[A-Z]{2}$")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """What each jurisdiction asks for, with the days it holds."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        page = desk.rates(session, tenant_id, country=country, limit=limit, cursor=cursor)
        return json_response(RatePage(items=list(page.items), next_cursor=page.next_cursor))


@router.put("/v1/staff/tax/rates", responses={200: {"model": RatesOut}}, response_class=Response)
def set_rates(site: SiteDep, caller: CallerDep, asked: AskedDep, given: RatesIn) -> Response:
    """Write rates down, all or none; one of the same place, name and first day is set anew."""
    identity, rows = caller.staff, [one.row() for one in given.rates]
    return answer_once(
        site.runtime,
        identity,
        asked,
        lambda session: RatesOut(items=desk.set_rates(session, identity, rows)),
        status=200,
    )


@router.post("/v1/staff/tax/rates/{tax_rate_id}/end", responses={200: {"model": RateView}}, response_class=Response)
def end_rate(tax_rate_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: LastDay) -> Response:
    """A rate holds until the end of a day."""
    identity = caller.staff
    return answer_once(
        site.runtime,
        identity,
        asked,
        lambda session: desk.end_rate(session, identity, tax_rate_id, given.last_day),
        status=200,
    )


@router.get("/v1/tax/exemptions", responses={200: {"model": ExemptionPage}}, response_class=Response)
def exemptions(
    site: SiteDep,
    caller: CallerDep,
    customer: Annotated[str | None, Query(max_length=40)] = None,
    status: ExemptionStatus | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Certificates of customers, oldest first."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        page = desk.exemptions(session, tenant_id, customer_id=customer, status=status, limit=limit, cursor=cursor)
        return json_response(ExemptionPage(items=list(page.items), next_cursor=page.next_cursor))


@router.post("/v1/staff/tax/exemptions", responses={201: {"model": ExemptionView}}, response_class=Response)
def add_exemption(site: SiteDep, caller: CallerDep, asked: AskedDep, given: ExemptionIn) -> Response:
    """Write a certificate down; it frees nobody before it is verified."""
    identity = caller.staff
    return answer_once(
        site.runtime,
        identity,
        asked,
        lambda session: desk.add_exemption(session, identity, given.model_dump()),
        status=201,
    )


@router.post(
    "/v1/staff/tax/exemptions/{tax_exemption_id}/decide",
    responses={200: {"model": ExemptionView}},
    response_class=Response,
)
def decide(tax_exemption_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: Decision) -> Response:
    """Verify, reject or revoke a certificate."""
    identity = caller.staff
    return answer_once(
        site.runtime,
        identity,
        asked,
        lambda session: desk.decide(session, identity, tax_exemption_id, status=given.status, note=given.note),
        status=200,
    )


@router.get("/v1/staff/tax/filings", responses={200: {"model": FilingPage}}, response_class=Response)
def filings(
    site: SiteDep,
    caller: CallerDep,
    status: FilingStatus | None = None,
    kind: FilingKind | None = None,
    order_id: Annotated[str | None, Query(max_length=40)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """What the tax engine that worked sales out was told of them, and what it still has to be told; oldest first."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        page = desk.filings(session, tenant_id, status=status, kind=kind, order_id=order_id, limit=limit, cursor=cursor)
        return json_response(FilingPage(items=list(page.items), next_cursor=page.next_cursor))


@router.get("/v1/staff/tax/filings/{tax_filing_id}", responses={200: {"model": FilingView}}, response_class=Response)
def filing(tax_filing_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One of them."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(desk.filing(session, tenant_id, tax_filing_id))


@router.post("/v1/tax/quote", responses={200: {"model": TaxQuote}}, response_class=Response)
def quote(site: SiteDep, caller: CallerDep, asked: AskedDep, given: QuoteIn) -> Response:
    """What the tax of a sale would be, today or on a day. Writes nothing."""
    identity = caller.staff
    return answer_once(site.runtime, identity, asked, lambda session: _preview(session, identity, given), status=200)


@router.get("/v1/shipping/zones", responses={200: {"model": Zones}}, response_class=Response)
def shipping_zones(site: SiteDep, caller: CallerDep) -> Response:
    """Where the shop ships, how, and for how much."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(Zones(items=[_zone(row) for row in shipping.zones(session, tenant_id)]))


@router.post("/v1/staff/shipping/zones", responses={201: {"model": ZoneView}}, response_class=Response)
def add_zone(site: SiteDep, caller: CallerDep, asked: AskedDep, given: ShippingZoneRow) -> Response:
    """Ship somewhere else too; the zone is the last in the shop's order."""
    identity = caller.staff
    return answer_once(
        site.runtime, identity, asked, lambda session: _zone(zones.add(session, identity, _kept(given))), status=201
    )


@router.put("/v1/staff/shipping/zones/{zone_id}", responses={200: {"model": ZoneView}}, response_class=Response)
def set_zone(zone_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: ShippingZoneRow) -> Response:
    """A zone as it is to be from now on: places and every way to ship there."""
    identity = caller.staff
    return answer_once(
        site.runtime,
        identity,
        asked,
        lambda session: _zone(zones.change(session, identity, zone_id, _kept(given))),
        status=200,
    )


@router.get("/v1/restrictions", responses={200: {"model": Restrictions}}, response_class=Response)
def restrictions(site: SiteDep, caller: CallerDep) -> Response:
    """The rules in force: the usual ones, and the shop's own. They are changed as policy ``compliance``."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        policy = policy_of(session, tenant_id, CompliancePolicy)
    return json_response(
        Restrictions(
            rules=list(policy.in_force()), embargoed=list(policy.embargoed), max_per_order=dict(policy.max_per_order)
        )
    )


def _kept(given: ShippingZoneRow) -> dict[str, Any]:
    return given.model_dump(mode="json")


def _zone(row: ShippingZone) -> ZoneView:
    return ZoneView(**{name: getattr(row, name) for name in ZoneView.model_fields})


def _preview(session: Session, identity: Identity, given: QuoteIn) -> TaxQuote:
    home = session.get_one(Tenant, identity.tenant_id).currency
    found = tax.rules_at(
        session,
        identity.tenant_id,
        given.model_dump(include={"country", "state", "city", "postal_code"}),
        currency=given.currency or home,
        customer_id=given.customer_id,
        on=given.on,
    )
    prices = [found.unit_price(one.category, one.unit_price) for one in given.items]
    items = [
        tax.Item(one.category, max(0, price * one.quantity - one.discount), one.quantity)
        for one, price in zip(given.items, prices, strict=True)
    ]
    bill = found.bill(items, shipping=given.shipping)
    net = sum(item.amount for item in items) + given.shipping
    return TaxQuote(
        currency=found.currency,
        name=found.name,
        included=found.included,
        lines=[
            LineTax(unit_price=price, tax=one.amount, taxes=[part.told() for part in one.parts])
            for price, one in zip(prices, bill.items, strict=True)
        ],
        shipping_tax=bill.shipping.amount,
        tax=bill.total,
        total=net + (0 if found.included else bill.total),
        taxes=bill.by_jurisdiction(),
        notice=found.notice,
    )
