"""Promotions as a merchant keeps them: made, changed, ended, listed. Every change is in the audit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from sqlalchemy import ColumnElement, case, func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from engine.carts import giving
from engine.carts.errors import CodeTaken, PromotionOver, TooManyAutomatic
from engine.carts.models import Discount, DiscountKind, Stacking
from engine.carts.promotions import MOST_AUTOMATIC, Minor, Rules
from engine.catalog.changes import staff_only
from engine.catalog.models import Product
from engine.catalog.problems import first_problem
from engine.catalog.shop_money import Currency
from engine.kit import audit, clock
from engine.kit.errors import Conflict, InvalidInput, NotFound
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.kit.pagination import Page, decode_cursor, encode_cursor
from engine.kit.views import View

Code = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9-]{2,19}$")]
Count = Annotated[int, Field(strict=True, ge=1, le=10_000_000)]
_FOLDED: Final = frozenset({"amounts", "rules"})


class PromotionStatus(StrEnum):
    SCHEDULED = "scheduled"
    ACTIVE = "active"
    USED_UP = "used_up"
    ENDED = "ended"


class Amounts(BaseModel):
    """A promotion's terms in a currency that is not the shop's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    amount_off: Minor | None = None
    minimum: Minor = 0
    shipping_up_to: Minor | None = None


