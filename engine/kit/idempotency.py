"""A write with the same key and the same body happens once, and answers the same again.

The row is claimed inside the business transaction: a racing duplicate waits on the unique key and then gets the
stored answer. Work that spans several transactions (complete) claims first and finishes later; a duplicate in
between gets ``InFlight``.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import orjson
from sqlalchemy import Index, LargeBinary, String, Update, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.kit import clock
from engine.kit.direct import Ask, Row, Statement, document
from engine.kit.errors import Conflict, DomainError, Kind
from engine.kit.tenancy import TenantRow

KEEP: Final = timedelta(hours=25)
LEASE: Final = timedelta(seconds=25)
"""How long work that spans transactions may take before another request with its key goes on with it: longer than the
gateway's time-out."""


class Store(Protocol):
    """What asks the database in one round trip."""

    def ask(self, tenant_id: str, *asks: Ask) -> list[list[Row]]: ...


_THERE: Final = Statement("""
SELECT true AS there FROM app.idempotency_keys
WHERE tenant_id = %(tenant)s AND identity = %(identity)s AND operation = %(operation)s AND key = %(key)s
""")


KEEP_ANSWER: Final = Statement("""
INSERT INTO app.idempotency_keys (tenant_id, identity, operation, key, request_hash, response_status, response_body,
  point, lease_until, created_at)
VALUES (%(tenant)s, %(identity)s, %(operation)s, %(key)s, %(request_hash)s, %(status)s, %(body)s, %(point)s,
  %(lease_until)s, %(now)s)
""")
_FINISH: Final = Statement("""
WITH kept AS (
  UPDATE app.idempotency_keys SET response_status = %(status)s, response_body = %(body)s, lease_until = NULL
  WHERE tenant_id = %(tenant)s AND identity = %(identity)s AND operation = %(operation)s AND key = %(key)s
    AND response_status IS NULL
  RETURNING key)
SELECT 1 / count(*) AS whole FROM kept
""")


class IdempotencyConflict(Conflict):
    code = "idempotency_conflict"
    kind = Kind.UNPROCESSABLE


class InFlight(DomainError):
    code = "idempotency_in_flight"
    kind = Kind.CONFLICT
    retryable = True
    retry_after_seconds = 1


class IdempotencyKey(TenantRow):
    __tablename__ = "idempotency_keys"

    identity: Mapped[str] = mapped_column(String(80), primary_key=True)
    operation: Mapped[str] = mapped_column(String(300), primary_key=True)
    """Method and path."""
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    response_status: Mapped[int | None]
    response_body: Mapped[bytes | None] = mapped_column(LargeBinary)
    point: Mapped[dict[str, Any] | None]
    """Of work that spans transactions: where it is taken up again when its request died."""
    lease_until: Mapped[datetime | None]
    """Until then somebody is at it."""
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (Index("ix_idempotency_keys_created_at", "tenant_id", "created_at"),)


@dataclass(frozen=True, slots=True)
class Claim:
    """Who asks what under which key."""

    identity: str
    operation: str
    key: str
    request_hash: str


@dataclass(frozen=True, slots=True)
class Stored:
    """The answer given the first time."""

    status: int
    body: bytes


def fingerprint(body: Any) -> str:
    """SHA-256 of the JSON meaning of a body: key order and ``1``/``1.0`` are equal, array order and null are not."""
    return hashlib.sha256(canonical_json(body)).hexdigest()


_PLAIN: Final = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
_DOUBTFUL: Final = re.compile(rb"(?:^|[:,[])(?:-?[0-9]+[.e]|null)")
"""Every number that is written with a fraction, and one that is none (NaN); a text may hold it too."""


def canonical_json(value: Any) -> bytes:
    """One spelling for one JSON meaning (in the spirit of RFC 8785)."""
    try:
        spelled = orjson.dumps(value, option=_PLAIN)
    except TypeError:  # what only the other way can write, or say why not
        return _spelled(value)
    return _spelled(value) if _DOUBTFUL.search(spelled) else spelled


