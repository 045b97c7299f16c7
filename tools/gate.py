"""Who may call a tool, and how often: asked before every call, whichever surface it came through."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Final

from engine.kit import limits
from engine.kit.errors import Forbidden, RateLimited
from engine.kit.identity import Identity
from tools.spec import ToolContext, ToolSpec

_DAY: Final = timedelta(days=1)


class CapReached(RateLimited):
    """The tool was called as often as it may be in a day: no other arguments help."""

    code = "cap_reached"


def check_person(spec: ToolSpec, identity: Identity) -> None:
    """Raises ``Forbidden`` for a tool of the shop's people that somebody else calls."""
    if spec.staff and not identity.is_staff:
        raise Forbidden("This is for the shop's staff only. Say that you cannot do it here.")


def admit(spec: ToolSpec, context: ToolContext) -> None:
    """Count one call. Raises what ``check_person`` raises, and ``CapReached`` beyond the tool's caps.

    A call that is refused later counts too: what is tried is what is limited.
    """
    check_person(spec, context.identity)
    if not spec.caps:
        return
    try:
        with context.runtime.store.without_tenant() as session:
            for of, most in sorted(spec.caps.items()):
                limits.hit(session, _bucket(spec, context, of), limit=most, window=_DAY)
    except RateLimited as reached:
        words = "That was done as often as it may be today. Do not try again: offer request_human."
        raise CapReached(words, retry_after_seconds=reached.retry_after_seconds or 0) from None


def _bucket(spec: ToolSpec, context: ToolContext, of: str) -> str:
    who = context.thread_id if of == "thread" else context.identity.id
    whose = hashlib.sha256(f"{context.identity.tenant_id}|{of}|{who}".encode()).hexdigest()
    return f"tool:{spec.name}:{whose}"
