"""A conversation that waits for a person, and two people of the shop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select

from engine.conversations import handoff
from engine.conversations import service as conversations
from engine.conversations.models import Thread
from engine.conversations.schemas import RunInput
from engine.kit.identity import Actor, Identity, Scope
from engine.kit.ids import new_id
from engine.kit.tenancy import ApiKey, Tenant
from engine.policies import set_policy
from engine.support.models import Case
from tests.shop import Shop

ALWAYS = {day: ["00:00", "24:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}


@dataclass
class Desk:
    """The shop's support, open at any hour."""

    shop: Shop
    ann: Identity
    bob: Identity

    def conversation(self) -> tuple[Identity, str]:
        shopper = self.shop.shopper()
        with self.shop.uow() as session:
            return shopper, conversations.create_thread(session, shopper).id

    def waiting(self, *, reason: str = "asked_for_person", summary: str = "The zip is broken.") -> Waiting:
        shopper, thread_id = self.conversation()
        with self.shop.uow() as session:
            handoff.request(session, shopper, thread_id, reason=reason, summary=summary)
        return Waiting(self, shopper, thread_id)

    def rule(self, **values: Any) -> None:
        with self.shop.uow() as session:
            set_policy(session, self.shop.tenant.id, "support", values, actor="test")

    def case(self, case_id: str) -> Case:
        with self.shop.uow() as session:
            return session.get_one(Case, (self.shop.tenant.id, case_id))


@dataclass
class Waiting:
    """One shopper who waits."""

    desk: Desk
    shopper: Identity
    thread_id: str

    @property
    def case(self) -> Case:
        with self.desk.shop.uow() as session:
            query = select(Case).where(Case.tenant_id == self.shopper.tenant_id, Case.thread_id == self.thread_id)
            return session.scalars(query.order_by(Case.id.desc()).limit(1)).one()

    @property
    def thread(self) -> Thread:
        with self.desk.shop.uow() as session:
            return session.get_one(Thread, (self.shopper.tenant_id, self.thread_id))

    def writes(self, message: str = "Hello?") -> None:
        with self.desk.shop.uow() as session:
            conversations.submit(session, self.shopper, self.thread_id, RunInput(message=message))

    def reads(self) -> list[tuple[str, str]]:
        with self.desk.shop.uow() as session:
            shown = conversations.snapshot(session, self.shopper, self.thread_id)
        return [(one.role, one.content) for one in shown.messages]


def staff(tenant: Tenant, person: str | None, *scopes: Scope) -> Identity:
    return Identity(tenant.id, Actor.API_KEY, new_id("key"), scopes=frozenset(scopes or {Scope.STAFF}), person=person)


@pytest.fixture
def desk(shop: Shop) -> Desk:
    people = [staff(shop.tenant, name) for name in ("ann", "bob")]
    with shop.runtime.store.without_tenant() as session:
        for one in people:
            session.add(
                ApiKey(id=one.id, key_hash=one.id, tenant_id=shop.tenant.id, scopes=["staff"], person=one.person)
            )
    found = Desk(shop, *people)
    found.rule(hours=ALWAYS)
    return found
