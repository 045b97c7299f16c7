"""How things stand for the shopper of a conversation, in one look: what an agent is told before it speaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.carts.service import HAS_LINES
from engine.checkout.states import IS_RUNNING
from engine.conversations import asking
from engine.conversations.models import Mode
from engine.kit.direct import Statement
from engine.kit.identity import Identity
from engine.runtime import Runtime

_LOOK: Final = Statement(f"""
SELECT thread.mode, thread.requests, shop.name, shop.currency, shop.settings, EXISTS (SELECT {asking.OPEN}) AS asked,
  EXISTS ({HAS_LINES}) AS cart, EXISTS ({IS_RUNNING}) AS checkout
FROM app.threads thread, app.tenants shop
WHERE thread.tenant_id = %(tenant)s AND thread.id = %(thread)s AND shop.id = %(tenant)s
""")  # noqa: S608 (our own)


@dataclass(frozen=True, slots=True)
class Standing:
    """Who answers, in which shop, and whether there is anything of the rest to look at."""

    mode: Mode
    shop: str
    currency: str
    settings: Mapping[str, Any]
    """The shop's, with its policies."""
    asked: bool
    """Cards wait for an answer."""
    cart: bool
    """Something is in the cart."""
    checkout: bool
    """A checkout is running."""
    requests: Sequence[dict[str, Any]] = ()
    """What the shopper asked for, as ``engine.conversations.requests`` keeps it."""


def look(runtime: Runtime, identity: Identity, thread_id: str) -> Standing:
    """As of now."""
    values = asking.open_values(identity, thread_id) | {"whose": identity.id}
    [[row]] = runtime.store.ask(identity.tenant_id, (_LOOK, values))
    return Standing(
        mode=Mode(row["mode"]),
        shop=row["name"],
        currency=row["currency"],
        settings=row["settings"],
        asked=row["asked"],
        cart=row["cart"],
        checkout=row["checkout"],
        requests=row["requests"],
    )
