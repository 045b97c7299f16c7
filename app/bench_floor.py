"""What the money path would cost if there were nothing to it but the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import local
from typing import Any, Final

import psycopg
from sqlalchemy import text

from app.bench_scene import Scene
from engine.checkout import claim, paid
from engine.checkout.sale import Draft
from engine.kit import clock
from engine.kit.direct import BIND, Ask, Statement
from engine.payments.gateway import Charge, ChargeStatus

_CHARGE: Final = Statement("""
WITH used AS (UPDATE sandbox.tokens SET status = 'consumed' WHERE merchant = %(tenant)s AND session_id = %(session_id)s
  AND status = 'live' RETURNING id)
INSERT INTO sandbox.charges (key_hash, id, body_hash, merchant, payment_id, session_id, amount, currency, status)
SELECT %(payment)s, %(payment)s, '', %(tenant)s, %(payment)s, %(session_id)s, %(total)s, %(currency)s, 'captured'
FROM used RETURNING id
""")
_open: Final = local()


def bench_commit_floor(scene: Scene) -> Callable[[], None]:
    """What the disk allows: three durable one-row commits, the least a sale could cost."""

    def run() -> None:
        for _ in range(3):
            with scene.runtime.store.without_tenant() as session:
                session.execute(text("UPDATE app.tenants SET demo = demo WHERE id = :id"), {"id": scene.tenant_id})

    return run


def bench_money_floor(scene: Scene) -> Callable[[], None]:
    """The same writes and commits by bare psycopg: prepared statements, values worked out beforehand, nothing read."""
    buyer, card_id = scene.approved()
    seen = claim.prepare(scene.runtime, buyer, card_id)
    quote = claim.agreed(seen)
    draft = Draft.of(buyer, seen.card, quote, card_id, clock.now())
    first = claim.asks(seen, draft, quote)
    settled = paid.values(draft.sale, Charge("", ChargeStatus.CAPTURED, "ch"), clock.now())
    second = [(paid.SETTLE, settled | {"must": False})]
    money = dict(first[0][1]) | {"total": draft.sale.amount}
    ours, gateway = scene.house.addresses.runtime, scene.house.addresses.sandbox

    def run() -> None:
        _commit(_line(ours), scene.tenant_id, first)
        _line(gateway).execute(_CHARGE.text, money, prepare=True)
        _commit(_line(ours), scene.tenant_id, second)

    return run


def _line(url: str) -> psycopg.Connection[Any]:
    """A connection that belongs to the thread."""
    lines: dict[str, psycopg.Connection[Any]] = _open.__dict__
    if url not in lines:
        lines[url] = psycopg.connect(url, autocommit=True)
    return lines[url]


def _commit(line: psycopg.Connection[Any], tenant_id: str, asks: Sequence[Ask]) -> None:
    with line.pipeline():
        line.execute(BIND.text, {"tenant": tenant_id}, prepare=True)
        for statement, values in asks:
            line.execute(statement.text, values, prepare=True)
