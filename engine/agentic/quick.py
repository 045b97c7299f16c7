"""Opening and filling in a session in two trips, where nothing stands in the way: one reads, one writes.

What is unusual is left to the way that does everything (``Unusual``): nothing has happened then, and it is asked anew.
Who changes a session bumps its version, so that one written here is the one that was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engine.agentic import saying, sessions
from engine.agentic.seen import Seen
from engine.agentic.session_models import AgentSession
from engine.agentic.wishes import Opening, Unsaid, Wish
from engine.checkout import facts
from engine.checkout.facts import Facts
from engine.checkout.models import CheckoutSession, SessionStatus
from engine.checkout.pricing import Quote
from engine.checkout.states import SESSION
from engine.kit import clock
from engine.kit.direct import Ask, Row, Statement, document
from engine.kit.identity import Identity
from engine.kit.shown import as_shown
from engine.runtime import Runtime

_OPEN: Final = frozenset({SessionStatus.NOT_READY, SessionStatus.READY})
_CHECKOUT: Final = (
    *("tenant_id", "id", "owner_id", "thread_id", "cart_id", "status", "currency", "lines", "buyer", "ship_to"),
    *("fulfillment_option_id", "discount_codes", "payment_method", "tenders", "declines", "version", "created_at"),
    *("updated_at", "expires_at", "ways"),
)
_EXTRA: Final = ("locale", "timezone", "order_notes", "said", "kept_back", "refusal", "consent_id")
_LOOK: Final = Statement(facts.LOOK)

OWN: Final = Statement(f"""
SELECT {", ".join(f"c.{name}" for name in _CHECKOUT)}, {", ".join(f"a.{name}" for name in _EXTRA)},
  EXISTS (SELECT FROM app.consents k WHERE k.tenant_id = c.tenant_id AND k.session_id = c.id
    AND k.status IN ('open', 'approved')) AS waits,
  (SELECT p.trusted AND p.status = 'active' FROM app.agent_platforms p
    WHERE p.tenant_id = c.tenant_id AND p.id = c.owner_id) AS trusted
