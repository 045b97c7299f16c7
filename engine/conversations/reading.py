"""What comes next in a conversation's log, in one round trip: whoever watches it asks again at every word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.conversations.service import audiences, thread_for
from engine.kit.direct import Row, Statement
from engine.kit.errors import NotFound
from engine.kit.identity import Identity
from engine.runtime import Runtime

_NEXT: Final = Statement("""
SELECT thread.owner_id, shop.status AS shop_status, event.seq, event.payload
FROM app.threads thread
JOIN app.tenants shop ON shop.id = thread.tenant_id
LEFT JOIN LATERAL (
  SELECT seq, CAST(CASE WHEN %(timed)s
      THEN payload || jsonb_build_object('timestamp', CAST(round(extract(epoch FROM created_at) * 1000) AS bigint))
      ELSE payload END AS text) AS payload
  FROM app.events
  WHERE tenant_id = %(tenant)s AND thread_id = %(thread)s AND seq > %(after)s
    AND audience = ANY(CAST(%(audiences)s AS text[]))
  ORDER BY seq LIMIT %(limit)s
) event ON true
WHERE thread.tenant_id = %(tenant)s AND thread.id = %(thread)s
ORDER BY event.seq
""")
Page = Sequence[tuple[int, str]]


def page_after(runtime: Runtime, identity: Identity, thread_id: str, after: int, *, limit: int) -> tuple[str, Page]:
    """The status of the shop, and ``(sequence, event as JSON)`` beyond ``after``, oldest first, of what this identity
    may see; staff also see when it was. Raises ``NotFound``.
    """
    values = {
        "tenant": identity.tenant_id,
        "thread": thread_id,
        "after": after,
        "audiences": audiences(identity),
        "limit": limit,
        "timed": identity.is_staff,
    }
    [rows] = runtime.store.ask(identity.tenant_id, (_NEXT, values))
    _require_seen(runtime, identity, thread_id, rows)
    return rows[0]["shop_status"], [(row["seq"], row["payload"]) for row in rows if row["seq"] is not None]


def _require_seen(runtime: Runtime, identity: Identity, thread_id: str, rows: Sequence[Row]) -> None:
    """Its owner and staff may look; anybody else is looked at more closely."""
    if not rows:
        raise NotFound("There is no such conversation.")
    if not identity.is_staff and rows[0]["owner_id"] != identity.id:
        with runtime.unit_of_work(identity.tenant_id) as session:
            thread_for(session, identity, thread_id)
