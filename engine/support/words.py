"""What a case is found by: words of its number, its subject, its shopper, their orders and the conversation.

A word is a row; what is looked for is the beginning of one, a range of the table's key within the tenant.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from engine.conversations.models import Thread
from engine.kit.direct import Row, Statement
from engine.kit.gathering import ask, fetch, post
from engine.support.models import Case, CaseWord

_COMPOUND: Final = re.compile(r"[^\W_]+(?:[._@+'-]+[^\W_]+)*")
_PART: Final = re.compile(r"[^\W_]+")
_LONGEST: Final = 40
_SHORTEST: Final = 2
_OF_A_MESSAGE: Final = 80
_OF_A_CASE: Final = 600
_MESSAGES: Final = 40
_PROFILES: Final = Statement("""
SELECT c.name, c.email FROM app.customers c WHERE c.tenant_id = %(tenant)s AND c.id IN (%(customer)s,
  (SELECT s.customer_id FROM app.shoppers s WHERE s.tenant_id = %(tenant)s AND s.id = %(shopper)s))
""")
_ORDERS: Final = Statement("""
SELECT number, buyer, ship_to FROM (
  SELECT id, number, buyer, ship_to FROM app.orders WHERE tenant_id = %(tenant)s AND id = %(order)s
  UNION ALL
  SELECT id, number, buyer, ship_to FROM app.orders o WHERE tenant_id = %(tenant)s AND id <> %(order)s
    AND placed_at IS NOT NULL AND (owner_id = %(shopper)s OR customer_id = %(customer)s)) AS found
ORDER BY id DESC LIMIT 5
""")
_SAID: Final = Statement(f"""
SELECT content FROM app.messages WHERE tenant_id = %(tenant)s AND thread_id = %(thread)s AND role = 'user'
ORDER BY seq DESC LIMIT {_MESSAGES}
""")  # noqa: S608 (our own)
_KEEP: Final = Statement("""
INSERT INTO app.case_words (tenant_id, word, case_id)
SELECT %(tenant)s, word, %(case)s FROM unnest(CAST(%(words)s AS text[])) AS word ON CONFLICT DO NOTHING
""")
TERMS: Final = 6
"""How many words of what is looked for count."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the shop has of a case's shopper: profiles, the case's order and their newest, and what they said last."""

    profiles: Sequence[Row]
    orders: Sequence[Row]
    said: Sequence[str]
    """Newest first."""

    @property
    def name(self) -> str:
        """Of the profile, else of the newest order."""
        names = [one["name"] for one in self.profiles]
        names += [str((one or {}).get("name") or "") for row in self.orders for one in (row["ship_to"], row["buyer"])]
        return next((name.strip() for name in names if name.strip()), "")


def known(session: Session, case: Case, thread: Thread | None) -> Known:
    """As it is now, in one trip."""
    about: dict[str, Any] = {"tenant": case.tenant_id, "order": case.order_id or "", "shopper": case.shopper_id or ""}
    about |= {"customer": case.customer_id or "", "thread": thread.id if thread else ""}
    profiles, orders, words = fetch(session, (_PROFILES, about), (_ORDERS, about), (_SAID, about))
    return Known(profiles, orders, [row["content"] for row in words])


def said(session: Session, thread: Thread) -> list[str]:
    """What the shopper said last in a conversation, newest first."""
    return [row["content"] for row in ask(session, _SAID, {"tenant": thread.tenant_id, "thread": thread.id})]


def file_case(session: Session, case: Case, found: Known) -> None:
    """Make a case findable by what is known of it now."""
    texts = [case.number, case.subject, case.summary, case.shopper_name]
    for row in found.orders:
        people = [one or {} for one in (row["buyer"], row["ship_to"])]
        texts += [row["number"], *(str(one.get(name) or "") for one in people for name in ("name", "email"))]
    texts += [text for row in found.profiles for text in (row["name"], row["email"])]
    _keep(session, case, list(_words([*texts, *found.said]))[:_OF_A_CASE])


def file_words(session: Session, case: Case, text: str) -> None:
    """Make a case findable by what was said now."""
    _keep(session, case, list(_words([text]))[:_OF_A_MESSAGE])


def found(tenant_id: str, query: str) -> list[ColumnElement[bool]]:
    """The condition of every term of ``query``: a word of the case begins with it."""
    terms = [_fold(one)[:_LONGEST] for one in _COMPOUND.findall(query)][:TERMS]
    return [_has(tenant_id, term) for term in terms]


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
        post(session, (_KEEP, {"tenant": case.tenant_id, "case": case.id, "words": words}))
