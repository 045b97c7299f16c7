"""Forgetting a person: everything personal is overwritten or dropped, in one transaction; what the books, orders and
the audit need stays, without a name. Locks: the customer, then what something new could begin with
(``locks.stand_still``), then the rooms in the order of the map.
"""

# ruff: noqa: S608 (names and conditions of our own map; values are bound)
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import structlog
from sqlalchemy import CursorResult, select, text
from sqlalchemy.orm import Session

from engine.customers.models import Customer, Erasure, ErasureStatus
from engine.customers.verifying import lock_customer
from engine.customers.wallet import forget_removed
from engine.kit import audit, clock
from engine.kit.errors import Conflict, NotFound
from engine.kit.ids import new_id
from engine.kit.tenancy import BrowserSession
from engine.privacy.holds import holds_of
from engine.privacy.locks import stand_still
from engine.privacy.rooms import LETTER, PEOPLE, ROOMS, UNSENT, Room
from engine.runtime import Runtime

log = structlog.get_logger(__name__)
ONE: Final = PEOPLE.format(who="id = ANY(:ids)")
_SELF_AND_MERGED: Final = text(
    "WITH RECURSIVE one AS (SELECT id FROM app.customers WHERE tenant_id = :tenant AND id = :customer"
    " UNION SELECT c.id FROM app.customers c JOIN one ON c.merged_into = one.id WHERE c.tenant_id = :tenant)"
    " SELECT id FROM one ORDER BY id"
)
_GRAPH: Final = ("checkpoint_writes", "checkpoint_blobs", "checkpoints")
"""The conversations' memory, kept by the graph's own library under a key of tenant and thread."""
_MEMORY: Final = text(
    "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = 'graph' AND c.relname = ANY(:tables) ORDER BY 1"
)
_ENTERED_CARDS: Final = text(
    ONE + "INSERT INTO app.payment_methods (tenant_id, id, customer_id, kind, gateway, gateway_ref, brand, last4,"
    " exp_month, exp_year, is_default, removed_at) SELECT DISTINCT ON (s.payment_method ->> 'ref') s.tenant_id,"
    " 'pm_' || substr(s.id, 4), :customer, 'card', s.payment_method ->> 'gateway', s.payment_method ->> 'ref', '', '',"
    " 0, 0, false, now() FROM app.checkout_sessions s WHERE s.id IN (SELECT id FROM their_sessions)"
    " AND s.payment_method ->> 'ref' IS NOT NULL AND NOT EXISTS (SELECT FROM app.payment_methods m"
    " WHERE m.tenant_id = s.tenant_id AND m.gateway_ref = s.payment_method ->> 'ref') ON CONFLICT DO NOTHING"
)
_LETTER: Final = ", ".join(f"{column} = {blank}" for column, blank in (LETTER | UNSENT).items())
_MENTIONS: Final = (
    'UPDATE app.orders t SET buyer = t.buyer || \'{"email": ""}\' WHERE t.email_key = ANY(:emails)',
    (
        'UPDATE app.checkout_sessions t SET buyer = t.buyer || \'{"email": ""}\''
        " WHERE lower(t.buyer ->> 'email') = ANY(:emails)"
    ),
    (
        "UPDATE app.consents t SET summary = jsonb_set(t.summary, '{buyer,email}', '\"\"')"
        " WHERE lower(t.summary #>> '{buyer,email}') = ANY(:emails)"
    ),
    "UPDATE app.customer_links t SET email = '' WHERE t.email_key = ANY(:emails)",
    f"UPDATE app.mails t SET {_LETTER} WHERE t.address_key = ANY(:emails)",
    "DELETE FROM app.email_codes t WHERE t.email_key = ANY(:emails)",
    (
        "UPDATE app.approvals t SET args = t.args - '{mail_to,mail_key}'::text[]"
        " WHERE t.status IN ('pending', 'claimed') AND t.args ->> 'mail_key' IN ("
        "SELECT encode(sha256(convert_to(e, 'UTF8')), 'hex') FROM unnest(CAST(:emails AS text[])) e)"
    ),
    (
        "UPDATE app.outbox t SET payload = t.payload - '{email,sealed}'::text[],"
        " delivered_at = coalesce(t.delivered_at, now()) WHERE lower(t.payload ->> 'email') = ANY(:emails)"
    ),
)
"""The proven address where somebody else typed it: it goes there too, and nothing else of theirs does."""


_ANSWERS: Final = (
    "DELETE FROM app.idempotency_keys t USING (SELECT id AS word FROM their_orders UNION ALL SELECT id FROM people"
    " UNION ALL SELECT id FROM their_returns UNION ALL SELECT id FROM their_claims UNION ALL SELECT id FROM their_cases"
    " UNION ALL SELECT id FROM their_sessions UNION ALL SELECT unnest(CAST(:emails AS text[]))) w"
    " WHERE position(lower(encode(convert_to(w.word, 'UTF8'), 'escape'))"
    " IN lower(encode(t.response_body, 'escape'))) > 0"
)


class AlreadyErased(Conflict):
    code = "customer_erased"