FROM app.checkout_sessions c JOIN app.agent_sessions a ON a.tenant_id = c.tenant_id AND a.session_id = c.id
WHERE c.tenant_id = %(tenant)s AND c.id = %(id)s AND c.owner_id = %(owner)s AND c.cart_id IS NULL
""")  # noqa: S608 (our own)

LOOK_AT: Final = Statement(f"""
SELECT {facts.COLUMNS} FROM (
  SELECT s.tenant_id, s.id, s.owner_id, s.cart_id, s.currency, coalesce(%(lines)s::jsonb, s.lines) AS lines,
    coalesce(%(buyer)s::jsonb, s.buyer) AS buyer,
    CASE WHEN %(moved)s THEN %(ship_to)s::jsonb ELSE s.ship_to END AS ship_to,
    s.fulfillment_option_id, s.discount_codes
  FROM app.checkout_sessions s WHERE s.tenant_id = %(tenant)s AND s.id = %(id)s AND s.owner_id = %(owner)s) AS c
{facts.SCOPE}
""")  # noqa: S608 (our own)
"""The facts of a session that is about to say something else."""

CREATE: Final = Statement("""
WITH checkout AS (
  INSERT INTO app.checkout_sessions (tenant_id, id, owner_id, status, currency, lines, buyer, ship_to,
    fulfillment_option_id, ways, discount_codes, tenders, declines, version, created_at, updated_at, expires_at)
  VALUES (%(tenant)s, %(id)s, %(owner)s, %(status)s, %(currency)s, %(lines)s, %(buyer)s, %(ship_to)s, %(option)s,
    %(ways)s, %(codes)s::text[], '[]', 0, 1, %(now)s, %(now)s, %(expires_at)s)
  RETURNING id
), extra AS (
  INSERT INTO app.agent_sessions (tenant_id, session_id, locale, timezone, order_notes, said, kept_back)
  SELECT %(tenant)s, id, %(locale)s, %(timezone)s, %(order_notes)s, %(said)s, %(kept_back)s FROM checkout
)
INSERT INTO app.audit (tenant_id, at, request_id, actor, action, subject, facts)
SELECT %(tenant)s, %(now)s, '', %(owner)s, 'checkout.started', id, '{}' FROM checkout
""")

CHANGE: Final = Statement("""
WITH checkout AS (
  UPDATE app.checkout_sessions SET status = %(status)s, lines = %(lines)s, buyer = %(buyer)s, ship_to = %(ship_to)s,
    fulfillment_option_id = %(option)s, ways = %(ways)s, discount_codes = %(codes)s::text[],
    payment_method = %(method)s, version = version + 1, updated_at = %(now)s
  WHERE tenant_id = %(tenant)s AND id = %(id)s AND version = %(version)s AND status = %(was)s
  RETURNING id
), extra AS (
  UPDATE app.agent_sessions a SET order_notes = %(order_notes)s, said = %(said)s, kept_back = %(kept_back)s,
    refusal = NULL, consent_id = %(consent)s
  FROM checkout WHERE a.tenant_id = %(tenant)s AND a.session_id = checkout.id
  RETURNING a.session_id
)
SELECT 1 / count(*) AS whole FROM extra
""")


class Unusual(Exception):
    """It is left to the way that does everything. Nothing has happened."""


@dataclass(frozen=True, slots=True)
class Done:
    """What is told, and what writes it."""

    seen: Seen
    asks: Sequence[Ask]


@dataclass(frozen=True, slots=True)
class Found:
    """A session as it was read, not to be written by its model."""

    checkout: CheckoutSession
    extra: AgentSession
    known: Row
    """What the facts rest on."""
    was: SessionStatus
    trusted: bool
    """Whether a token that its platform brings says that a human agreed."""


def create(runtime: Runtime, identity: Identity, opening: Opening, before: Sequence[Ask]) -> Done:
    """Open a checkout; ``before`` is asked with the first trip, and a row of its last is unusual. Raises ``Unusual``,
    ``Refused``, and what ``sessions.create`` raises.
    """
    if opening.codes and not isinstance(opening.codes, Unsaid):
        raise Unusual
    draft = _draft(identity, opening)
    draft.currency = opening.currency.upper()
    *_, kept, rows = runtime.store.ask(identity.tenant_id, *before, _look(draft))
    found = _facts(draft, kept, rows)
    checkout = as_shown(CheckoutSession, sessions.opened(identity, found.shop, opening))
    extra = as_shown(AgentSession, sessions.new_extra(checkout, opening))
    saying.take_in(checkout, extra, opening)
    quote = _known(sessions.priced(checkout, extra, opening, found, again=_unusual))
    checkout.status = sessions.follows(checkout, extra, quote)
    return Done(sessions.seen_open(checkout, extra, quote), [(CREATE, values(checkout, extra))])


def update(runtime: Runtime, identity: Identity, session_id: str, wish: Wish, before: Sequence[Ask]) -> Done:
    """Change what is said. Raises as ``create`` does, and ``Refused`` by its asks where somebody was faster."""
    if wish.codes and not isinstance(wish.codes, Unsaid):
        raise Unusual
    found = find(runtime, identity, session_id, wish, before)
    checkout, extra = found.checkout, found.extra
    if extra.said.get("codes") and wish.says_who:
        raise Unusual
    saying.take_in(checkout, extra, wish)
    quote = _known(sessions.priced(checkout, extra, wish, facts_of(runtime, found), again=_unusual))
    extra.refusal = None
    checkout.status = SESSION.check(found.was, sessions.follows(checkout, extra, quote))
    checkout.updated_at = clock.now()
    return Done(sessions.seen_open(checkout, extra, quote), [change(found)])


def find(
    runtime: Runtime, identity: Identity, session_id: str, wish: Wish, before: Sequence[Ask], *, waits: bool = False
) -> Found:
    """An open session of one's own that no card waits for, with the facts for what is wished. Raises ``Unusual``."""
    draft, now = _draft(identity, wish), clock.now()
    own = {"tenant": identity.tenant_id, "id": session_id, "owner": identity.id}
    wanted = own | {
        "lines": None if isinstance(wish.items, Unsaid) else document(draft.lines),
        "buyer": document(draft.buyer) if draft.buyer else None,
        "moved": not isinstance(wish.details, Unsaid),
        "ship_to": document(draft.ship_to) if draft.ship_to else None,
        "today": now.date(),
        "moment": now,
    }
    *_, kept, own_rows, rows = runtime.store.ask(identity.tenant_id, *before, (OWN, own), (LOOK_AT, wanted))
    if kept or not own_rows or not rows:
        raise Unusual
    row = own_rows[0]
    was = SessionStatus(row["status"])
    if was not in _OPEN or row["expires_at"] <= now or row["tenders"] or (row["waits"] and not waits):
        raise Unusual
    checkout = as_shown(CheckoutSession, {name: row[name] for name in _CHECKOUT})
    ids = {"tenant_id": identity.tenant_id, "session_id": session_id}
    extra = as_shown(AgentSession, ids | {name: row[name] for name in _EXTRA})
    looked = {
        "lines": row["lines"] if wanted["lines"] is None else draft.lines,
        "buyer": draft.buyer or row["buyer"],
        "ship_to": draft.ship_to if wanted["moved"] else row["ship_to"],
        "fulfillment_option_id": row["fulfillment_option_id"],
        "discount_codes": row["discount_codes"],
    }
    return Found(checkout, extra, {"row": rows[0], "for": looked}, was, bool(row["trusted"]))


