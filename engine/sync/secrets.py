"""A connection's secrets: sealed at rest, two live values of one while it is being replaced, and never shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, NoReturn, TypeVar

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from engine.kit import clock, envelope
from engine.kit.errors import InvalidInput
from engine.runtime import Runtime
from engine.sync.models import Connection, ConnectionSecret, System

V = TypeVar("V")
LIVE: Final = 2
SHORTEST, LONGEST = 8, 8_192
NEEDED: Final[Mapping[System, tuple[frozenset[str], frozenset[str]]]] = {
    System.SHOPIFY: (frozenset({"access_token"}), frozenset({"webhook_secret"})),
    System.NETSUITE: (
        frozenset(),
        frozenset({"private_key", "consumer_key", "consumer_secret", "token_id", "token_secret"}),
    ),
    System.DCL: (frozenset({"password"}), frozenset()),
    System.WOOCOMMERCE: (frozenset({"consumer_key", "consumer_secret"}), frozenset({"webhook_secret"})),
    System.SLACK: (frozenset({"webhook_path"}), frozenset()),
    System.GORGIAS: (frozenset({"api_key"}), frozenset({"webhook_secret"})),
    System.RECHARGE: (frozenset({"access_token"}), frozenset({"webhook_secret"})),
    System.TRACKER: (frozenset({"api_key"}), frozenset({"webhook_secret"})),
}
"""What a system must have, and what it may have. Names that are no secret (a user, an account) are settings."""


class _Quiet(Mapping[str, V]):
    """It says names alone when it is printed, logged or passed on."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, V]) -> None:
        self._values = dict(values)

    def __getitem__(self, field: str) -> V:
        return self._values[field]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(sorted(self._values))})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} do not leave the process: pass the connection's id.")


class Credentials(_Quiet[str]):
    """One value of each field."""

    __slots__ = ()


class Secrets(_Quiet[tuple[str, ...]]):
    """Field → its live values, newest first."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Secrets({', '.join(f'{field}: {len(values)}' for field, values in sorted(self._values.items()))})"

    def sets(self) -> list[Credentials]:
        """What to try, one after the other: the newest of each, then the ones before."""
        depth = max((len(values) for values in self._values.values()), default=1)
        return [
            Credentials({field: values[min(turn, len(values) - 1)] for field, values in self._values.items()})
            for turn in range(depth)
        ]

    def values_in_use(self) -> list[str]:
        """Every live value, longest first: what may appear nowhere."""
        return sorted({value for values in self._values.values() for value in values}, key=len, reverse=True)


def check(system: System, given: Mapping[str, str], *, whole: bool) -> None:
    """Raises ``InvalidInput`` for a field that the system has not, one that is missing (``whole``), or a value that
    can be none. No word of a value is said.
    """
    must, may = NEEDED[system]
    if set(given) - must - may or not given:
        raise InvalidInput(f"A {system} connection has the secrets {', '.join(sorted(must | may))}.", param="secrets")
    if whole and (missing := sorted(must - set(given))):
        raise InvalidInput(f"A {system} connection needs {', '.join(missing)}.", param=f"secrets.{missing[0]}")
    for field, value in given.items():
        if not (SHORTEST <= len(value) <= LONGEST) or "\0" in value or value != value.strip():
            raise InvalidInput(
                f"{field} has {SHORTEST} to {LONGEST:,} characters, and no blanks around it.", param=f"secrets.{field}"
            )


def keep(
    session: Session, runtime: Runtime, connection: Connection, given: Mapping[str, str], *, overlap: timedelta
) -> None:
    """Seal new values. The ones that they replace count until ``overlap`` is over, older ones no more."""
    now = clock.now()
    known = _rows(session, connection)
    for field, value in given.items():
        rows = [row for row in known if row.field == field]
        for place, row in enumerate(rows):
            if place < LIVE - 1 and overlap and _live(row.ends_at, now):
                row.ends_at = min(row.ends_at or now + overlap, now + overlap)
            else:
                session.delete(row)
        session.flush()
        version = rows[0].version + 1 if rows else 1
        sealed = envelope.seal(runtime.secret_key, connection.tenant_id, _context(connection, field, version), value)
        session.add(
            ConnectionSecret(
                tenant_id=connection.tenant_id,
                connection_id=connection.id,
                field=field,
                version=version,
                sealed=sealed,
                created_at=now,
            )
        )
    session.flush()


def secrets_of(session: Session, runtime: Runtime, connection: Connection) -> Secrets:
    """The live values. Raises ``cryptography.exceptions.InvalidTag`` for a row that was sealed for something else."""
    now = clock.now()
    found: dict[str, list[str]] = {}
    for row in _rows(session, connection):
        if _live(row.ends_at, now):
            context = _context(connection, row.field, row.version)
            value = envelope.unseal(runtime.secret_key, row.tenant_id, context, row.sealed)
            found.setdefault(row.field, []).append(value)
    return Secrets({field: tuple(values) for field, values in found.items()})


def forget(session: Session, tenant_id: str, connection_id: str) -> None:
    """Drop every secret of a connection."""
    session.execute(
        delete(ConnectionSecret).where(
            ConnectionSecret.tenant_id == tenant_id, ConnectionSecret.connection_id == connection_id
        )
    )


def forget_ended(session: Session, tenant_id: str) -> None:
    """Drop what was replaced and counts no more."""
    session.execute(
        delete(ConnectionSecret).where(ConnectionSecret.tenant_id == tenant_id, ConnectionSecret.ends_at <= clock.now())
    )


def _rows(session: Session, connection: Connection) -> list[ConnectionSecret]:
    """Newest first."""
    query = select(ConnectionSecret).where(
        ConnectionSecret.tenant_id == connection.tenant_id, ConnectionSecret.connection_id == connection.id
    )
    return list(session.scalars(query.order_by(ConnectionSecret.field, ConnectionSecret.version.desc())))


def _live(ends_at: datetime | None, now: datetime) -> bool:
    return ends_at is None or ends_at > now


def _context(connection: Connection, field: str, version: int) -> str:
    return f"{connection.id}|{field}|{version}"
