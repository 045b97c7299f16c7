"""What a case is found by: words of its number, its subject, its shopper, their orders and the conversation.

A word is a row; what is looked for is the beginning of one, a range of the table's key within the tenant.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.conversations.models import Message, Thread
from engine.customers.models import Customer, Shopper
from engine.orders.models import Order
from engine.support.models import Case, CaseWord

_COMPOUND: Final = re.compile(r"[^\W_]+(?:[._@+'-]+[^\W_]+)*")
_PART: Final = re.compile(r"[^\W_]+")
_LONGEST: Final = 40
_SHORTEST: Final = 2
_OF_A_MESSAGE: Final = 80
_OF_A_CASE: Final = 600
_MESSAGES: Final = 40
_ORDERS: Final = 5
TERMS: Final = 6
"""How many words of what is looked for count."""


def file_case(session: Session, case: Case, thread: Thread | None) -> None:
    """Make a case findable by what is known of it now."""
    texts = [case.number, case.subject, case.summary, case.shopper_name]
    for number, buyer, ship_to in _orders(session, case):
        texts += [number, *(str((one or {}).get(name) or "") for one in (buyer, ship_to) for name in ("name", "email"))]
    texts += _profile(session, case)
    if thread is not None:
        texts += _said(session, thread)
    _keep(session, case, list(_words(texts))[:_OF_A_CASE])


def file_words(session: Session, case: Case, text: str) -> None:
    """Make a case findable by what was said now."""
    _keep(session, case, list(_words([text]))[:_OF_A_MESSAGE])


def found(tenant_id: str, query: str) -> list[ColumnElement[bool]]:
    """The condition of every term of ``query``: a word of the case begins with it."""
    terms = [_fold(one)[:_LONGEST] for one in _COMPOUND.findall(query)][:TERMS]
    return [_has(tenant_id, term) for term in terms]


def name_of(session: Session, case: Case) -> str:
    """The shopper's name as the shop knows it: of the profile, else of the newest order."""
    names = [name for name, _ in _profiles(session, case)]
    for _, buyer, ship_to in _orders(session, case):
        names += [str((one or {}).get("name") or "") for one in (ship_to, buyer)]
    return next((name.strip() for name in names if name.strip()), "")


def _has(tenant_id: str, term: str) -> ColumnElement[bool]:
    rows = select(CaseWord.case_id).where(
        CaseWord.tenant_id == tenant_id, CaseWord.word >= term, CaseWord.word < term + "\U0010ffff"
    )
    return Case.id.in_(rows)


def _words(texts: Iterable[str]) -> dict[str, None]:
    """Every word once, in order: whole ones like an e-mail, and their parts."""
    kept: dict[str, None] = {}
    for whole in (match for text in texts for match in _COMPOUND.findall(text)):
        for one in (whole, *_PART.findall(whole)):
            word = _fold(one)[:_LONGEST]
            if len(word) >= _SHORTEST:
                kept[word] = None
    return kept


def _fold(word: str) -> str:
    apart = unicodedata.normalize("NFKD", word.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def _keep(session: Session, case: Case, words: list[str]) -> None:
    if words:
        rows = [{"tenant_id": case.tenant_id, "case_id": case.id, "word": word} for word in words]
        session.execute(insert(CaseWord).values(rows).on_conflict_do_nothing())


def _said(session: Session, thread: Thread) -> list[str]:
    rows = session.scalars(
        select(Message.content)
        .where(Message.tenant_id == thread.tenant_id, Message.thread_id == thread.id, Message.role == "user")
        .order_by(Message.seq.desc())
        .limit(_MESSAGES)
    )
    return list(rows)


def _orders(session: Session, case: Case) -> list[tuple[str, dict[str, str] | None, dict[str, str] | None]]:
    """The case's order and the newest of its shopper: number, buyer, address."""
    whose = [Order.id == case.order_id] if case.order_id else []
    if case.shopper_id:
        whose.append((Order.owner_id == case.shopper_id) & Order.placed_at.is_not(None))
    if case.customer_id:
        whose.append((Order.customer_id == case.customer_id) & Order.placed_at.is_not(None))
    if not whose:
        return []
    query = select(Order.number, Order.buyer, Order.ship_to).where(Order.tenant_id == case.tenant_id, or_(*whose))
    return [tuple(row) for row in session.execute(query.order_by(Order.id.desc()).limit(_ORDERS))]


def _profile(session: Session, case: Case) -> list[str]:
    return [text for pair in _profiles(session, case) for text in pair]


def _profiles(session: Session, case: Case) -> list[tuple[str, str]]:
    whose = [Customer.id == case.customer_id] if case.customer_id else []
    if case.shopper_id:
        own = select(Shopper.customer_id).where(Shopper.tenant_id == case.tenant_id, Shopper.id == case.shopper_id)
        whose.append(Customer.id == own.scalar_subquery())
    if not whose:
        return []
    query = select(Customer.name, Customer.email).where(Customer.tenant_id == case.tenant_id, or_(*whose))
    return [(name, email) for name, email in session.execute(query)]