def facts_of(runtime: Runtime, found: Found) -> Facts:
    """The facts for the session as it is now. Raises ``Unusual``."""
    checkout, row = found.checkout, found.known["row"]
    if any(getattr(checkout, name) != value for name, value in found.known["for"].items()):
        ((row,),) = runtime.store.ask(checkout.tenant_id, _look(checkout))
    return _answered(checkout, row)


def change(found: Found) -> Ask:
    """What writes the session, if it still is what was read."""
    return CHANGE, values(found.checkout, found.extra) | {"was": found.was.value, "version": found.checkout.version}


def values(checkout: CheckoutSession, extra: AgentSession) -> Row:
    """The rows, as the driver takes them."""
    return {
        "tenant": checkout.tenant_id,
        "id": checkout.id,
        "owner": checkout.owner_id,
        "status": str(checkout.status),
        "currency": checkout.currency,
        "lines": document(checkout.lines),
        "buyer": document(checkout.buyer),
        "ship_to": document(checkout.ship_to) if checkout.ship_to else None,
        "option": checkout.fulfillment_option_id,
        "ways": document(checkout.ways or {}),
        "codes": list(checkout.discount_codes),
        "method": document(checkout.payment_method) if checkout.payment_method else None,
        "now": checkout.updated_at,
        "expires_at": checkout.expires_at,
        "locale": extra.locale,
        "timezone": extra.timezone,
        "order_notes": extra.order_notes,
        "said": document(extra.said),
        "kept_back": document(extra.kept_back),
        "consent": extra.consent_id,
    }


def _draft(identity: Identity, wish: Wish) -> CheckoutSession:
    """What the wish alone says of a basket."""
    nothing: Row = {"lines": [], "buyer": {}, "discount_codes": [], "tenders": [], "ways": {}}
    draft = as_shown(CheckoutSession, nothing | {"tenant_id": identity.tenant_id, "owner_id": identity.id})
    saying.take_in(draft, as_shown(AgentSession, {"said": {}}), wish)
    return draft


def _look(checkout: CheckoutSession) -> Ask:
    now = clock.now()
    return _LOOK, {"basket": document(facts.record_of(checkout, checkout.owner_id)), "today": now.date(), "moment": now}


def _unusual() -> Facts:
    """The way to deliver changes what there is: it is asked anew. Raises ``Unusual``."""
    raise Unusual


def _known(quote: Quote) -> Quote:
    """A price that nobody else has to be asked about. Raises ``Unusual``."""
    if quote.asks is not None:
        raise Unusual
    return quote


def _facts(draft: CheckoutSession, kept: Sequence[Row], rows: Sequence[Row]) -> Facts:
    if kept or not rows:
        raise Unusual
    return _answered(draft, rows[0])


def _answered(checkout: CheckoutSession, row: Row) -> Facts:
    found = facts.answer(checkout, row)
    if facts.has_rest(checkout, found):
        raise Unusual
    return found
