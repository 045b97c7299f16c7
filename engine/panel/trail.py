"""Who did what to an order and to all that belongs to it, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.kit.identity import Identity
from engine.kit.money import format_minor
from engine.kit.pagination import Page, cursor_number, decode_cursor, encode_cursor
from engine.orders import queries
from engine.panel.names import names
from engine.panel.schemas import Fact, StepView

_ROWS: Final = text("""
WITH about AS (
  SELECT CAST(:order_id AS varchar) AS id
  UNION SELECT id FROM app.payments WHERE tenant_id = :tenant_id AND order_id = :order_id
  UNION SELECT r.id FROM app.refunds r JOIN app.payments p ON p.tenant_id = r.tenant_id AND p.id = r.payment_id
    WHERE p.tenant_id = :tenant_id AND p.order_id = :order_id
  UNION SELECT id FROM app.order_changes WHERE tenant_id = :tenant_id AND order_id = :order_id
  UNION SELECT consent_id FROM app.order_changes WHERE tenant_id = :tenant_id AND order_id = :order_id
  UNION SELECT id FROM app.returns WHERE tenant_id = :tenant_id AND order_id = :order_id
  UNION SELECT id FROM app.shipments WHERE tenant_id = :tenant_id AND order_id = :order_id
  UNION SELECT id FROM app.fulfillments WHERE tenant_id = :tenant_id AND order_id = :order_id
  UNION SELECT id FROM app.warranty_claims WHERE tenant_id = :tenant_id AND order_id = :order_id
  UNION SELECT id FROM app.invoices WHERE tenant_id = :tenant_id AND order_id = :order_id
  UNION SELECT id FROM app.mails WHERE tenant_id = :tenant_id AND subject_id = :order_id
  UNION SELECT id FROM app.approvals WHERE tenant_id = :tenant_id AND subject_id = :order_id)
SELECT a.id, a.at, a.actor, a.action, a.subject, a.facts FROM app.audit a
WHERE a.tenant_id = :tenant_id AND a.subject IN (SELECT id FROM about WHERE id IS NOT NULL) AND a.id < :before
ORDER BY a.id DESC LIMIT :most
""")
_LAST: Final = 2**62
_WHAT: Final[Mapping[str, str]] = {
    "order.staff_acted": "Said yes on a card",
    "order.staff_refused": "A yes came to nothing",
    "order.change_quoted": "Worked a change out",
    "order.change_approved": "Answered for a change",
    "order.noted": "Wrote a note",
    "order.replaced": "Made a replacement order",
    "order.held": "Held the order",
    "order.resumed": "Let the order go on",
    "consent.shown": "Showed the shopper a card",
    "approval.requested": "Asked for an approval",
    "approval.agreed": "Said yes to an approval",
    "approval.executed": "Carried out what was approved",
    "approval.declined": "Said no to an approval",
    "approval.expired": "An approval ran out",
    "mail.sent_again": "Sent a letter again",
}
_SHOWN: Final[Mapping[str, str]] = {
    "reason": "Reason",
    "kind": "Kind",
    "rule": "Above the",
    "status": "State",
    "remedy": "What follows",
    "audience": "For",
    "template": "Letter",
}


def trail(session: Session, identity: Identity, order_id: str, *, limit: int, cursor: str | None) -> Page[StepView]:
    """Raises ``NotFound``, ``InvalidInput`` for a cursor that is not ours."""
    order = queries.find_own(session, identity, order_id)
    before = cursor_number(decode_cursor(cursor, size=1)[0]) if cursor else _LAST
    known = {"tenant_id": order.tenant_id, "order_id": order.id, "before": before, "most": limit + 1}
    rows = session.execute(_ROWS, known).all()
    called = names(session, order.tenant_id, [row.actor for row in rows])
    more = encode_cursor([rows[limit - 1].id]) if len(rows) > limit else None
    return Page([_step(row, called[row.actor], order.currency) for row in rows[:limit]], more)


def _step(row: Any, who: str, currency: str) -> StepView:
    return StepView(
        id=str(row.id),
        at=row.at,
        who=who,
        what=_what(row.action, row.facts),
        about=row.subject,
        details=_details(row.facts, currency),
    )


def _plain(name: str, value: str) -> str:
    """A limit without the room it is in."""
    return (value.rpartition(".")[2] if name == "rule" else value).replace("_", " ")


def _what(action: str, facts: Mapping[str, Any]) -> str:
    said = _WHAT.get(action) or action.replace(".", " ").replace("_", " ").capitalize()
    act = facts.get("act")
    return f"{said}: {str(act).replace('_', ' ')}" if act else said


def _details(facts: Mapping[str, Any], currency: str) -> list[Fact]:
    shown = [
        Fact(label=label, value=_plain(name, facts[name]))
        for name, label in _SHOWN.items()
        if isinstance(facts.get(name), str) and facts[name]
    ]
    amount = facts.get("amount")
    if isinstance(amount, int) and amount:
        shown.insert(0, Fact(label="Amount", value=format_minor(amount, str(facts.get("currency") or currency))))
    return shown
