"""A gift card that nobody paid for."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Final

from pydantic import Field
from sqlalchemy.orm import Session

from engine.approvals.acts import Act, Args, Doing, Outcome, Standing, over
from engine.approvals.policy import ApprovalsPolicy
from engine.kit.envelope import open_code, seal_code
from engine.kit.errors import OverLimit
from engine.kit.money import Money
from engine.payments import courtesies, stored_value
from engine.payments.courtesy_models import CourtesyKind
from engine.payments.stored_value_models import StoredValueKind

_ASKED: Final = "gift_card.asked"


class GiftCardArgs(Args):
    amount: Annotated[int, Field(strict=True, gt=0, le=1_000_000)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    expires_at: datetime | None = None
    mail_to: Annotated[str, Field(max_length=1_000)] | None = None
    """Whom its code is mailed to, sealed (``mailed_to``)."""
    mail_key: Annotated[str, Field(max_length=64)] | None = None
    """By which an erasure finds it: a card does not go out to whoever asked to be forgotten before the yes."""


def mailed_to(secret_key: bytes, tenant_id: str, email: str) -> dict[str, str]:
    """An address as an approval may keep it, as arguments."""
    sealed = seal_code(secret_key, tenant_id, _ASKED, tenant_id, email)
    return {"mail_to": sealed, "mail_key": hashlib.sha256(email.lower().encode()).hexdigest()}


def _look(_session: Session, tenant_id: str, args: GiftCardArgs) -> Standing:
    return Standing(tenant_id, "", args.amount, args.currency, args.amount)


def _issue(session: Session, doing: Doing, args: GiftCardArgs) -> Outcome:
    """Its code is part of what was done only where that is told at once and kept nowhere."""
    worth, secret_key = Money(args.amount, args.currency), doing.runtime.secret_key
    courtesies.check(session, doing.tenant_id, worth=worth, actor=doing.actor, approved=doing.approved)
    issued = stored_value.issue(
        session,
        doing.tenant_id,
        secret_key=secret_key,
        kind=StoredValueKind.GIFT_CARD,
        amount=args.amount,
        currency=args.currency,
        expires_at=args.expires_at,
        actor=doing.actor,
        mail_to=open_code(secret_key, doing.tenant_id, _ASKED, doing.tenant_id, args.mail_to) if args.mail_to else None,
    )
    courtesies.record(
        session,
        doing.tenant_id,
        kind=CourtesyKind.GIFT_CARD,
        subject=issued.account.id,
        worth=worth,
        actor=doing.actor,
        approved=doing.approved,
    )
    made = {"account_id": issued.account.id, "last4": issued.account.last4}
    return made if doing.approved else made | {"code": issued.code}


def _over(policy: ApprovalsPolicy, _args: GiftCardArgs, standing: Standing) -> OverLimit | None:
    words = "That is a bigger gift card than one person may give away."
    return over(policy.gift_card_limit, standing, rule="gift_card_limit", words=words)


GIFT_CARD: Final = Act(GiftCardArgs, _look, _over, run=_issue, private=frozenset({"mail_to", "mail_key"}))
