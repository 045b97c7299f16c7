"""What can wait for an approval: kind → how it is looked at and how it is done. A new one has one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from engine.approvals.models import ApprovalKind
from engine.approvals.policy import ApprovalsPolicy
from engine.kit.caps import Caps, cap
from engine.kit.errors import OverLimit
from engine.runtime import Runtime

Outcome = dict[str, Any]


class Args(BaseModel):
    """What exactly is to be done: ids and amounts, nothing that could mean something else later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Standing:
    """What an act is about, and how that stands at this moment."""

    subject_id: str
    version: str
    """Changes when what is asked for is no longer the same question."""
    amount: int
    """Minor units of ``currency``: what it moves."""
    currency: str
    counted: int
    """What it comes to with all that its limit counts."""
    thread_id: str | None = None
    """The conversation that hears what became of it, where nobody names another."""


@dataclass(frozen=True, slots=True)
class Doing:
    """Who has it done, and on whose word: ``approved`` is the approval that lifts the limits, if there is one."""

    runtime: Runtime
    tenant_id: str
    actor: str
    approved: str | None
    version: str = ""
    """How its subject stood when the approval was given."""


@dataclass(frozen=True, slots=True)
class Act:
    """One kind. It is done either by ``run``, within one transaction that also says that it is done, or by ``perform``,
    which has transactions of its own: then ``find`` returns what was done before under the approval, and the database
    refuses a second.
    """

    args: type[Args]
    look: Callable[[Session, str, Any], Standing]
    """Locks what it is about."""
    limit: Callable[[ApprovalsPolicy, Any, Standing], OverLimit | None]
    run: Callable[[Session, Doing, Any], Outcome] | None = None
    after: Callable[[Runtime, str, Outcome], None] | None = None
    """What is left to do when it is committed; jobs do it when nobody does."""
    perform: Callable[[Doing, Any], Outcome] | None = None
    find: Callable[[Session, str, str], Outcome | None] | None = None
    private: frozenset[str] = frozenset()
    """Arguments that are nobody's business any more once it has ended: they are kept no longer."""


ACTS: Final[Mapping[ApprovalKind, str]] = {
    ApprovalKind.REFUND: "engine.approvals.money:REFUND",
    ApprovalKind.GOODWILL: "engine.approvals.money:GOODWILL",
    ApprovalKind.GIFT_CARD: "engine.approvals.gift_cards:GIFT_CARD",
    ApprovalKind.DISCOUNT: "engine.approvals.codes:DISCOUNT",
    ApprovalKind.PROMOTION: "engine.approvals.promotions:PROMOTION",
    ApprovalKind.WRITE_OFF: "engine.approvals.goods:STOCK",
    ApprovalKind.STOCK_ADJUSTMENT: "engine.approvals.goods:STOCK",
    ApprovalKind.RETURN_REFUND: "engine.approvals.returned:RETURN_REFUND",
    ApprovalKind.ORDER_CHANGE: "engine.approvals.order_changes:ORDER_CHANGE",
    ApprovalKind.SET_APART: "engine.approvals.apart:SET_APART",
    ApprovalKind.REPLACEMENT: "engine.approvals.replacing:REPLACEMENT",
    ApprovalKind.WARRANTY: "engine.approvals.claims:WARRANTY",
}
"""``module:constant``, imported when it is asked for: the domains call approvals, and approvals them."""


def act_of(kind: ApprovalKind) -> Act:
    """How a kind is done. Raises ``KeyError`` for one that nobody does yet."""
    module, _, name = ACTS[kind].partition(":")
    found: Act = getattr(import_module(module), name)
    return found


def no_limit(_policy: ApprovalsPolicy, _args: Any, _standing: Standing) -> None:
    """For what its own domain limits."""


def over(limits: Caps, standing: Standing, *, rule: str, words: str) -> OverLimit | None:
    """Why this is more than one person may do alone, if it is."""
    limit = cap(limits, standing.currency)
    if limit is None or standing.counted <= limit:
        return None
    return OverLimit(words, limit=limit, amount=standing.counted, currency=standing.currency, rule=f"approvals.{rule}")