class Promotion(BaseModel):
    """All that a merchant says of one. Without ``code`` it is automatic. Money is minor units of the home currency."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: Code | None = None
    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
    kind: DiscountKind = DiscountKind.OFF
    percent_off: Annotated[int, Field(strict=True, ge=1, le=100)] | None = None
    amount_off: Annotated[int, Field(strict=True, ge=1, le=100_000_000)] | None = None
    minimum: Minor = 0
    amounts: dict[Currency, Amounts] = Field(default_factory=dict)
    category: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    rules: Rules = Rules()
    priority: Annotated[int, Field(strict=True, ge=-1000, le=1000)] = 0
    stacking: Stacking = Stacking.COMBINABLE
    first_order_only: bool = False
    per_customer_limit: Count | None = None
    usage_limit: Count | None = None
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        plain = (self.percent_off is not None) + (self.amount_off is not None)
        if plain != (self.kind == DiscountKind.OFF):
            raise ValueError("percent_off or amount_off, one of them, goes with kind off alone")
        if (self.kind == DiscountKind.BUY_GET) != bool(self.rules.buy and self.rules.get):
            raise ValueError("rules.buy and rules.get go with kind buy_get alone")
        if self.rules.shipping_up_to is not None and self.kind != DiscountKind.FREE_SHIPPING:
            raise ValueError("rules.shipping_up_to goes with kind free_shipping alone")
        if any((one.amount_off is None) != (self.amount_off is None) for one in self.amounts.values()):
            raise ValueError("amounts say amount_off where the promotion itself does")
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValueError("a promotion ends after it starts")
        return self


class PromotionView(View):
    id: str
    code: str | None
    automatic: bool
    title: str
    kind: DiscountKind
    percent_off: int | None
    amount_off: int | None
    minimum: int
    amounts: dict[str, Any]
    category: str | None
    rules: Rules
    priority: int
    stacking: Stacking
    first_order_only: bool
    per_customer_limit: int | None
    usage_limit: int | None
    used: int
    status: PromotionStatus
    starts_at: datetime | None
    ends_at: datetime | None
    version: int


def create(session: Session, identity: Identity, wanted: Promotion, *, approved: str | None = None) -> PromotionView:
    """A new promotion, in force at once or from its time; ``approved`` names the approval it rests on, if it gives away
    more than one person may.

    Raises ``Forbidden``, ``OverLimit``, ``CodeTaken``, ``TooManyAutomatic``, ``InvalidInput`` for products that are not
    the shop's.
    """
    staff_only(identity)
    tenant_id = identity.tenant_id
    _check(session, tenant_id, wanted)
    giving.check(session, tenant_id, wanted, None, actor=identity.id, approved=approved)
    row = Discount(tenant_id=tenant_id, id=new_id("discount"), used=0, **_columns(wanted))
    session.add(row)
    _write(session, wanted)
    giving.record(session, tenant_id, wanted, None, subject=row.id, actor=identity.id, approved=approved)
    _note(session, identity, "discount.created", row, _said(wanted) | {"approved": approved})
    return _view(row)


def change(
    session: Session,
    identity: Identity,
    discount_id: str,
    changes: dict[str, Any],
    *,
    version: int | None = None,
    approved: str | None = None,
) -> PromotionView:
    """Change what ``changes`` names; prices that were agreed to under the old terms are asked for anew.

    Raises ``Forbidden``, ``NotFound``, ``Conflict`` for another ``version``, ``PromotionOver``, ``InvalidInput``; and
    what ``create`` raises.
    """
    staff_only(identity)
    giving.begin(session, identity.tenant_id, approved=approved)
    row = _locked(session, identity.tenant_id, discount_id)
    if version is not None and version != row.version:
        raise Conflict(f"The promotion is at version {row.version} by now.")
    if row.ends_at is not None and row.ends_at <= clock.now():
        raise PromotionOver("That promotion has ended: make a new one.")
    before = wanted_of(row)
    wanted = changed(before, changes)
    if wanted.usage_limit is not None and wanted.usage_limit < row.used:
        raise InvalidInput(f"It was used {row.used} times already.", param="usage_limit")
    if row.used and (wanted.per_customer_limit or 10**9) < (before.per_customer_limit or 10**9):
        words = "Some may have used it more often already: end it and make a new one."
        raise InvalidInput(words, param="per_customer_limit")
    _check(session, identity.tenant_id, wanted, but=row.id)
    giving.check(session, row.tenant_id, wanted, before, actor=identity.id, approved=approved)
    for name, value in _columns(wanted).items():
        setattr(row, name, value)
    row.updated_at = clock.now()
    _write(session, wanted)
    subject = f"{row.id}.{row.version}"
    giving.record(session, row.tenant_id, wanted, before, subject=subject, actor=identity.id, approved=approved)
    said = {name: _said(wanted)[name] for name in sorted(changes)} | {"approved": approved}
    _note(session, identity, "discount.changed", row, said)
    return _view(row)


def end(session: Session, identity: Identity, discount_id: str) -> PromotionView:
    """It is over from now on. Raises ``Forbidden``, ``NotFound``, ``PromotionOver``."""
    staff_only(identity)
    row = _locked(session, identity.tenant_id, discount_id)
    now = clock.now()
    if row.ends_at is not None and row.ends_at <= now:
        raise PromotionOver("That promotion is over already.")
    row.ends_at = row.updated_at = now
    if row.starts_at is not None and row.starts_at >= now:
        row.starts_at = None
    session.flush()
    _note(session, identity, "discount.ended", row, {"used": row.used})
    return _view(row)


def one(session: Session, tenant_id: str, discount_id: str) -> PromotionView:
    """Raises ``NotFound``."""
    row = session.get(Discount, (tenant_id, discount_id))
    if row is None:
        raise NotFound("There is no such promotion.")
    return _view(row)


def listed(
    session: Session,
    tenant_id: str,
    *,
    status: PromotionStatus | None = None,
    automatic: bool | None = None,
    code: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[PromotionView]:
    """Oldest first, a page at a time. Raises ``InvalidInput`` for a cursor that is not ours."""
    wanted: list[ColumnElement[bool]] = [Discount.tenant_id == tenant_id]
    if status:
        wanted.append(_status() == status.value)
    if automatic is not None:
        wanted.append(Discount.code.is_(None) if automatic else Discount.code.is_not(None))
    if code:
        wanted.append(Discount.code == code.upper())
    if cursor:
        wanted.append(Discount.id > str(decode_cursor(cursor, size=1)[0]))
    rows = session.scalars(select(Discount).where(*wanted).order_by(Discount.id).limit(limit + 1)).all()
    shown = rows[:limit]
    return Page([_view(row) for row in shown], encode_cursor([shown[-1].id]) if len(rows) > limit else None)


def wanted_of(row: Discount) -> Promotion:
    """A promotion as its merchant says it."""
    same = {name: getattr(row, name) for name in Promotion.model_fields if name not in _FOLDED}
    same |= {"kind": DiscountKind(row.kind), "stacking": Stacking(row.stacking)}
    rules = Rules.model_validate(row.rules or {})
    return Promotion.model_construct(**same, amounts=_amounts(row), rules=rules)


def changed(before: Promotion, changes: dict[str, Any]) -> Promotion:
    """A promotion with what is named of it said anew. Raises ``InvalidInput``."""
    try:
        return Promotion.model_validate(before.model_dump() | changes)
    except ValidationError as error:
        raise first_problem(error) from None


def _amounts(row: Discount) -> dict[str, Amounts]:
    return {code: Amounts.model_validate(one) for code, one in (row.amounts or {}).items()}


def _check(session: Session, tenant_id: str, wanted: Promotion, *, but: str | None = None) -> None:
    named = sorted({*wanted.rules.products, *wanted.rules.get_products})
    known = set(
        session.scalars(select(Product.id).where(Product.tenant_id == tenant_id, Product.id.in_(named)))
        if named
        else ()
    )
    if unknown := [one for one in named if one not in known]:
        raise InvalidInput(f"This shop has no product {unknown[0]}.", param="rules.products")
    if wanted.code is None:
        _room(session, tenant_id, but)


def _room(session: Session, tenant_id: str, but: str | None) -> None:
    """One after the other: nobody adds one while another is counting."""
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:key))"), {"key": f"promotions|{tenant_id}"})
    alive = Discount.ends_at.is_(None) | (Discount.ends_at > clock.now())
    mine = [Discount.tenant_id == tenant_id, Discount.code.is_(None), alive, Discount.id != (but or "")]
    if (session.scalar(select(func.count()).select_from(Discount).where(*mine)) or 0) >= MOST_AUTOMATIC:
        raise TooManyAutomatic(f"A shop has at most {MOST_AUTOMATIC} automatic promotions: end one first.")


def _write(session: Session, wanted: Promotion) -> None:
    try:
        with session.begin_nested():
            session.flush()
    except IntegrityError:
        raise CodeTaken(f"There is a code {wanted.code} already.") from None


def _columns(wanted: Promotion) -> dict[str, Any]:
    folded = {
        "amounts": {code: one.model_dump(exclude_none=True) for code, one in wanted.amounts.items()},
        "rules": wanted.rules.model_dump(mode="json", exclude_defaults=True),
    }
    return {name: getattr(wanted, name) for name in Promotion.model_fields if name not in _FOLDED} | folded


def _said(wanted: Promotion) -> dict[str, Any]:
    return wanted.model_dump(mode="json")


def _locked(session: Session, tenant_id: str, discount_id: str) -> Discount:
    row = session.get(Discount, (tenant_id, discount_id), with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound("There is no such promotion.")
    return row


def _note(session: Session, identity: Identity, action: str, row: Discount, facts: dict[str, Any]) -> None:
    facts = {name: value for name, value in facts.items() if value not in (None, {}, [])}
    audit.record(session, identity.tenant_id, actor=identity.id, action=action, subject=row.id, facts=facts)


def _status() -> ColumnElement[str]:
    now = clock.now()
    return case(
        (Discount.ends_at <= now, PromotionStatus.ENDED.value),
        (Discount.used >= Discount.usage_limit, PromotionStatus.USED_UP.value),
        (Discount.starts_at > now, PromotionStatus.SCHEDULED.value),
        else_=PromotionStatus.ACTIVE.value,
    )


def _status_of(row: Discount) -> PromotionStatus:
    now = clock.now()
    if row.ends_at is not None and row.ends_at <= now:
        return PromotionStatus.ENDED
    if row.usage_limit is not None and row.used >= row.usage_limit:
        return PromotionStatus.USED_UP
    return PromotionStatus.SCHEDULED if row.starts_at and row.starts_at > now else PromotionStatus.ACTIVE


def _view(row: Discount) -> PromotionView:
    same: Sequence[str] = [name for name in PromotionView.model_fields if name not in {"automatic", "status", "rules"}]
    return PromotionView(
        **{name: getattr(row, name) for name in same},
        automatic=row.code is None,
        status=_status_of(row),
        rules=Rules.model_validate(row.rules or {}),
    )
