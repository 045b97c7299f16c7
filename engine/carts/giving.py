"""What a promotion gives away, and whether one person may let it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy.orm import Session

from engine.carts.models import DiscountKind
from engine.carts.policy import PromotionsPolicy
from engine.kit.caps import Caps, cap
from engine.kit.errors import OverLimit
from engine.kit.money import Money
from engine.kit.policies import policy_of
from engine.kit.tenancy import Tenant
from engine.payments import courtesies, refund_limits
from engine.payments.courtesy_models import CourtesyKind

if TYPE_CHECKING:
    from engine.carts.promoting import Promotion

_GIVES_NOTHING: Final = frozenset({"title", "priority"})
_LIMIT: Final = "promotions."


def begin(session: Session, tenant_id: str, *, approved: str | None) -> None:
    """What is given away goes one after the other from here on: before a promotion is locked."""
    refund_limits.begin(session, tenant_id, approved=approved)


def check(
    session: Session,
    tenant_id: str,
    wanted: Promotion,
    before: Promotion | None,
    *,
    actor: str,
    approved: str | None,
) -> None:
    """Whether ``actor`` may let it give so much away; what gives away no more than before is not looked at again.

    Raises ``OverLimit``, also for what the limits of ``payments`` count; ``approved`` names the approval that lifts it.
    """
    if approved is not None or (before and not _gives_more(wanted, before)):
        return
    home = session.get_one(Tenant, tenant_id).currency
    _check(policy_of(session, tenant_id, PromotionsPolicy), wanted, home)
    if (more := _more(wanted, before)) > 0:
        courtesies.check(session, tenant_id, worth=Money(more, home), actor=actor)


def record(
    session: Session,
    tenant_id: str,
    wanted: Promotion,
    before: Promotion | None,
    *,
    subject: str,
    actor: str,
    approved: str | None,
) -> None:
    """Write down what it may come to beyond what was written down before, as ``subject``."""
    if (more := _more(wanted, before)) > 0:
        given = Money(more, session.get_one(Tenant, tenant_id).currency)
        courtesies.record(
            session,
            tenant_id,
            kind=CourtesyKind.PROMOTION,
            subject=subject,
            worth=given,
            actor=actor,
            approved=approved,
        )


def worth(wanted: Promotion) -> int:
    """What all its uses may take off, in minor units of the home currency; of one without end, what a use may. One in
    percent is worth no money of itself.
    """
    return (wanted.amount_off or 0) * (wanted.usage_limit or 1)


def percent(wanted: Promotion) -> int:
    """The most that it gives of what somebody takes; what is given of other goods than are bought is given whole."""
    rules = wanted.rules
    if wanted.kind != DiscountKind.BUY_GET or not (rules.buy and rules.get):
        return wanted.percent_off or 0
    if rules.get_products or rules.get_collections or rules.get_category:
        return rules.get_percent
    return -(-rules.get_percent * rules.get // (rules.buy + rules.get))


def _more(wanted: Promotion, before: Promotion | None) -> int:
    return worth(wanted) - (worth(before) if before else 0)


def _gives_more(wanted: Promotion, before: Promotion) -> bool:
    """Whether anything of its terms differs but what gives nothing away, and an end that comes sooner."""
    same = _GIVES_NOTHING | ({"ends_at"} if _ends_no_later(wanted, before) else set())
    return wanted.model_dump(exclude=set(same)) != before.model_dump(exclude=set(same))


def _ends_no_later(wanted: Promotion, before: Promotion) -> bool:
    return wanted.ends_at is not None and (before.ends_at is None or wanted.ends_at <= before.ends_at)


def _check(policy: PromotionsPolicy, wanted: Promotion, home: str) -> None:
    most = policy.percent_without_approval
    if most is not None and percent(wanted) > most:
        raise _over(f"More than {most} % off takes another person's approval.", "percent_without_approval",
                    limit=most, amount=percent(wanted))  # fmt: skip
    if wanted.amount_off is None:
        if wanted.usage_limit is None and percent(wanted) and not policy.endless_without_approval:
            raise _over("A promotion without usage_limit takes another person's approval.", "endless_without_approval")
        return
    offs = {home: wanted.amount_off} | {code: one.amount_off or 0 for code, one in wanted.amounts.items()}
    for code, off in offs.items():
        _check_amount(policy.amount_without_approval, "amount_without_approval", off, code, "off a use")
        _check_total(policy.total_without_approval, wanted.usage_limit, off, code)


def _check_total(caps: Caps, uses: int | None, off: int, code: str) -> None:
    if uses is not None:
        _check_amount(caps, "total_without_approval", off * uses, code, "off all its uses")
    elif (limit := cap(caps, code)) is not None:
        words = "A promotion that is worth money and has no usage_limit takes another person's approval."
        raise _over(words, "total_without_approval", limit=limit, amount=off, currency=code)


def _check_amount(caps: Caps, rule: str, amount: int, code: str, of: str) -> None:
    limit = cap(caps, code)
    if limit is not None and amount > limit:
        words = f"More than {Money(limit, code)} {of} takes another person's approval."
        raise _over(words, rule, limit=limit, amount=amount, currency=code)


def _over(words: str, rule: str, *, limit: int = 0, amount: int = 0, currency: str | None = None) -> OverLimit:
    return OverLimit(words, limit=limit, amount=amount, currency=currency, rule=_LIMIT + rule)
