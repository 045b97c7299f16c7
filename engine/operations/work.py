"""What is done in the background, and what of it waits or was given up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.outbox import MAX_ATTEMPTS
from engine.kit.views import View

_RECENTLY: Final = timedelta(days=7)
"""Letters that failed before are history."""
_WORK: Final = text(f"""
  SELECT 'messages to ' || consumer AS name, count(*) FILTER (WHERE attempts < {MAX_ATTEMPTS}) AS waiting,
      count(*) FILTER (WHERE attempts >= {MAX_ATTEMPTS}) AS given_up, min(created_at) AS oldest, '' AS subject
    FROM app.outbox WHERE tenant_id = :tenant AND delivered_at IS NULL AND available_at <= :now GROUP BY consumer
  UNION ALL
  SELECT 'webhooks to ' || p.name, count(*) FILTER (WHERE e.status = 'queued'),
      count(*) FILTER (WHERE e.status = 'dead'), min(e.created_at), p.id
    FROM app.webhook_events e JOIN app.agent_platforms p ON p.tenant_id = e.tenant_id AND p.id = e.platform_id
    WHERE e.tenant_id = :tenant AND e.status <> 'delivered' GROUP BY p.id, p.name
  UNION ALL
  SELECT 'letters', count(*) FILTER (WHERE status = 'queued'), count(*) FILTER (WHERE status = 'failed'),
      min(created_at), ''
    FROM app.mails WHERE tenant_id = :tenant AND created_at > :recently AND status IN ('queued', 'failed')
    HAVING count(*) > 0
  UNION ALL
  SELECT 'catalog imports', count(*), 0, min(created_at), ''
    FROM app.catalog_imports WHERE tenant_id = :tenant AND status IN ('waiting', 'applying') HAVING count(*) > 0
  ORDER BY 3 DESC, 4
""")  # noqa: S608 (our own number)


class BackgroundWork(View):
    name: str
    waiting: int
    given_up: int
    """Tried as often as it is tried: nothing happens to it until a person acts."""
    oldest: datetime
    subject: str
    """Of webhooks: the platform they go to."""


def background_work(session: Session, tenant_id: str) -> list[BackgroundWork]:
    """Everything that waits now, what was given up first. Empty where nothing does."""
    rows = session.execute(_WORK, {"tenant": tenant_id, "now": clock.now(), "recently": clock.now() - _RECENTLY})
    return [BackgroundWork(**row) for row in rows.mappings()]
