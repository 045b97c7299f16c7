"""Words that staff say often. A macro is plain text with ``{{ names }}``: nothing in it is ever run."""

from __future__ import annotations

import re
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit import audit, clock
from engine.kit.errors import NotFound
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.kit.tenancy import Tenant
from engine.orders.models import Order
from engine.support.errors import MacroBroken, MacroChanged, MacroNameTaken
from engine.support.models import Case, Macro

NAMES: Final = (
    "case.number",
    "case.subject",
    "customer.name",
    "customer.first_name",
    "order.number",
    "order.total",
    "order.status",
    "shop.name",
)
"""What a macro may name."""
BODY_LIMIT: Final = 4_000
_NAME: Final = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_STRAY: Final = re.compile(r"\{\{|\}\}|\{%|%\}")


def create(session: Session, identity: Identity, *, name: str, body: str) -> Macro:
    """A new macro. Raises ``MacroBroken``, ``MacroNameTaken``."""
    _check(body)
    _free(session, identity.tenant_id, name)
    row = Macro(
        tenant_id=identity.tenant_id, id=new_id("macro"), name=name, body=body, created_by=identity.who, version=1
    )
    session.add(row)
    session.flush()
    _record(session, identity, row, "macro.created")
    return row


def change(
    session: Session,
    identity: Identity,
    macro_id: str,
    *,
    name: str | None,
    body: str | None,
    version: int | None = None,
) -> Macro:
    """Another name or other words; with ``version``, only if it still is the one there is.

    Raises ``MacroBroken``, ``MacroNameTaken``, ``MacroChanged``, ``NotFound``.
    """
    row = find(session, identity.tenant_id, macro_id, lock=True)
    if version is not None and version != row.version:
        raise MacroChanged("Somebody else changed this macro meanwhile.")
    if name is not None and name != row.name:
        _free(session, identity.tenant_id, name)
        row.name = name
    if body is not None:
        _check(body)
        row.body = body
    row.version += 1
    row.updated_at = clock.now()
    session.flush()
    _record(session, identity, row, "macro.changed")
    return row


def delete(session: Session, identity: Identity, macro_id: str) -> Macro:
    """Take a macro away; what was said with it stays said. Raises ``NotFound``."""
    row = find(session, identity.tenant_id, macro_id, lock=True)
    session.delete(row)
    session.flush()
    _record(session, identity, row, "macro.deleted")
    return row


def render(session: Session, macro: Macro, case: Case) -> str:
    """The macro's words for a case. Raises ``MacroBroken`` for a name that this case has no value of."""
    known = _values(session, case)

    def value(match: re.Match[str]) -> str:
        found = known.get(match[1])
        if found is None:
            raise MacroBroken(f"This case has no {match[1]}.")
        return found

    return _NAME.sub(value, macro.body)


def find(session: Session, tenant_id: str, macro_id: str, *, lock: bool = False) -> Macro:
    """The macro. Raises ``NotFound``."""
    row = session.get(Macro, (tenant_id, macro_id), with_for_update=lock, populate_existing=lock)
    if row is None:
        raise NotFound("There is no such macro.")
    return row


def _values(session: Session, case: Case) -> dict[str, str]:
    tenant = session.get_one(Tenant, case.tenant_id)
    values = {"case.number": case.number, "case.subject": case.subject, "shop.name": tenant.name}
    order = session.get(Order, (case.tenant_id, case.order_id)) if case.order_id else None
    written = ((order.ship_to or {}).get("name") or order.buyer.get("name")) if order else ""
    name = str(written or case.shopper_name).strip()
    if name:
        values |= {"customer.name": name, "customer.first_name": name.split()[0]}
    if order is None:
        return values
    total = str(Money(order.total, order.currency))
    return values | {"order.number": order.number, "order.total": total, "order.status": str(order.status)}


def _check(body: str) -> None:
    """Raises ``MacroBroken`` for a name that no macro may have, or braces that belong to none."""
    unknown = [name for name in _NAME.findall(body) if name not in NAMES]
    if unknown:
        raise MacroBroken(f"A macro knows {', '.join(NAMES)}; not {unknown[0][:60]!r}.")
    if _STRAY.search(_NAME.sub("", body)):
        raise MacroBroken("A macro has names in double braces and no other braces like that.")


def _free(session: Session, tenant_id: str, name: str) -> None:
    if session.scalar(select(Macro.id).where(Macro.tenant_id == tenant_id, Macro.name == name)):
        raise MacroNameTaken("There is a macro with that name already.")


def _record(session: Session, identity: Identity, row: Macro, action: str) -> None:
    audit.record(
        session, identity.tenant_id, actor=identity.id, action=action, subject=row.id, facts={"name": row.name}
    )
