"""A shop's accounts at other systems: opened, paused, given new secrets, closed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit import audit, clock, outward
from engine.kit.direct import Statement
from engine.kit.errors import Conflict, InvalidInput, NotFound
from engine.kit.gathering import Rows, fetch
from engine.kit.ids import new_id
from engine.kit.tenancy import Tenant
from engine.payments.alerts import resolve_alert
from engine.runtime import Runtime
from engine.sync import alerts, limits, secrets
from engine.sync.limits import LimitPolicy
from engine.sync.models import Breaker, BreakerState, Connection, ConnectionStatus, System
from engine.sync.secrets import Secrets
from engine.sync.states import CONNECTION
from engine.sync.wire import storable

OVERLAP: Final = timedelta(hours=1)
"""How long a replaced secret counts: a system may take that long to use the new one (Shopify's webhooks)."""
LONGEST_OVERLAP: Final = timedelta(days=7)
_CONNECTION: Final = Rows(Connection, "r.tenant_id = %(tenant)s AND r.id = %(id)s")
_AROUND: Final = Statement(
    """SELECT b.state AS breaker, t.demo, EXISTS (SELECT FROM app.restores r
WHERE r.tenant_id = b.tenant_id AND r.lifted_at IS NULL) AS held
FROM app.sync_breakers b JOIN app.tenants t ON t.id = b.tenant_id
WHERE b.tenant_id = %(tenant)s AND b.connection_id = %(id)s"""
)
_NAME_LIMIT: Final = 80
_SETTINGS_LIMIT: Final = 100
_SECRET_NAMES: Final = ("secret", "password", "token", "private", "api_key", "apikey", "credential")


class NameTaken(Conflict):
    code = "connection_exists"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a connection stands. ``held``: the shop came out of a backup, and nothing leaves it yet."""

    connection: Connection
    breaker: BreakerState
    held: bool
    demo: bool


def connect(
    session: Session,
    runtime: Runtime,
    tenant_id: str,
    *,
    actor: str,
    system: System,
    name: str,
    base_url: str,
    settings: Mapping[str, Any],
    secrets_given: Mapping[str, str],
    limit: LimitPolicy | None = None,
) -> Connection:
    """A new connection. ``limit`` is the system's usual one where nothing is said.

    Raises ``AddressRefused`` for an address that is never called, ``InvalidInput`` for secrets that do not fit the
    system or settings that hold something secret, ``NameTaken``.
    """
    _check_address(session, runtime, tenant_id, base_url)
    _check_settings(settings, secrets_given.values())
    secrets.check(system, secrets_given, whole=True)
    _check_name(session, tenant_id, system, name)
    row = Connection(
        tenant_id=tenant_id,
        id=new_id("connection"),
        system=system,
        name=name,
        base_url=base_url.rstrip("/"),
        settings=storable(dict(settings)),
    )
    session.add(row)
    session.flush()
    secrets.keep(session, runtime, row, secrets_given, overlap=timedelta())
    session.add(limits.made(row, limit or limits.USUAL[system]))
    session.add(Breaker(tenant_id=tenant_id, connection_id=row.id))
    _note(session, row, actor, "connection.opened", {"system": str(system), "host": urlsplit(base_url).hostname})
    session.flush()
    return row


def change(
    session: Session,
    runtime: Runtime,
    tenant_id: str,
    connection_id: str,
    *,
    actor: str,
    base_url: str | None = None,
    settings: Mapping[str, Any] | None = None,
    limit: LimitPolicy | None = None,
) -> Connection:
    """Another address at the same host, other settings (all of them anew) or another limit; what is not said stays.
    Raises ``NotFound``, and what ``connect`` raises.
    """
    row = get(session, tenant_id, connection_id, lock=True)
    _refuse_closed(row)
    told: dict[str, Any] = {}
    if base_url is not None and base_url.rstrip("/") != row.base_url:
        _check_address(session, runtime, tenant_id, base_url)
        _check_host(row, base_url)
        told["base_url"] = row.base_url = base_url.rstrip("/")
    if settings is not None:
        _check_settings(settings, secrets.secrets_of(session, runtime, row).values_in_use())
        told["settings"] = sorted(settings)
        row.settings = storable(dict(settings))
    if limit is not None:
        limits.set_policy(session, row, limit)
        told["limit"] = limit.told()
    _note(session, row, actor, "connection.changed", told)
    return row


def rotate(
    session: Session,
    runtime: Runtime,
    tenant_id: str,
    connection_id: str,
    *,
    actor: str,
    secrets_given: Mapping[str, str],
    overlap: timedelta = OVERLAP,
) -> Connection:
    """New values of some secrets. What they replace counts for ``overlap`` more, and no longer. A connection that
    rested for want of good secrets works again. Raises ``NotFound``, ``InvalidInput``.
    """
    row = get(session, tenant_id, connection_id, lock=True)
    _refuse_closed(row)
    if not timedelta() <= overlap <= LONGEST_OVERLAP:
        raise InvalidInput("A replaced secret counts for 7 days at most.", param="overlap_seconds")
    secrets.check(row.system, secrets_given, whole=False)
    _check_settings(row.settings, secrets_given.values())
    secrets.keep(session, runtime, row, secrets_given, overlap=overlap)
    facts = {"fields": sorted(secrets_given), "overlap_seconds": int(overlap.total_seconds())}
    _note(session, row, actor, "connection.secrets_rotated", facts)
    if row.status == ConnectionStatus.AUTH_EXPIRED:
        _become(session, row, ConnectionStatus.ACTIVE, "", actor)
    return row


def pause(session: Session, tenant_id: str, connection_id: str, *, actor: str, reason: str) -> Connection:
    """Call it no more until somebody resumes it. Raises ``NotFound``, ``IllegalTransition``."""
    if not reason.strip():
        raise InvalidInput("Say why the connection is paused.", param="reason")
    row = get(session, tenant_id, connection_id, lock=True)
    _become(session, row, ConnectionStatus.PAUSED, reason.strip()[:200], actor)
    return row


def resume(session: Session, tenant_id: str, connection_id: str, *, actor: str) -> Connection:
    """Call it again. Raises ``NotFound``, ``IllegalTransition``."""
    row = get(session, tenant_id, connection_id, lock=True)
    _become(session, row, ConnectionStatus.ACTIVE, "", actor)
    return row


def close(session: Session, tenant_id: str, connection_id: str, *, actor: str, reason: str) -> Connection:
    """It is over. Its secrets go at once; its journal and links stay."""
    if not reason.strip():
        raise InvalidInput("Say why the connection is closed.", param="reason")
    row = get(session, tenant_id, connection_id, lock=True)
    _become(session, row, ConnectionStatus.CLOSED, reason.strip()[:200], actor)
    secrets.forget(session, tenant_id, connection_id)
    alerts.breaker_closed(session, tenant_id, connection_id)
    return row


def expire_auth(session: Session, runtime: Runtime, tenant_id: str, connection_id: str, *, tried: Secrets) -> bool:
    """The system took none of ``tried``: the connection rests, and somebody is told. ``False``, and nothing happens,
    where it was given other secrets meanwhile.
    """
    row = get(session, tenant_id, connection_id, lock=True)
    if row.status == ConnectionStatus.CLOSED:
        return True
    if secrets.secrets_of(session, runtime, row).values_in_use() != tried.values_in_use():
        return False
    if row.status == ConnectionStatus.ACTIVE:
        _become(session, row, ConnectionStatus.AUTH_EXPIRED, "The system does not take our secrets any more.", "system")
        alerts.raise_about(session, tenant_id, alerts.AUTH_EXPIRED, row.id)
    return True


def get(session: Session, tenant_id: str, connection_id: str, *, lock: bool = False) -> Connection:
    """Raises ``NotFound``."""
    query = select(Connection).where(Connection.tenant_id == tenant_id, Connection.id == connection_id)
    if lock:  # what points at it (permits, the journal) is written meanwhile
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    row = session.scalars(query).one_or_none()
    if row is None:
        raise NotFound("There is no such connection.")
    return row


def standing(session: Session, tenant_id: str, connection_id: str) -> Standing:
    """A connection and what decides whether it may be called, in one trip. Raises ``NotFound``."""
    its = {"tenant": tenant_id, "id": connection_id}
    rows, around = fetch(session, (_CONNECTION, its), (_AROUND, its))
    if not rows or not around:
        raise NotFound("There is no such connection.")
    return Standing(rows[0], **around[0])


def listed(session: Session, tenant_id: str, *, system: System | None = None, closed: bool = False) -> list[Connection]:
    """The shop's connections in the order in which they were made; a shop has a handful."""
    query = select(Connection).where(Connection.tenant_id == tenant_id)
    if system is not None:
        query = query.where(Connection.system == system)
    if not closed:
        query = query.where(Connection.status != ConnectionStatus.CLOSED)
    return list(session.scalars(query.order_by(Connection.created_at, Connection.id)))


def only(session: Session, tenant_id: str, system: System) -> Connection:
    """The one connection to a system that a shop works with. Raises ``NotFound`` where there is none,
    ``Conflict`` where there are more.
    """
    found = listed(session, tenant_id, system=system)
    if not found:
        raise NotFound(f"This shop is not connected to {system}.")
    if len(found) > 1:
        raise Conflict(f"This shop has {len(found)} connections to {system}: say which.")
    return found[0]


def may_loop(session: Session, runtime: Runtime, tenant_id: str) -> bool:
    """Whether this machine itself may be named: by the demo shops of a demo, for the sandbox."""
    return runtime.demo and session.get_one(Tenant, tenant_id).demo


def _become(session: Session, row: Connection, status: ConnectionStatus, reason: str, actor: str) -> None:
    before = row.status
    row.status = CONNECTION.check(before, status)
    row.reason, row.status_at = reason, clock.now()
    facts = {"from": str(before), "to": str(status), "reason": reason}
    _note(session, row, actor, "connection.status_changed", facts)
    if status != ConnectionStatus.AUTH_EXPIRED:
        resolve_alert(session, row.tenant_id, alerts.AUTH_EXPIRED, row.id)


def _refuse_closed(row: Connection) -> None:
    if row.status == ConnectionStatus.CLOSED:
        raise Conflict("This connection is closed.")


def _check_address(session: Session, runtime: Runtime, tenant_id: str, base_url: str) -> None:
    target = outward.parse(base_url, loopback=may_loop(session, runtime, tenant_id))
    if "?" in target.path:
        raise InvalidInput("A base address has no query.", param="base_url")


def _check_host(row: Connection, base_url: str) -> None:
    """Whoever may name an address need not know the secrets, and is not to have them sent to a machine of their own."""
    if urlsplit(base_url).hostname != urlsplit(row.base_url).hostname:
        raise InvalidInput("Secrets go to the host that they were given for: connect another.", param="base_url")


def _check_name(session: Session, tenant_id: str, system: System, name: str) -> None:
    if not name.strip() or len(name) > _NAME_LIMIT or not name.isprintable():
        raise InvalidInput("A connection's name has 1 to 80 printable characters.", param="name")
    if any(row.name == name for row in listed(session, tenant_id, system=system)):
        raise NameTaken(f"There is a {system} connection of this name already.")


def _check_settings(settings: Mapping[str, Any], given: Iterable[str]) -> None:
    """Settings are shown as they are: nothing secret lies in them."""
    if len(settings) > _SETTINGS_LIMIT:
        raise InvalidInput(f"A connection has at most {_SETTINGS_LIMIT} settings.", param="settings")
    try:
        kept = storable(dict(settings))
    except ValueError as error:
        raise InvalidInput(f"Settings cannot be kept: {error}.", param="settings") from None
    if any(word in name.lower() for name in _names(kept) for word in _SECRET_NAMES):
        raise InvalidInput("A setting is no place for a secret: name it among the secrets.", param="settings")
    said = repr(kept)
    if any(value in said or repr(value)[1:-1] in said for value in given):
        raise InvalidInput("A setting repeats a secret.", param="settings")


def _names(value: Any) -> Iterator[str]:
    """Every name in a document, however deep."""
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    for one in value if isinstance(value, list) else ():
        yield from _names(one)


def _note(session: Session, row: Connection, actor: str, action: str, facts: Mapping[str, Any]) -> None:
    audit.record(session, row.tenant_id, actor=actor, action=action, subject=row.id, facts=dict(facts))
