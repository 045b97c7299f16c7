"""``/v1/payments``, ``/v1/refunds``, ``/v1/disputes``, ``/v1/alerts``: money after the sale, for the shop's people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.orm import Session

from app.approvals import ANSWERS, shown, status_of
from app.identity import Caller
from app.once import AskedDep, answer_once, json_response
from app.routing import CallerDep, Guarded, SiteDep
from engine.approvals.asking import perform
from engine.approvals.gift_cards import mailed_to
from engine.approvals.models import ApprovalKind
from engine.approvals.schemas import PerformedView
from engine.kit import clock
from engine.kit.errors import DomainError, Forbidden, InvalidInput
from engine.kit.identity import Scope
from engine.kit.money import is_currency
from engine.kit.views import View
from engine.payments import disputes, inbox, queries
from engine.payments.models import Alert
from engine.payments.schemas import AlertView, DisputeView, PaymentView, RefundView, StoredValueView
from engine.payments.stored_value_models import StoredValueAccount
from engine.runtime import Runtime

router: Final = APIRouter(prefix="/v1", tags=["payments"], route_class=Guarded)
log = structlog.get_logger(__name__)
Word = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_:-]{1,80}$")]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,300}$")]
Part = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]


class PaymentPage(View):
    items: list[PaymentView]
    next_cursor: str | None


class RefundPage(View):
    items: list[RefundView]
    next_cursor: str | None


class DisputePage(View):
    items: list[DisputeView]
    next_cursor: str | None


class AlertPage(View):
    items: list[AlertView]
    next_cursor: str | None


class EvidenceIn(BaseModel):
    """Our side of a dispute: parts by name, such as ``uncategorized_text`` or ``shipping_tracking_number``."""

    model_config = ConfigDict(extra="forbid")

    evidence: Annotated[dict[Part, Text], Field(min_length=1, max_length=30)]


class GiftCardIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    amount: Annotated[int, Field(strict=True, gt=0, le=1_000_000)]
    """Minor units."""
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] | None = None
    expires_at: AwareDatetime | None = None
    mail_to: Annotated[str, StringConstraints(pattern=r"^[^@\s]{1,64}@[^@\s]{1,189}$")] | None = None
    """Whom its code is mailed to."""
    note: Annotated[str, Field(max_length=1_000)] = ""
    """Why, for whoever may have to approve it."""


class GiftCardOut(StoredValueView):
    """``code`` is told once; a repeat of the request has none."""

    code: str | None


@router.get("/payments", responses={200: {"model": PaymentPage}}, response_class=Response)
def payments(
    site: SiteDep,
    caller: CallerDep,
    status: Word = None,
    order_id: Word = None,
    gateway: Word = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """Payments with what was captured, refunded and disputed of each, newest first."""
    identity = caller.staff
    filters = {"status": status, "order_id": order_id, "gateway": gateway}
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        page = queries.payments(session, identity, filters=filters, limit=limit, cursor=cursor)
        return json_response(PaymentPage(items=list(page.items), next_cursor=page.next_cursor))


@router.get("/payments/{payment_id}", responses={200: {"model": PaymentView}}, response_class=Response)
def payment(payment_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One payment."""
    identity = caller.staff
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return json_response(queries.payment(session, identity, payment_id))