def _spelled(value: Any) -> bytes:
    return json.dumps(
        _plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def claim(session: Session, tenant_id: str, wanted: Claim) -> Stored | None:
    """Take the key for this transaction; ``None`` means go ahead, a ``Stored`` is the answer to give again.

    Raises ``IdempotencyConflict`` for another body and ``InFlight`` while the first request is unfinished.
    """
    row = insert(IdempotencyKey).values(
        tenant_id=tenant_id,
        identity=wanted.identity,
        operation=wanted.operation,
        key=wanted.key,
        request_hash=wanted.request_hash,
        created_at=clock.now(),
    )
    if session.execute(row.on_conflict_do_nothing().returning(IdempotencyKey.key)).first():
        return None
    found = session.execute(
        select(IdempotencyKey.request_hash, IdempotencyKey.response_status, IdempotencyKey.response_body).where(
            IdempotencyKey.tenant_id == tenant_id,
            IdempotencyKey.identity == wanted.identity,
            IdempotencyKey.operation == wanted.operation,
            IdempotencyKey.key == wanted.key,
        )
    ).one()
    if found.request_hash != wanted.request_hash:
        raise IdempotencyConflict("This idempotency key was used with another request body.")
    if found.response_status is None:
        raise InFlight("The first request with this idempotency key is still running.")
    return Stored(found.response_status, found.response_body or b"")


def seen(session: Session, tenant_id: str, wanted: Claim) -> Stored | dict[str, Any] | None:
    """What is kept under the key of work that spans transactions: its answer, or the point to go on from when nobody
    is at it any more (from now on we are). ``None`` for a key that is new.

    Raises ``IdempotencyConflict``, ``InFlight``.
    """
    row = session.get(IdempotencyKey, _key(tenant_id, wanted), with_for_update=True)
    if row is None:
        return None
    if row.request_hash != wanted.request_hash:
        raise IdempotencyConflict("This idempotency key was used with another request body.")
    if row.response_status is not None:
        return Stored(row.response_status, row.response_body or b"")
    if row.point is None or (row.lease_until is not None and row.lease_until > clock.now()):
        raise InFlight("The first request with this idempotency key is still running.")
    row.lease_until = clock.now() + LEASE
    return row.point


def claim_staged(session: Session, tenant_id: str, wanted: Claim) -> Stored | dict[str, Any] | None:
    """Take the key for work that spans transactions, as ``claim`` does; else what ``seen`` says."""
    row = insert(IdempotencyKey).values(
        tenant_id=tenant_id,
        identity=wanted.identity,
        operation=wanted.operation,
        key=wanted.key,
        request_hash=wanted.request_hash,
        created_at=clock.now(),
    )
    if session.execute(row.on_conflict_do_nothing().returning(IdempotencyKey.key)).first():
        return None
    return seen(session, tenant_id, wanted)


def keep_point(session: Session, tenant_id: str, wanted: Claim, point: dict[str, Any]) -> None:
    """Keep with the claimed key where the work can be taken up again, and that we are at it."""
    session.execute(_mine(tenant_id, wanted).values(point=point, lease_until=clock.now() + LEASE))


def let_go(session: Session, tenant_id: str, wanted: Claim) -> None:
    """We are not at it any more: the next request with the key goes on from its point."""
    row = session.get_one(IdempotencyKey, _key(tenant_id, wanted), with_for_update=True)
    row.lease_until = None


def store_once(session: Session, tenant_id: str, wanted: Claim, answer: Stored) -> Stored:
    """Keep the answer, unless one is kept already; returns the one that is."""
    row = session.get_one(IdempotencyKey, _key(tenant_id, wanted), with_for_update=True)
    if row.response_status is not None:
        return Stored(row.response_status, row.response_body or b"")
    row.response_status, row.response_body, row.lease_until = answer.status, answer.body, None
    return answer


def there(tenant_id: str, wanted: Claim) -> Ask:
    """Whether anything is kept under the key, beside other statements: a row if so. It waits for nobody."""
    return _THERE, _values(tenant_id, wanted)


def kept_with(tenant_id: str, wanted: Claim, answer: Stored) -> Ask:
    """Take the key and keep its answer in the transaction of the work. It waits for whoever has the key and fails
    (``UniqueViolation``) where that one kept it.
    """
    more = {"status": answer.status, "body": answer.body, "point": None, "lease_until": None}
    return KEEP_ANSWER, _values(tenant_id, wanted) | more


def point_with(tenant_id: str, wanted: Claim, point: dict[str, Any]) -> Ask:
    """The same with a point where the work can be taken up again; we are at it."""
    more = {"status": None, "body": None, "point": document(point), "lease_until": clock.now() + LEASE}
    return KEEP_ANSWER, _values(tenant_id, wanted) | more


def finish_with(tenant_id: str, wanted: Claim, answer: Stored) -> Ask:
    """Keep the answer of work that spans transactions. It fails (``Refused``) where one is kept already."""
    return _FINISH, _values(tenant_id, wanted) | {"status": answer.status, "body": answer.body}


def _values(tenant_id: str, wanted: Claim) -> Row:
    return {
        "tenant": tenant_id,
        "identity": wanted.identity,
        "operation": wanted.operation,
        "key": wanted.key,
        "request_hash": wanted.request_hash,
        "now": clock.now(),
    }


def is_new(store: Store, tenant_id: str, wanted: Claim) -> bool:
    """Whether nothing is kept under the key yet, in one round trip that waits for nobody."""
    return not store.ask(tenant_id, there(tenant_id, wanted))[0]


def _mine(tenant_id: str, wanted: Claim) -> Update:
    return update(IdempotencyKey).where(
        IdempotencyKey.tenant_id == tenant_id,
        IdempotencyKey.identity == wanted.identity,
        IdempotencyKey.operation == wanted.operation,
        IdempotencyKey.key == wanted.key,
    )


def _key(tenant_id: str, wanted: Claim) -> tuple[str, str, str, str]:
    return (tenant_id, wanted.identity, wanted.operation, wanted.key)


def store(session: Session, tenant_id: str, wanted: Claim, answer: Stored) -> None:
    """Keep the answer with the claimed key, in the same transaction as the work it answers."""
    session.execute(_mine(tenant_id, wanted).values(response_status=answer.status, response_body=answer.body))


def forget_old(session: Session, tenant_id: str) -> int:
    """Drop answers older than 25 hours (the protocols ask for at least 24); returns how many."""
    gone = session.execute(
        delete(IdempotencyKey)
        .where(IdempotencyKey.tenant_id == tenant_id, IdempotencyKey.created_at < clock.now() - KEEP)
        .returning(IdempotencyKey.key)
    )
    return len(gone.all())
