"""Somebody who proves an e-mail, in a small shop."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.customers import codes, verifying
from engine.customers.models import Customer
from engine.jobs import tell_customers
from engine.kit import clock
from engine.kit.identity import Actor, Identity, Scope
from engine.kit.outbox import OutboxRow
from tests.shop import Shop


def code_for(shop: Shop, who: Identity, email: str) -> str:
    """Ask for a code; returns it, as the mail tells it."""
    address = codes.limit_asking(shop.runtime, who, email)
    with shop.uow() as session:
        row = codes.ask(session, shop.runtime, who, address)
        session.flush()
        return letter_of(shop, session, row.id)


def letter_of(shop: Shop, session: Session, code_id: str) -> str:
    """The code in the mail that was to be written."""
    query = select(OutboxRow).where(OutboxRow.tenant_id == shop.tenant.id, OutboxRow.subject_id == code_id)
    letter = codes.letter(session, shop.runtime, session.scalars(query).one())
    assert letter is not None
    return letter.code


def known(shop: Shop, email: str = "ada@example.com", who: Identity | None = None) -> Identity:
    """A shopper who has proven this address."""
    who = who or shop.shopper()
    code = code_for(shop, who, email)
    code_id = codes.check(shop.runtime, who, email, code)
    with shop.uow() as session:
        return verifying.verify(session, who, code_id)


def staff(shop: Shop) -> Identity:
    return Identity(shop.tenant.id, Actor.API_KEY, "key_test", scopes=frozenset({Scope.STAFF}))


def customer_of(shop: Shop, who: Identity) -> Customer:
    with shop.uow() as session:
        return session.scalars(
            select(Customer).where(Customer.tenant_id == shop.tenant.id, Customer.id == who.customer_id)
        ).one()


def tell(shop: Shop) -> None:
    """What happened reaches the customers' room; news of a sale wait a moment for the live answer."""
    with clock.shifted(timedelta(minutes=1)):
        tell_customers(shop.runtime, shop.tenant.id)
