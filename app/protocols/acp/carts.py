"""Carts over REST: what an agent gathers before it checks out. Prices are estimates."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field
from sqlalchemy.orm import Session

from app.protocols.acp import render
from app.protocols.acp.kernel import Asked, AskedDep, Body, Reply, acp_router, plain
from app.protocols.acp.once import once
from app.protocols.acp.openapi import described
from app.protocols.acp.requests import Buyer, Closed, LineItems
from app.protocols.acp.sessions import home_of
from engine.agentic import carts, messages
from engine.agentic.carts import Priced
from engine.agentic.seen import Bill

router: Final = acp_router("acp")
_FILE: Final = "schema.cart.json"
_ONE: Final = "/carts/{cart_id}"
_SHOWN: Final = frozenset({"items_base_amount", "items_discount", "subtotal", "total"})
_LATER: Final = frozenset({"missing"})
"""Codes of what only a checkout has to know."""


class Contents(Closed):
    """A cart as it is to be: all of it."""

    line_items: LineItems
    buyer: Buyer | None = None


class NewCart(Contents):
    locale: Annotated[str, Field(max_length=35)] = ""


@router.post("/carts", **described("CartCreateRequest", "Cart", status=201, file=_FILE))
def create(asked: AskedDep) -> Reply:
    """Gather items; 422 when all of them are sold out."""

    def work(session: Session) -> Body:
        given = asked.read(NewCart)
        wanted = [line.wanted for line in given.line_items]
        buyer = given.buyer.given() if given.buyer else {}
        currency = asked.merchant.currency
        return told(asked, carts.create(session, asked.identity, wanted=wanted, buyer=buyer, currency=currency))

    return once(asked, work, status=201)


@router.get(_ONE, **described(None, "Cart", file=_FILE))
def get(asked: AskedDep) -> Reply:
    """The cart with its present prices; one that was canceled or has run out is not found."""
    with asked.runtime.unit_of_work(asked.tenant_id) as session:
        return plain(asked, told(asked, carts.read(session, asked.identity, asked.ids["cart_id"])))


@router.put(_ONE, **described("CartUpdateRequest", "Cart", file=_FILE))
def replace(asked: AskedDep) -> Reply:
    """Other contents in place of all there was."""

    def work(session: Session) -> Body:
        given = asked.read(Contents)
        wanted = [line.wanted for line in given.line_items]
        buyer = given.buyer.given() if given.buyer else None
        return told(asked, carts.replace(session, asked.identity, asked.ids["cart_id"], wanted=wanted, buyer=buyer))

    return once(asked, work)


@router.post(f"{_ONE}/cancel", **described(None, "Cart", file=_FILE, keyed=True))
def cancel(asked: AskedDep) -> Reply:
    """End the cart for good; the answer shows it a last time."""
    return once(asked, lambda session: told(asked, carts.cancel(session, asked.identity, asked.ids["cart_id"])))


def told(asked: Asked, priced: Priced) -> Body:
    """The cart in the protocol's words: no status, no way to pay, no tax before there is an address."""
    cart, quote, shop = priced.cart, priced.quote, home_of(asked)
    rows = [row for row in Bill.of(quote).totals if row["type"] in _SHOWN]
    said = messages.of_quote(quote, cart.lines, ())
    body: Body = {
        "id": cart.id,
        "line_items": [render.line(line, shop) for line in quote.lines],
        "currency": cart.currency.lower(),
        "totals": [{name: row[name] for name in ("type", "display_text", "amount")} for row in rows],
        "messages": [render.message(one) for one in said if one.code not in _LATER],
        "expires_at": render.moment(cart.expires_at),
    }
    return body | ({"buyer": cart.buyer} if cart.buyer else {})
