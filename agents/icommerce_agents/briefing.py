"""What an agent should know before it speaks: a few lines of the present state, read in one look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy.orm import Session

from engine.carts import service as carts
from engine.carts.schemas import CartView
from engine.checkout import service as checkout
from engine.checkout.errors import NoCheckout
from engine.checkout.schemas import CheckoutView
from engine.conversations import asking, events, references, requests, standing
from engine.conversations.models import Mode
from engine.conversations.schemas import OpenCard
from engine.conversations.standing import Standing
from engine.kit.errors import NotFound
from engine.kit.identity import Identity
from engine.kit.ids import ids_in
from engine.kit.policies import PolicyBroken, read_policy
from engine.orders import queries
from engine.policies import policy_kind
from prompts import rules
from tools.spec import ToolContext

_PART: Final = "your_part: only the shopper's last line; the rest of the message is answered by other agents"


@dataclass(frozen=True, slots=True)
class Briefing:
    """The lines and what they were made of."""

    mode: Mode
    lines: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The shop's settings, with its policies."""
    currency: str = ""

    def rules(self, names: Sequence[str]) -> str:
        """What this shop's policies say, in the words of ``prompts/policies``; a broken one is left out."""
        said = []
        for name in names:
            words = rules(name)
            with suppress(PolicyBroken):
                policy = read_policy(dict(self.settings), policy_kind(words.section), home=self.currency)
                said.append(words.text(policy.model_dump(mode="json")))
        return "\n\n".join(filter(None, said))

    def text(self, active_agent: str, *, part: bool = False) -> str:
        """``part``: other agents answer the rest of the message."""
        lines = [self.lines[0], f"active_agent: {active_agent}", *self.lines[1:]]
        return "\n".join([*lines, _PART] if part else lines)


def read_briefing(context: ToolContext, *, order: str | None = None, language: str | None = None) -> Briefing:
    """The state as of now, with the order last spoken about and the ``language`` of the shopper's page. What it names
    counts as seen: a write tool may use it.
    """
    now = standing.look(context.runtime, context.identity, context.thread_id)
    if now.cart or now.checkout or now.asked or order:
        with context.unit_of_work() as session:
            lines = [*_lines(session, context, now), *_order(session, context.identity, order)]
            references.record(session, context.identity.tenant_id, context.thread_id, ids_in("\n".join(lines)))
    else:
        lines = _lines(None, context, now)
    lines += [f"answer_in: {language}"] if language else []
    return Briefing(now.mode, tuple(lines), now.settings, now.currency)


def _lines(session: Session | None, context: ToolContext, now: Standing) -> list[str]:
    """Without a session where there is nothing to look at."""
    identity = context.identity
    cards = asking.open_cards(session, identity, context.thread_id) if session and now.asked else []
    payments = [card for card in cards if card.activity == events.CONFIRMATION]
    others = [card for card in cards if card.activity != events.CONFIRMATION]
    return [
        f"shop: {now.shop}, {now.currency}",
        f"staff: {'true' if identity.is_staff else 'false'}",
        f"cart: {_cart(carts.view(session, identity) if session and now.cart else None)}",
        f"checkout: {_checkout(_running(session, context) if session and now.checkout else None)}",
        f"card_open: {_card(payments)}",
        *([f"asked_on_cards: {_asked(others)}"] if others else []),
        f"signed_in: {'yes' if identity.customer_id else 'no'}",
        f"mode: {now.mode}",
        *_person(identity),
        *_requests(now),
    ]


def _person(identity: Identity) -> list[str]:
    level = "staff" if identity.is_staff else "signed in" if identity.customer_id else "guest"
    return [f"identity: {level}"]


def _requests(now: Standing) -> list[str]:
    """What the shopper asked for and is not over."""
    left = requests.unfinished(now.requests)
    return [f"open_requests: {_plain('; '.join(left))}"] if left else []


def _order(session: Session, identity: Identity, wanted: str | None) -> list[str]:
    """The order in focus, for whoever may see it."""
    if wanted is None:
        return []
    try:
        order = queries.find_own(session, identity, wanted)
    except NotFound:
        return []
    return [f"order_in_focus: {order.number} ({order.id}) {order.status}; placed {order.created_at:%Y-%m-%d}"]


def _running(session: Session, context: ToolContext) -> CheckoutView | None:
    try:
        return checkout.current(session, context.identity)
    except NoCheckout:
        return None


def _cart(view: CartView | None) -> str:
    if view is None:
        return "empty"
    lines = [f"{line.quantity} x {_plain(line.title)} ({line.variant_id})" for line in view.lines]
    return "; ".join(lines) + f"; total {view.total}" if lines else "empty"


def _checkout(view: CheckoutView | None) -> str:
    if view is None:
        return "none"
    return f"{view.id} status {view.status}; total {view.total}; missing: {', '.join(view.missing) or 'none'}"


def _card(cards: list[OpenCard]) -> str:
    return "; ".join(f"{card.id} until {card.expires_at:%H:%M} UTC" for card in cards) or "none"


def _asked(cards: list[OpenCard]) -> str:
    """What other cards ask, and wait for the shopper's press."""
    return "; ".join(f"{_plain(card.message)} until {card.expires_at:%H:%M} UTC" for card in cards)


def _plain(title: str) -> str:
    """A title cannot start a line of its own."""
    return " ".join(title.split())
