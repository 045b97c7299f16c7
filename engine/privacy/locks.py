"""Standing still: whatever could begin for a person waits until it is known whether they are forgotten."""

# ruff: noqa: S608 (names of our own; values are bound)
from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.privacy.rooms import PEOPLE

_IN_ORDER: Final = (
    ("checkout_sessions", "t.id IN (SELECT id FROM their_sessions)"),
    ("consents", "t.owner_id IN (SELECT id FROM their_shoppers)"),
    ("orders", "t.id IN (SELECT id FROM their_orders)"),
    ("payments", "t.order_id IN (SELECT id FROM their_orders)"),
    ("threads", "t.id IN (SELECT id FROM their_threads)"),
)
"""The house's order of locks. A purchase begins under its session; a change, return, claim or refund under its order or
its payments; an answer under its thread.
"""


def stand_still(session: Session, ids: Sequence[str]) -> None:
    """Lock all that something new could begin with; what has begun meanwhile is seen by whoever reads after this."""
    for table, whose in _IN_ORDER:
        query = f"SELECT t.id FROM app.{table} t WHERE {whose} ORDER BY t.id FOR UPDATE"
        session.execute(text(PEOPLE.format(who="id = ANY(:ids)") + query), {"ids": list(ids)}).all()
