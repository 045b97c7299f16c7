"""Approvals as somebody decides about them: what, how much, who asked, above which limit, and whether they may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.approvals import people
from engine.approvals.models import Approval, ApprovalKind, ApprovalStatus
from engine.approvals.policy import ApprovalsPolicy
from engine.approvals.schemas import ApprovalView
from engine.approvals.service import find
from engine.inventory.policy import InventoryPolicy
from engine.kit.caps import cap
from engine.kit.errors import DomainError
from engine.kit.identity import Identity
from engine.kit.pagination import Page, decode_cursor, encode_cursor
from engine.kit.people import who_are
from engine.kit.policies import Policy, policy_of
from engine.kit.views import Price
from engine.orders.models import Order
from engine.orders.policy import OrdersPolicy
from engine.panel.names import names
from engine.panel.rows import buyer_name, numbers_of
from engine.panel.schemas import ApprovalFacts, Fact
from engine.payments.policy import PaymentsPolicy

State = Literal["waiting", "decided"]
_OPEN: Final = (ApprovalStatus.PENDING, ApprovalStatus.CLAIMED)
_POLICIES: Final[Mapping[str, type[Policy]]] = {
    "approvals": ApprovalsPolicy,
    "payments": PaymentsPolicy,
    "orders": OrdersPolicy,
    "inventory": InventoryPolicy,
}
_TITLES: Final[Mapping[str, str]] = {
    ApprovalKind.REFUND: "Refund",
    ApprovalKind.GOODWILL: "Store credit",
    ApprovalKind.GIFT_CARD: "Gift card",
    ApprovalKind.DISCOUNT: "Courtesy code",
    ApprovalKind.WRITE_OFF: "Write units off",
    ApprovalKind.STOCK_ADJUSTMENT: "Write units on",
    ApprovalKind.ORDER_CHANGE: "Change of an order",
    ApprovalKind.RETURN_REFUND: "Refund of a return",
    ApprovalKind.WARRANTY: "Warranty claim",
    ApprovalKind.SET_APART: "Returned goods set apart",
    ApprovalKind.PROMOTION: "Promotion",
    ApprovalKind.REPLACEMENT: "Replacement",
}
_TOLD: Final[Mapping[str, str]] = {
    "reason": "Told to the shopper",
    "destination": "Goes to",
    "percent_off": "Percent off",
    "valid_days": "Good for days",
    "delta": "Units",
    "outcome": "Becomes",
    "message": "Told to the shopper",
}
_WORDS: Final = {"original": "The way it was paid", "store_credit": "Store credit"}


def listed(
    session: Session, identity: Identity, *, state: State, limit: int, cursor: str | None
) -> Page[ApprovalFacts]:
    """Waiting: what runs out first before. Decided: newest first. Raises ``InvalidInput``."""
    query = select(Approval).where(Approval.tenant_id == identity.tenant_id)
    waiting = state == "waiting"
    query = query.where(Approval.status.in_(_OPEN) if waiting else Approval.status.not_in(_OPEN))
    after = str(decode_cursor(cursor, size=1)[0]) if cursor else None
    if after is not None:
        query = query.where(Approval.id > after if waiting else Approval.id < after)
    rows = session.scalars(query.order_by(Approval.id if waiting else Approval.id.desc()).limit(limit + 1)).all()
    more = encode_cursor([rows[limit - 1].id]) if len(rows) > limit else None
    return Page(described(session, identity, rows[:limit]), more)


def one(session: Session, identity: Identity, approval_id: str) -> ApprovalFacts:
    """Raises ``NotFound``."""
    return described(session, identity, [find(session, identity.tenant_id, approval_id)])[0]


def waiting(session: Session, tenant_id: str) -> int:
    """How many wait."""
    query = select(func.count()).where(Approval.tenant_id == tenant_id, Approval.status == ApprovalStatus.PENDING)
    return session.scalar(query) or 0


def described(session: Session, identity: Identity, rows: Sequence[Approval]) -> list[ApprovalFacts]:
    """In a few statements, however many there are."""
    tenant_id = identity.tenant_id
    ids = [str(row.args.get("order_id") or row.subject_id) for row in rows]
    orders = numbers_of(session, tenant_id, ids)
    actors = [row.requested_by for row in rows] + [row.decided_by for row in rows if row.decided_by]
    called = names(session, tenant_id, actors)
    who = who_are(session, tenant_id, [row.requested_by for row in rows])
    policies = {section: policy_of(session, tenant_id, kind) for section, kind in _POLICIES.items()}
    return [
        _facts(identity, row, orders.get(order_id), called, who[row.requested_by], policies)
        for row, order_id in zip(rows, ids, strict=True)
    ]


def _facts(
    identity: Identity,
    row: Approval,
    order: Order | None,
    called: Mapping[str, str],
    asker: str,
    policies: Mapping[str, Policy],
) -> ApprovalFacts:
    why_not = _why_not(identity, row, policies["approvals"], asker)
    limit, words = _limit(row, policies)
    return ApprovalFacts(
        approval=ApprovalView.of(row),
        title=_TITLES[row.kind],
        asked_by=called[row.requested_by],
        order_id=order.id if order else None,
        order_number=order.number if order else None,
        buyer=buyer_name(order) if order else "",
        limit=limit,
        limit_words=words,
        facts=_told(row),
        may_decide=not why_not,
        why_not=why_not,
        decided_by=called[row.decided_by] if row.decided_by else "",
    )


def _why_not(identity: Identity, row: Approval, policy: Policy, asker: str) -> str:
    if row.status != ApprovalStatus.PENDING:
        return "It is decided." if row.status != ApprovalStatus.CLAIMED else "It is being carried out."
    assert isinstance(policy, ApprovalsPolicy)
    try:
        people.check_known(identity, row, policy, asker)
    except DomainError as refused:
        return refused.message
    return ""


def _limit(row: Approval, policies: Mapping[str, Policy]) -> tuple[Price | None, str]:
    """As the shop's rule stands now."""
    section, _, name = row.rule.rpartition(".")
    words = name.replace("_", " ") if row.rule != "asked" else "Asked for by an assistant"
    rooms = [policies.get(section)] if section else policies.values()
    found: Any = next((limit for room in rooms if (limit := getattr(room, name, None)) is not None), None)
    if not isinstance(found, Mapping):
        return None, words
    limit = cap(dict(found), row.currency)
    return (None if limit is None else Price(amount=limit, currency=row.currency)), words


def _told(row: Approval) -> list[Fact]:
    args: dict[str, Any] = dict(row.args)
    wanted = args.pop("wanted", None)
    if isinstance(wanted, Mapping):
        args |= {"reason": wanted.get("reason", ""), "destination": wanted.get("refund_to", "")}
    return [
        Fact(label=label, value=_WORDS.get(str(args[name]), str(args[name]).replace("_", " ")))
        for name, label in _TOLD.items()
        if isinstance(args.get(name), str | int) and args[name]
    ]
