"""Where a platform hears of its orders, and the secret that its events are signed with."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.agentic.models import AgentPlatform
from engine.agentic.webhook_models import EventNaming, WebhookReceiver
from engine.kit import audit, clock, envelope, outward
from engine.kit.errors import Conflict, NotFound
from engine.kit.tenancy import Tenant
from engine.payments.alerts import resolve_alert
from engine.runtime import Runtime

PREFIX: Final = "whsec_"
DEAD: Final = "webhooks_given_up"
GONE: Final = "webhooks_gone"
"""Kinds of alerts; the subject is the platform."""


class NoWebhook(Conflict):
    code = "no_webhook"


@dataclass(frozen=True, slots=True)
class Secret:
    """A signing secret and since when (or from when) events are signed with it."""

    value: str = field(repr=False)
    begins_at: datetime


def set_webhook(
    session: Session, runtime: Runtime, platform: AgentPlatform, url: str, *, naming: EventNaming | None, actor: str
) -> str | None:
    """Let a platform hear of its orders at an address, from now on. The secret is answered once, when there was none.

    An address that was gone is tried again. Raises ``AddressRefused`` for one that is never called.
    """
    tenant = session.get_one(Tenant, platform.tenant_id)
    outward.parse(url, loopback=may_loop(runtime, tenant))
    row = session.get(WebhookReceiver, (platform.tenant_id, platform.id), with_for_update=True)
    if row is None:
        row = WebhookReceiver(tenant_id=platform.tenant_id, platform_id=platform.id, since=clock.now())
        session.add(row)
    elif platform.webhook_url is None:
        row.since = clock.now()
    row.naming = naming or row.naming or EventNaming.RELEASED
    row.failures, row.rests_until, row.suspended_at = 0, None, None
    platform.webhook_url = url
    resolve_alert(session, platform.tenant_id, GONE, platform.id)
    facts = {"host": outward.parse(url, loopback=True).host, "naming": str(row.naming)}
    _note(session, platform, actor, "platform.webhook_set", facts)
    if platform.webhook_secrets_sealed is not None:
        return None
    made = Secret(_new_secret(), clock.now())
    _keep(runtime, platform, [made])
    return made.value


def clear_webhook(session: Session, platform: AgentPlatform, *, actor: str) -> None:
    """Tell it nothing more. Its secret stays for when it gets an address again."""
    platform.webhook_url = None
    _note(session, platform, actor, "platform.webhook_cleared", {})


def rotate_secret(
    session: Session, runtime: Runtime, platform: AgentPlatform, *, overlap: timedelta, actor: str
) -> Secret:
    """A new secret, answered once. Until it begins, events are signed with the one there was: time for the receiver to
    accept both. Without ``overlap`` it begins at once.

    Raises ``NoWebhook``.
    """
    known = secrets_of(runtime, platform)
    if not known:
        raise NoWebhook("This platform has no webhook yet: give it an address first.")
    made = Secret(_new_secret(), clock.now() + overlap)
    _keep(runtime, platform, [made, current(known)])
    _note(session, platform, actor, "platform.secret_rotated", {"begins_at": made.begins_at.isoformat()})
    return made


def secrets_of(runtime: Runtime, platform: AgentPlatform) -> list[Secret]:
    """Newest first."""
    if platform.webhook_secrets_sealed is None:
        return []
    told = envelope.unseal(runtime.secret_key, platform.tenant_id, _context(platform), platform.webhook_secrets_sealed)
    return [Secret(one["secret"], datetime.fromisoformat(one["begins_at"])) for one in json.loads(told)]


def current(known: Sequence[Secret]) -> Secret:
    """The newest that has begun: the one that events are signed with."""
    now = clock.now()
    return next((one for one in known if one.begins_at <= now), known[-1])


def find(session: Session, tenant_id: str, name: str, *, lock: bool = False) -> AgentPlatform:
    """A platform by its name or id. Raises ``NotFound``."""
    query = select(AgentPlatform).where(
        AgentPlatform.tenant_id == tenant_id, (AgentPlatform.name == name) | (AgentPlatform.id == name)
    )
    found = session.scalars(query.with_for_update() if lock else query).first()
    if found is None:
        raise NotFound(f"There is no platform {name[:80]!r} at this shop.")
    return found


def may_loop(runtime: Runtime, tenant: Tenant) -> bool:
    """Whether this machine itself may be named: by the demo shops of a demo."""
    return runtime.demo and tenant.demo


def _new_secret() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def _keep(runtime: Runtime, platform: AgentPlatform, known: Sequence[Secret]) -> None:
    told = json.dumps([{"secret": one.value, "begins_at": one.begins_at.isoformat()} for one in known])
    platform.webhook_secrets_sealed = envelope.seal(runtime.secret_key, platform.tenant_id, _context(platform), told)


def _context(platform: AgentPlatform) -> str:
    return f"{platform.id}|webhook_secrets"


def _note(session: Session, platform: AgentPlatform, actor: str, action: str, facts: dict[str, str]) -> None:
    audit.record(session, platform.tenant_id, actor=actor, action=action, subject=platform.id, facts=facts)
