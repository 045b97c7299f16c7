"""The record of what agents asked: written in batches beside the requests, kept for a month, shown to staff.

Only ids, amounts, states and codes are kept. What is not known to be harmless by its name is a dot.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from engine.agentic.request_models import AgentRequest
from engine.kit import clock
from engine.kit.direct import Statement, document
from engine.kit.pagination import Page, cursor_number, decode_cursor, encode_cursor
from engine.runtime import Runtime

KEEP: Final = timedelta(days=30)
MASK: Final = "•"
_WORDS: Final = frozenset(
    {
        *("id", "type", "currency", "status", "code", "codes", "reason", "reason_code", "channel", "option_id"),
        *("item_ids", "handler_id", "outcome", "country", "locale", "timezone", "action", "coupons", "extensions"),
        *("merchant_id", "checkout_session_id", "expires_at", "supported", "required", "enforcement", "param"),
    }
)
_NUMBERS: Final = frozenset({"quantity", "amount", "unit_amount", "max_amount", "score"})
_INSIDE: Final = frozenset(
    {
        *("line_items", "item", "fulfillment_details", "address", "buyer", "discounts", "capabilities"),
        *("interventions", "selected_fulfillment_options", "fulfillment_groups", "payment_data", "instrument"),
        *("marketing_consents", "authentication_result", "intent_trace", "allowance", "risk_signals"),
    }
)
"""Members that are looked into; any other that holds more than a word is one dot."""
_LONGEST: Final = 80
_TELLING: Final = re.compile(r"[@\s]|[0-9](?:[-._]?[0-9]){11}|\b(?:vt|spt|ick|whsec)_")
_MOST: Final = 50


@dataclass(frozen=True, slots=True)
class Entry:
    """One request, as ``AgentRequest`` has it."""

    tenant_id: str
    at: datetime
    caller_id: str
    key_id: str
    request_id: str
    operation: str
    subject_id: str
    version: str
    status: int
    replayed: bool
    ms: int
    asked: Mapping[str, Any] = field(default_factory=dict)
    answered: Mapping[str, Any] = field(default_factory=dict)


def masked(body: Any, *, name: str = "") -> Any:
    """A body with only what says nothing secret and nothing of a person."""
    if isinstance(body, dict):
        if name and name not in _INSIDE:
            return MASK
        known = _WORDS | _NUMBERS | _INSIDE
        return {key: masked(value, name=key) for key, value in body.items() if key in known}
    if isinstance(body, list):
        return [masked(one, name=name) for one in body[:_MOST]]
    if isinstance(body, bool) or body is None:
        return body
    if isinstance(body, str):
        return body if name in _WORDS and harmless(body) else MASK
    return body if name in _NUMBERS else MASK


def harmless(word: str) -> bool:
    """Whether a word is no more than one: an agent may put an address, a card's number or a token anywhere."""
    return len(word) <= _LONGEST and not _TELLING.search(word)


def outcome(body: Mapping[str, Any]) -> dict[str, Any]:
    """What an answer says of how it went."""
    told = {name: body[name] for name in ("id", "status", "code", "param") if isinstance(body.get(name), str)}
    for row in body.get("totals") or ():
        if row.get("type") == "total":
            told["total"] = row["amount"]
    if messages := [one["code"] for one in body.get("messages") or () if "code" in one]:
        told["messages"] = messages
    if isinstance(order := body.get("order"), dict):
        told["order_id"] = order.get("id")
    return told


_COLUMNS: Final = tuple(one.name for one in fields(Entry))
_WRITE: Final = Statement(f"""
INSERT INTO app.agent_requests ({", ".join(_COLUMNS)})
SELECT {", ".join(_COLUMNS)} FROM jsonb_populate_recordset(NULL::app.agent_requests, %(entries)s)
""")  # noqa: S608 (our own)


def write(runtime: Runtime, entries: Sequence[Entry]) -> None:
    """Keep a batch, tenant by tenant, each in one statement. Raises ``DataError`` for what no row can hold."""
    for tenant_id, some in groupby(sorted(entries, key=lambda one: one.tenant_id), key=lambda one: one.tenant_id):
        rows = [_row(one) for one in some]
        runtime.store.ask(tenant_id, (_WRITE, {"entries": document(rows)}))


def _row(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in _COLUMNS} | {"at": entry.at.isoformat()}


def find(
    session: Session,
    tenant_id: str,
    *,
    caller_id: str | None = None,
    subject_id: str | None = None,
    request_id: str | None = None,
    status: int | None = None,
    limit: int = 20,
    cursor: str | None = None,
) -> Page[AgentRequest]:
    """Requests, newest first. Raises ``InvalidInput`` for a cursor that is none of ours."""
    query = select(AgentRequest).where(AgentRequest.tenant_id == tenant_id)
    wanted = {"caller_id": caller_id, "subject_id": subject_id, "request_id": request_id, "status": status}
    for name, value in wanted.items():
        if value is not None:
            query = query.where(getattr(AgentRequest, name) == value)
    if cursor:
        query = query.where(AgentRequest.id < cursor_number(decode_cursor(cursor, size=1)[0]))
    rows = session.scalars(query.order_by(AgentRequest.id.desc()).limit(limit + 1)).all()
    more = len(rows) > limit
    return Page(rows[:limit], encode_cursor([rows[limit - 1].id]) if more else None)


def forget_old(session: Session, tenant_id: str) -> None:
    """Drop what is older than a month."""
    then = clock.now() - KEEP
    session.execute(delete(AgentRequest).where(AgentRequest.tenant_id == tenant_id, AgentRequest.at < then))
