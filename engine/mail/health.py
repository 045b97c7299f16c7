"""Whether a shop's letters get anywhere, in words."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from engine.kit.policies import read_policy
from engine.kit.tenancy import Tenant
from engine.mail import service
from engine.mail.policy import MailPolicy


def facts_of(session: Session, tenant: Tenant, *, server: bool) -> dict[str, Any]:
    """``goes_to`` outbox, smtp or nowhere; how many letters are ``waiting`` and ``since`` when; the ``problem``."""
    count, oldest = service.waiting(session, tenant.id)
    from_address, _ = service.sender(tenant, read_policy(tenant.settings, MailPolicy))
    return {
        "goes_to": "outbox" if tenant.demo else "smtp" if server else "nowhere",
        "waiting": count,
        "since": oldest.isoformat() if oldest else None,
        "problem": "" if tenant.demo else _problem(server=server, sender=from_address),
    }


def _problem(*, server: bool, sender: str) -> str:
    if not server:
        return "no mail server is set (ICOMMERCE_SMTP_URL): letters wait, none is sent"
    return "" if sender else "no sender is set (policy mail.from_address): letters wait"