@router.get("/refunds", responses={200: {"model": RefundPage}}, response_class=Response)
def refunds(
    site: SiteDep,
    caller: CallerDep,
    status: Word = None,
    order_id: Word = None,
    payment_id: Word = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """Refunds, newest first."""
    identity = caller.staff
    filters = {"status": status, "order_id": order_id, "payment_id": payment_id}
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        page = queries.refunds(session, identity, filters=filters, limit=limit, cursor=cursor)
        return json_response(RefundPage(items=list(page.items), next_cursor=page.next_cursor))


@router.get("/disputes", responses={200: {"model": DisputePage}}, response_class=Response)
def dispute_list(
    site: SiteDep,
    caller: CallerDep,
    status: Word = None,
    order_id: Word = None,
    payment_id: Word = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """Chargebacks, newest first."""
    identity = caller.staff
    filters = {"status": status, "order_id": order_id, "payment_id": payment_id}
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        page = queries.disputes(session, identity, filters=filters, limit=limit, cursor=cursor)
        return json_response(DisputePage(items=list(page.items), next_cursor=page.next_cursor))


@router.get("/alerts", responses={200: {"model": AlertPage}}, response_class=Response)
def alerts(
    site: SiteDep,
    caller: CallerDep,
    kind: Word = None,
    subject: Word = None,
    is_open: Annotated[bool | None, Query(alias="open")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """The inbox: where money, goods and records may differ, newest first."""
    identity = caller.staff
    filters = {"kind": kind, "subject": subject}
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        page = queries.alerts(session, identity, filters=filters, open_only=is_open, limit=limit, cursor=cursor)
        return json_response(AlertPage(items=list(page.items), next_cursor=page.next_cursor))


@router.post("/staff/alerts/{alert_id}/act", responses={200: {"model": AlertView}}, response_class=Response)
def act(alert_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Do the item's one safe action. The answer is the item once that was begun; what asks a gateway comes after."""
    identity = caller.staff
    begun: list[Callable[[Runtime], object]] = []

    def work(session: Session) -> AlertView:
        begun.append(inbox.begin(session, identity, alert_id))
        session.flush()
        return AlertView.of(session.get_one(Alert, (identity.tenant_id, alert_id)))

    answer = answer_once(site.runtime, identity, asked, work, status=200)
    for follow_up in begun:
        _follow_up(site.runtime, follow_up)
    return answer


@router.post("/staff/disputes/{dispute_id}/evidence", responses={200: {"model": DisputeView}}, response_class=Response)
def evidence(dispute_id: str, given: EvidenceIn, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Write our side of a dispute and send it, once. What the gateway does not take waits in the inbox."""
    identity = caller.staff
    written: list[DisputeView] = []

    def work(session: Session) -> DisputeView:
        row = disputes.write_evidence(
            session, identity.tenant_id, dispute_id=dispute_id, evidence=given.evidence, actor=identity.id
        )
        written.append(DisputeView.of(row))
        return written[0]

    answer = answer_once(site.runtime, identity, asked, work, status=200)
    if written:
        _follow_up(site.runtime, lambda runtime: disputes.send_evidence(runtime, identity.tenant_id, dispute_id))
    return answer


@router.post("/staff/gift-cards", responses={201: {"model": GiftCardOut}, 202: ANSWERS[202]}, response_class=Response)
def issue_gift_card(given: GiftCardIn, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """A gift card given away (its cost is a promotion). Needs a key with the scope admin; above what one person may
    give away it waits for somebody else's yes (202), and its code goes out by mail alone.
    """
    identity = caller.staff
    if Scope.ADMIN not in identity.scopes:
        raise Forbidden("Giving a gift card needs a key with the scope admin.")
    _require_future(given.expires_at)
    told: list[GiftCardOut] = []
    args: dict[str, Any] = {"amount": given.amount, "currency": _currency(given, caller)}
    args["expires_at"] = given.expires_at.isoformat() if given.expires_at else None
    if given.mail_to:
        args |= mailed_to(site.runtime.secret_key, identity.tenant_id, given.mail_to)

    def work(session: Session) -> GiftCardOut | PerformedView:
        done = perform(session, site.runtime, identity, ApprovalKind.GIFT_CARD, args, reason=given.note)
        if done.outcome is None:
            if given.mail_to is None:
                raise InvalidInput(
                    "Somebody else must approve this one: say whom its code is mailed to.", param="mail_to"
                )
            return shown(done)
        account = session.get_one(StoredValueAccount, (identity.tenant_id, done.outcome["account_id"]))
        view = GiftCardOut(**StoredValueView.of(account).model_dump(), code=None)
        told.append(view.model_copy(update={"code": done.outcome["code"]}))
        return view

    kept = answer_once(site.runtime, identity, asked, work, status=_given_status)
    return json_response(told[0], 201) if told else kept


def _currency(given: GiftCardIn, caller: Caller) -> str:
    """Raises ``InvalidInput`` for one that ISO 4217 does not know."""
    currency = given.currency or caller.merchant.currency
    if not is_currency(currency):
        raise InvalidInput(f"{currency} is not a currency.", param="currency")
    return currency


def _given_status(view: BaseModel) -> int:
    return 201 if isinstance(view, GiftCardOut) else status_of(view)


def _require_future(moment: datetime | None) -> None:
    if moment is not None and moment <= clock.now():
        raise InvalidInput("A gift card expires later than now.", param="expires_at")


def _follow_up(runtime: Runtime, step: Callable[[Runtime], object]) -> None:
    """What is done after the answer was kept; what is refused here shows in the inbox, not in the answer."""
    try:
        step(runtime)
    except DomainError as error:
        log.warning("a step after the answer was refused", code=error.code)
