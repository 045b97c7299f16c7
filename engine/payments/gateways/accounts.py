"""A merchant's accounts at gateways: kept sealed, opened for one call, never shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit import audit, clock
from engine.kit.envelope import seal, unseal
from engine.payments.errors import GatewayMisconfigured, GatewayNotConfigured
from engine.payments.gateways.models import AccountMode, GatewayAccount

_WEBHOOK_SECRETS: Final = 2
"""The one in use and, while it is being replaced, the one before."""


@dataclass(frozen=True, slots=True)
class Account:
    """An opened account. Its ``repr`` shows no secret."""

    gateway: str
    mode: AccountMode
    publishable_key: str
    secret_key: str = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(repr=False)
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What may be shown of an account."""

    gateway: str
    mode: AccountMode
    publishable_key: str
    settings: Mapping[str, Any]
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """What to write; ``None`` keeps what is there."""

    mode: AccountMode | None = None
    secret_key: str | None = field(default=None, repr=False)
    webhook_secret: str | None = field(default=None, repr=False)
    """Becomes the first; the one before stays valid beside it until ``forget_old``."""
    forget_old: bool = False
    publishable_key: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def put(session: Session, key: bytes, tenant_id: str, gateway: str, change: Change, *, actor: str) -> AccountFacts:
    """Make or change the tenant's account at ``gateway``.

    Raises ``GatewayNotConfigured`` for a first one without secret key or mode.
    """
    row = session.get(GatewayAccount, (tenant_id, gateway), with_for_update=True)
    before = _open(key, row) if row else {"secret_key": "", "webhook_secrets": []}
    if row is None:
        if not change.secret_key or change.mode is None:
            raise GatewayNotConfigured("A new account needs its secret key.")
        row = GatewayAccount(tenant_id=tenant_id, gateway=gateway)
        session.add(row)
    row.mode = change.mode or row.mode
    row.publishable_key = row.publishable_key or "" if change.publishable_key is None else change.publishable_key
    row.settings = dict(row.settings or {}) | dict(change.settings)
    row.secrets_sealed = _sealed(key, tenant_id, gateway, _changed(before, change))
    row.updated_at = clock.now()
    _tell(session, tenant_id, gateway, change, actor=actor)
    session.flush()
    return _facts(row)


def read(session: Session, key: bytes, tenant_id: str, gateway: str) -> Account:
    """The account with its secrets. Raises ``GatewayNotConfigured``, ``GatewayMisconfigured``."""
    row = session.get(GatewayAccount, (tenant_id, gateway))
    if row is None:
        raise GatewayNotConfigured(f"This shop has no {gateway} account.")
    secrets = _open(key, row)
    return Account(
        gateway=gateway,
        mode=AccountMode(row.mode),
        publishable_key=row.publishable_key,
        secret_key=secrets["secret_key"],
        webhook_secrets=tuple(secrets["webhook_secrets"]),
        settings=row.settings,
    )


def listed(session: Session, tenant_id: str) -> list[AccountFacts]:
    """The tenant's accounts, without secrets."""
    rows = session.scalars(
        select(GatewayAccount).where(GatewayAccount.tenant_id == tenant_id).order_by(GatewayAccount.gateway)
    )
    return [_facts(row) for row in rows]


def publishable_key(session: Session, tenant_id: str, gateway: str) -> str:
    """The key that pages may know; empty when there is none. Raises ``GatewayNotConfigured``."""
    row = session.get(GatewayAccount, (tenant_id, gateway))
    if row is None:
        raise GatewayNotConfigured(f"This shop has no {gateway} account.")
    return row.publishable_key


def configured(session: Session, tenant_id: str, gateway: str) -> bool:
    """Whether the tenant has an account at ``gateway``."""
    return session.get(GatewayAccount, (tenant_id, gateway)) is not None


def _changed(before: Mapping[str, Any], change: Change) -> dict[str, Any]:
    hooks = list(before["webhook_secrets"])
    if change.webhook_secret:
        hooks = [change.webhook_secret, *(old for old in hooks if old != change.webhook_secret)]
    kept = 1 if change.forget_old else _WEBHOOK_SECRETS
    return {"secret_key": change.secret_key or before["secret_key"], "webhook_secrets": hooks[:kept]}


def _sealed(key: bytes, tenant_id: str, gateway: str, secrets: Mapping[str, Any]) -> bytes:
    return seal(key, tenant_id, f"gateway-account|{gateway}", json.dumps(secrets))


def _open(key: bytes, row: GatewayAccount) -> dict[str, Any]:
    """Raises ``GatewayMisconfigured`` when it was sealed under another secret key."""
    try:
        text = unseal(key, row.tenant_id, f"gateway-account|{row.gateway}", row.secrets_sealed)
    except InvalidTag:
        raise GatewayMisconfigured("The stored account does not open: the secret key has changed.") from None
    opened: dict[str, Any] = json.loads(text)
    return opened


def _facts(row: GatewayAccount) -> AccountFacts:
    return AccountFacts(row.gateway, AccountMode(row.mode), row.publishable_key, row.settings, row.updated_at)


def _tell(session: Session, tenant_id: str, gateway: str, change: Change, *, actor: str) -> None:
    """Audit which parts changed, never to what."""
    parts = {
        "secret_key": change.secret_key,
        "webhook_secret": change.webhook_secret,
        "forget_old": change.forget_old,
        "publishable_key": change.publishable_key,
        "settings": change.settings,
    }
    facts = {"changed": sorted(name for name, value in parts.items() if value)}
    audit.record(session, tenant_id, actor=actor, action="gateway.configured", subject=gateway, facts=facts)
