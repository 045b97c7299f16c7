"""A system's letter at our door: whose it is and whether it is genuine, then stored, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy.orm import Session

from engine.kit.errors import InvalidInput, NotFound, Unauthenticated
from engine.runtime import Runtime
from engine.sync import connections, inbox, secrets
from engine.sync.connectors import NotSupported, hooks_of
from engine.sync.inbox import MOST_BYTES
from engine.sync.models import Connection, ConnectionStatus, System
from engine.sync.work_models import Delivery

LETTER_LIMIT: Final = MOST_BYTES


class NotGenuine(Unauthenticated):
    """None of the connection's live secrets signed it."""

    code = "webhook_not_genuine"


def hear(
    session: Session,
    runtime: Runtime,
    tenant_id: str,
    connection_id: str,
    *,
    headers: Mapping[str, str],
    body: bytes,
) -> tuple[Delivery, bool]:
    """The letter as it is stored, and whether it is new. It is stored whatever the connection rests for: it is worked
    later, or never. ``body`` is what came, byte by byte.

    Raises ``NotFound`` for a connection that is not the shop's, is closed, or whose system sends nothing;
    ``NotGenuine``, and nothing is stored; ``InvalidInput`` for a letter without a name.
    """
    row = _connection(session, tenant_id, connection_id)
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        hooks = hooks_of(System(row.system))
    except NotSupported:
        raise NotFound("There is no such connection.") from None
    live = secrets.secrets_of(session, runtime, row).get(hooks.hook_secret, ())
    if not hooks.verify(lower, body, live):
        raise NotGenuine("This letter is not signed by the system that it says it is from.")
    told = hooks.delivery(lower)
    if told is None:
        raise InvalidInput("This letter has no name or no topic.", param="headers")
    return inbox.receive(
        session,
        tenant_id=tenant_id,
        source=source_of(row),
        delivery_id=told.delivery_id,
        topic=told.topic,
        body=body,
        headers=lower,
        connection_id=row.id,
    )


def source_of(connection: Connection) -> str:
    """Who tells: a shop may have two accounts at one system, and their names for letters need not differ."""
    return f"{connection.system}:{connection.id}"


def _connection(session: Session, tenant_id: str, connection_id: str) -> Connection:
    row = connections.get(session, tenant_id, connection_id)
    if row.status == ConnectionStatus.CLOSED:
        raise NotFound("There is no such connection.")
    return row
