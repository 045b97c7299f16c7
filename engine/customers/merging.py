"""Two customers that turn out to be one: what the one has becomes the other's. It is not undone.

Locks in this order: customers by id, orders, stored value, the rest.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from engine.customers import consents, loyalty
from engine.customers.errors import NotMergeable
from engine.customers.models import ContactConsent, Customer, CustomerMerge, Erasure, ErasureStatus, PointsKind
from engine.customers.verifying import lock_customer
from engine.kit import audit
from engine.kit.errors import Forbidden, NotFound
from engine.kit.identity import Identity
from engine.kit.ids import new_id

FIRST: Final = ("orders", "stored_value_accounts")
STAY: Final = frozenset({"contact_consents", "customer_merges", "erasures", "loyalty_accounts", "loyalty_entries"})
"""Tables with a customer whose rows are history, or are moved in a way of their own."""
_TABLES: Final = text(
    "SELECT c.relname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'"
    " JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'app' WHERE a.attname = 'customer_id'"
    " AND NOT a.attisdropped AND has_table_privilege(c.oid, 'UPDATE') ORDER BY 1"
)
_LATEST_LIFE: Final = text(
    "SELECT CASE WHEN count(*) FILTER (WHERE expires_at IS NULL) > 0 THEN NULL ELSE max(expires_at) END"
    " FROM app.loyalty_entries WHERE tenant_id = :tenant AND customer_id = :source AND kind IN ('earn', 'merge')"
    " AND delta > 0"
)


def merge(session: Session, identity: Identity, *, source_id: str, target_id: str) -> CustomerMerge:
    """Move everything of ``source_id`` to ``target_id``; the source's e-mail leads to the target from now on.

    Raises ``Forbidden`` for whoever is not staff, ``NotFound``, ``NotMergeable``.
    """
    if not identity.is_staff:
        raise Forbidden("This is for the shop's staff.")
    source, target = _both(session, identity.tenant_id, source_id, target_id)
    key = {"tenant": identity.tenant_id, "source": source.id, "target": target.id}
    _yield_defaults(session, key)
    moved = {table: _move(session, table, key) for table in movable(session)}
    moved |= _points(session, source, target, key) | _consents(session, source, target)
    target.name, target.phone = target.name or source.name, target.phone or source.phone
    target.email_verified_at = target.email_verified_at or source.email_verified_at
    source.name = source.phone = ""
    source.merged_into = target.id
    row = CustomerMerge(
        tenant_id=identity.tenant_id,
        id=new_id("merge"),
        source_id=source.id,
        target_id=target.id,
        merged_by=identity.who,
        moved={table: count for table, count in moved.items() if count},
    )
    session.add(row)
    session.flush()
    facts = {"source": source.id, "moved": row.moved}
    audit.record(session, row.tenant_id, actor=identity.who, action="customer.merged", subject=target.id, facts=facts)
    return row


def movable(session: Session) -> list[str]:
    """Every table whose rows say which customer they belong to, money first; a new domain's come along unasked."""
    found = set(session.scalars(_TABLES)) - STAY
    return [*FIRST, *sorted(found - set(FIRST))]


def _both(session: Session, tenant_id: str, source_id: str, target_id: str) -> tuple[Customer, Customer]:
    if source_id == target_id:
        raise NotMergeable("That is one customer already.")
    for customer_id in (source_id, target_id):
        if session.get(Customer, (tenant_id, customer_id)) is None:
            raise NotFound("There is no such customer.")
    held = {
        customer_id: lock_customer(session, tenant_id, customer_id) for customer_id in sorted((source_id, target_id))
    }
    for row in held.values():
        if row.merged_into is not None or row.erased_at is not None or _to_be_erased(session, row):
            raise NotMergeable("One of them was merged or erased before, or is to be erased.")
    return held[source_id], held[target_id]


def _to_be_erased(session: Session, row: Customer) -> bool:
    waiting = select(Erasure.id).where(
        Erasure.tenant_id == row.tenant_id, Erasure.customer_id == row.id, Erasure.status == ErasureStatus.DEFERRED
    )
    return session.scalar(waiting) is not None


def _move(session: Session, table: str, key: dict[str, str]) -> int:
    locked = (
        f"SELECT ctid FROM app.{table} WHERE tenant_id = :tenant AND customer_id = :source"  # noqa: S608 (a catalog's name)
        f" ORDER BY {'id' if table in FIRST else 'ctid'} FOR UPDATE"
    )
    session.execute(text(locked), key)
    done = session.execute(
        text(f"UPDATE app.{table} SET customer_id = :target WHERE tenant_id = :tenant AND customer_id = :source"),  # noqa: S608
        key,
    )
    return int(done.rowcount)  # type: ignore[attr-defined] # of an UPDATE


def _points(session: Session, source: Customer, target: Customer, key: dict[str, str]) -> dict[str, int]:
    """Carry the balance over, to live as long as the source's points would have."""
    tenant_id = source.tenant_id
    accounts = {one: loyalty.lock_account(session, tenant_id, one) for one in sorted((source.id, target.id))}
    points = accounts[source.id].balance
    if points:
        life = session.scalar(_LATEST_LIFE, key) if points > 0 else None
        loyalty.move(session, tenant_id, source.id, PointsKind.MERGE, -points, subject=target.id)
        loyalty.move(session, tenant_id, target.id, PointsKind.MERGE, points, subject=source.id, expires_at=life)
    return {"points": points}


def _consents(session: Session, source: Customer, target: Customer) -> dict[str, int]:
    """What the target never spoke of is as the source said; where they differ, no is no."""
    said = {(row.topic, row.channel): row for row in consents.standing(session, target.tenant_id, target.id)}
    count = 0
    for theirs in consents.standing(session, source.tenant_id, source.id):
        mine = said.get((theirs.topic, theirs.channel))
        if mine is None or (mine.granted and not theirs.granted):
            _copy(session, theirs, target)
            count += 1
    return {"contact_consents": count}


def _copy(session: Session, row: ContactConsent, target: Customer) -> None:
    consents.write(
        session,
        target.tenant_id,
        target.id,
        topic=row.topic,
        channel=row.channel,
        granted=row.granted,
        text_version=row.text_version,
        source="merge",
    )


def _yield_defaults(session: Session, key: dict[str, str]) -> None:
    """Where the target has addresses or methods of its own, its default stays the default."""
    for table in ("addresses", "payment_methods"):
        session.execute(
            text(
                f"UPDATE app.{table} SET is_default = false WHERE tenant_id = :tenant AND customer_id = :source"  # noqa: S608 (our own)
                f" AND EXISTS (SELECT FROM app.{table} x WHERE x.tenant_id = :tenant AND x.customer_id = :target)"
            ),
            key,
        )