def request(session: Session, tenant_id: str, customer_id: str, *, requested_by: str, reason: str) -> Erasure:
    """Erase a customer, or note the wish where something is open that needs the data; asked again it is tried again.

    Raises ``NotFound``, ``AlreadyErased`` for one that was erased or became another.
    """
    if session.get(Customer, (tenant_id, customer_id)) is None:
        raise NotFound("There is no such customer.")
    customer = lock_customer(session, tenant_id, customer_id)
    if customer.erased_at is not None or customer.merged_into is not None:
        raise AlreadyErased("This customer was erased, or became another, before.")
    row = _noted(session, tenant_id, customer_id) or Erasure(
        tenant_id=tenant_id,
        id=new_id("erasure"),
        customer_id=customer_id,
        requested_by=requested_by,
        reason=reason,
        status=ErasureStatus.DEFERRED,
        holds=[],
        erased={},
    )
    session.add(row)
    ids = everybody(session, tenant_id, customer_id)
    stand_still(session, ids)
    row.holds = [asdict(hold) for hold in holds_of(session, ids)]
    if not row.holds:
        _erase(session, customer, ids, row)
    facts = {"status": row.status, "holds": [hold["kind"] for hold in row.holds], "rows": row.erased}
    audit.record(session, tenant_id, actor=requested_by, action="customer.erasure", subject=customer_id, facts=facts)
    session.flush()
    return row


def _forget_answers(session: Session, key: Mapping[str, object]) -> int:
    """Answers of the last day that name them: also those that were given to the shop's own people."""
    return _run(session, _ANSWERS, key)


def everybody(session: Session, tenant_id: str, customer_id: str) -> list[str]:
    """The customer and all who became them."""
    return list(session.scalars(_SELF_AND_MERGED, {"tenant": tenant_id, "customer": customer_id}))


def erase_deferred(runtime: Runtime, tenant_id: str) -> int:
    """Try again what was put off; returns how many were erased now."""
    with runtime.unit_of_work(tenant_id) as session:
        query = select(Erasure.customer_id, Erasure.requested_by, Erasure.reason).where(
            Erasure.tenant_id == tenant_id, Erasure.status == ErasureStatus.DEFERRED
        )
        waiting = session.execute(query.order_by(Erasure.requested_at)).all()
    done = 0
    for customer_id, requested_by, reason in waiting:
        try:
            with runtime.unit_of_work(tenant_id) as session:
                row = request(session, tenant_id, customer_id, requested_by=requested_by, reason=reason)
                done += row.status == ErasureStatus.DONE
        except Exception:
            log.exception("erasure failed", tenant=tenant_id, customer=customer_id)
    if done:
        forget_removed(runtime, tenant_id)
    return done


def _noted(session: Session, tenant_id: str, customer_id: str) -> Erasure | None:
    return session.scalars(
        select(Erasure).where(
            Erasure.tenant_id == tenant_id,
            Erasure.customer_id == customer_id,
            Erasure.status == ErasureStatus.DEFERRED,
        )
    ).one_or_none()


def _erase(session: Session, customer: Customer, ids: list[str], row: Erasure) -> None:
    key = {"ids": ids, "tenant": customer.tenant_id, "customer": customer.id}
    emails = [email.lower() for email in session.scalars(select(Customer.email).where(Customer.id.in_(ids)))]
    session.flush()
    session.execute(_ENTERED_CARDS, key)
    _forget_answers(session, key | {"emails": emails})
    counts = {room.table: _empty(session, room, ids) for room in ROOMS if room.drop or room.erase}
    for statement in _MENTIONS:
        session.execute(text(statement), {"emails": emails})
    for table in session.scalars(_MEMORY, {"tables": list(_GRAPH)}).all():
        _run(
            session,
            f"DELETE FROM graph.{table} WHERE thread_id IN (SELECT :tenant || ':' || id FROM their_threads)",
            key,
        )
    _run(
        session,
        f"DELETE FROM app.{BrowserSession.__tablename__} WHERE tenant_id = :tenant"
        " AND shopper_id IN (SELECT id FROM their_shoppers)",
        key,
    )
    _run(session, "UPDATE app.customers SET erased_at = now() WHERE id IN (SELECT id FROM people)", key)
    session.expire_all()
    row.status, row.done_at = ErasureStatus.DONE, clock.now()
    row.erased = {table: count for table, count in counts.items() if count}


def _empty(session: Session, room: Room, ids: list[str]) -> int:
    if room.drop:
        return _run(session, f"DELETE FROM app.{room.table} t WHERE {room.whose}", {"ids": ids})
    values = ", ".join(f"{column} = {blank}" for column, blank in (*room.erase.items(), *room.also.items()))
    return _run(session, f"UPDATE app.{room.table} t SET {values} WHERE {room.whose}", {"ids": ids})


def _run(session: Session, statement: str, key: Mapping[str, object]) -> int:
    done: CursorResult[Any] = session.execute(text(ONE + statement), key)  # type: ignore[assignment] # of a write
    return int(done.rowcount)
