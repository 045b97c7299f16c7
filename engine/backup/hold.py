"""Ending what a restore holds: compare our payments with the gateways', say what differs, let go when nothing does.

The gateways went on after the backup's horizon. Recovery brings what we still know as unfinished to its end by asking
them; what they know and we do not (its order's rows are gone) goes into the inbox. Nothing is given back by itself:
the same backup may have been restored on a second machine, for a look. A person who settled it otherwise closes the
alert.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.kit import audit, clock
from engine.kit.errors import Unavailable
from engine.kit.holds import Restore
from engine.payments import unknown
from engine.payments.gateway import Standing
from engine.runtime import Runtime

_LOOK_EVERY: Final = timedelta(seconds=10)
_SHOWN: Final = 20
_UNFINISHED: Final = """
SELECT
  (SELECT count(*) FROM app.payments WHERE tenant_id = :tenant AND status IN ('processing', 'unknown')
    AND created_at <= :restored_at) AS payments,
  (SELECT count(*) FROM app.captures WHERE tenant_id = :tenant AND status = 'pending'
    AND created_at <= :restored_at) AS captures,
  (SELECT count(*) FROM app.refunds WHERE tenant_id = :tenant AND status = 'pending'
    AND created_at <= :restored_at) AS refunds
"""
_OURS: Final = """
SELECT p.id, p.status IN ('processing', 'unknown') OR c.pending OR r.pending AS moving, c.amount, r.amount,
  (SELECT coalesce(sum(amount), 0)::bigint FROM app.disputes d
    WHERE d.tenant_id = p.tenant_id AND d.payment_id = p.id AND d.status <> 'won')
FROM app.payments p
CROSS JOIN LATERAL (SELECT coalesce(bool_or(status = 'pending'), false) AS pending,
  coalesce(sum(amount) FILTER (WHERE status = 'succeeded'), 0)::bigint AS amount
  FROM app.captures WHERE tenant_id = p.tenant_id AND payment_id = p.id) c
CROSS JOIN LATERAL (SELECT coalesce(bool_or(status = 'pending'), false) AS pending,
  coalesce(sum(amount) FILTER (WHERE status = 'succeeded' AND destination = 'original'), 0)::bigint AS amount
  FROM app.refunds WHERE tenant_id = p.tenant_id AND payment_id = p.id) r
WHERE p.tenant_id = :tenant
"""
Books = Mapping[str, tuple[str, Standing]]
"""Payment id → its gateway's name, and that gateway's books of it."""
log = structlog.get_logger(__name__)


def reconcile_restore(runtime: Runtime, tenant_id: str) -> bool:
    """Look whether the tenant's restore is reconciled, and let go if so; returns whether it is still held."""
    with runtime.unit_of_work(tenant_id) as session:
        standing = session.get(Restore, tenant_id)
        if standing is None or standing.lifted_at is not None:
            return False
        if standing.looked_at is not None and standing.looked_at > clock.now() - _LOOK_EVERY:
            return True
    books, silent = _gateway_books(runtime, tenant_id)
    with runtime.unit_of_work(tenant_id) as session:
        standing = session.get_one(Restore, tenant_id, with_for_update=True)
        waiting_for = _compare(session, standing, books) | ({"gateways": silent} if silent else {})
        standing.looked_at, standing.waiting_for = clock.now(), waiting_for
        if not waiting_for:
            _let_go(session, standing)
        return bool(waiting_for)


def _gateway_books(runtime: Runtime, tenant_id: str) -> tuple[Books, list[str]]:
    """The books, and the gateways that did not answer.

    Read before our own rows: a payment has its row here before its gateway hears of it, so one that is missing here
    afterwards is missing for good.
    """
    books: dict[str, tuple[str, Standing]] = {}
    silent = []
    for name, gateway in runtime.gateways.items():
        try:
            found = gateway.standings(merchant=tenant_id)
        except Unavailable as error:
            log.warning("gateway unreachable", gateway=name, code=error.code)
            silent.append(name)
        else:
            books |= {payment_id: (name, standing) for payment_id, standing in found.items()}
    return books, silent


def _compare(session: Session, standing: Restore, books: Books) -> dict[str, Any]:
    """What is not reconciled yet; empty when everything is."""
    tenant_id = standing.tenant_id
    rows = session.execute(text(_OURS), {"tenant": tenant_id}).all()
    ours = {row[0]: None if row[1] else (row[2], row[3], row[4]) for row in rows}
    strangers = {key: books[key] for key in books.keys() - ours.keys()}
    differing = {
        key: (gateway, theirs, mine)
        for key, (gateway, theirs) in books.items()
        if (mine := ours.get(key)) is not None and mine != unknown.sums(theirs)
    }
    twice = set(standing.waiting_for.get(unknown.BOOKS_DIFFER, [])) & differing.keys()
    told = unknown.tell_differing(session, tenant_id, {key: differing[key] for key in sorted(twice)})
    waiting_for = _unfinished(session, standing) | {
        unknown.UNKNOWN_CAPTURE: unknown.tell_unknown(session, tenant_id, strangers),
        unknown.BOOKS_DIFFER: sorted(told | (differing.keys() - twice)),
    }
    return {what: left[:_SHOWN] if isinstance(left, list) else left for what, left in waiting_for.items() if left}


def _unfinished(session: Session, standing: Restore) -> dict[str, int]:
    """How many payments, captures and refunds of the backup have not come to an end."""
    facts = {"tenant": standing.tenant_id, "restored_at": standing.restored_at}
    return dict(session.execute(text(_UNFINISHED), facts).mappings().one())


def _let_go(session: Session, standing: Restore) -> None:
    standing.lifted_at = clock.now()
    facts = {"horizon": standing.horizon.isoformat(), "restored_at": standing.restored_at.isoformat()}
    tenant_id = standing.tenant_id
    audit.record(session, tenant_id, actor="system", action="restore.reconciled", subject=tenant_id, facts=facts)
