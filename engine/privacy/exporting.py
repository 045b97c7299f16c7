"""Everything the shop holds of a person, as one JSON document."""

# ruff: noqa: S608 (names and conditions of our own map; values are bound)
from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.customers.models import Customer
from engine.kit import audit, clock
from engine.kit.errors import NotFound
from engine.kit.views import View
from engine.privacy.erasing import ONE, everybody
from engine.privacy.rooms import ROOMS, Room


class PersonalData(View):
    """Table → its rows that are this person's, as they are kept; amounts are minor units, times UTC."""

    customer_id: str
    made_at: datetime
    data: dict[str, list[dict[str, Any]]]


def export(session: Session, tenant_id: str, customer_id: str, *, actor: str) -> PersonalData:
    """The whole of a customer and of those who became them. Raises ``NotFound``."""
    if session.get(Customer, (tenant_id, customer_id)) is None:
        raise NotFound("There is no such customer.")
    ids = everybody(session, tenant_id, customer_id)
    data = {room.table: _rows(session, room, ids) for room in ROOMS if room.export}
    audit.record(session, tenant_id, actor=actor, action="customer.exported", subject=customer_id)
    return PersonalData(customer_id=customer_id, made_at=clock.now(), data=data)


def _rows(session: Session, room: Room, ids: list[str]) -> list[dict[str, Any]]:
    columns = room.export.split()
    parts = ", ".join(f"'{column}', t.{column}" for column in columns)
    first = "t.thread_id, t.seq" if "seq" in columns else f"t.{columns[0]}"
    query = (
        f"SELECT jsonb_build_object({parts}) FROM app.{room.table} t"
        f" WHERE ({room.whose}) AND {room.only} ORDER BY {first}"
    )
    return list(session.scalars(text(ONE + query), {"ids": ids}))
