"""What a request has changed shows in conversations at once, not with the next round of the house."""

from __future__ import annotations

import structlog

from engine import jobs
from engine.runtime import Runtime

log = structlog.get_logger(__name__)


def tell_now(runtime: Runtime, tenant_id: str) -> None:
    """Deliver what waits for a shop's conversations. A failure leaves it to the house, and is no failure of a request
    that has been answered.
    """
    try:
        jobs.tell_conversations(runtime, tenant_id)
    except Exception:  # the request's own work is done and kept
        log.exception("conversations not told")
