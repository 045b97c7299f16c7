"""What begins while somebody is forgotten waits or is seen; and nowhere in the store can they be read afterwards."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.orm import Session

from engine.approvals.asking import Where, perform
from engine.approvals.models import ApprovalKind
from engine.checkout.complete import Completion, Result, complete
from engine.customers import service as customers
from engine.customers.models import Customer, Erasure
from engine.db import Addresses, open_engine
from engine.kit.identity import Actor, Identity, Scope
from engine.kit.outbox import OutboxRow
from engine.mail.consumer import write_letters
from engine.orders import goodwill
from engine.orders.models import Order
from engine.payments import stored_value
from engine.payments.stored_value_models import StoredValueKind
from engine.policies import set_policy
from engine.privacy import erasing
from tests.engine.customers.people import known
from tests.engine.privacy.test_erasing import WORDS, broken, erase, full_life
from tests.engine.warranties import fault
from tests.shop import Shop

STAYS = frozenset({"app.invoices"})
"""Tax law wants invoices as they were issued."""


def gift_card(shop: Shop, customer_id: str | None, mail_to: str) -> str:
    with shop.uow() as session:
        issued = stored_value.issue(
            session,
            shop.tenant.id,
            secret_key=shop.runtime.secret_key,
            kind=StoredValueKind.GIFT_CARD,
            amount=500,
            currency="USD",
            customer_id=customer_id,
            actor="key_test",
            mail_to=mail_to,
        )
    return issued.account.id


def payload(shop: Shop, account_id: str) -> OutboxRow:
    with shop.uow() as session:
        return session.scalars(select(OutboxRow).where(OutboxRow.subject_id == account_id)).one()


def ask(session: Session, shop: Shop, who: Identity) -> Erasure:
    return erasing.request(session, shop.tenant.id, who.customer_id or "", requested_by="key_test", reason="asked")


def blocked(connection: Connection) -> bool:
    """Whether somebody waits for a lock in this database."""
    found = connection.execute(
        text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
    )
    return bool(found.scalar_one())


def beside(shop: Shop, work: Callable[[], None], during: Callable[[Session], None]) -> None:
    """Run ``work`` beside a transaction that has done ``during`` and commits once the other waits for it."""
    other = Thread(target=work)
    watching = shop.runtime.store.engine.connect()
    with watching, shop.uow() as session:
        during(session)
        session.flush()
        other.start()
        while other.is_alive() and not blocked(watching):
            watching.rollback()
    other.join()


def test_a_purchase_that_began_before_finds_nobody_to_sell_to(shop: Shop) -> None:
    """T1 has read buyer and address, and writes them after they were forgotten."""
    ada = known(shop)
    shop.add("A")
    consent = shop.approved(ada, "A")
    ends: list[Completion] = []

    beside(
        shop,
        lambda: ends.append(complete(shop.runtime, ada, consent)),
        lambda session: ask(session, shop, ada),  # type: ignore[arg-type, return-value] # nobody looks at it
    )

    assert [end.result for end in ends] == [Result.CHANGED]
    with shop.uow() as session:
        assert session.scalars(select(Order)).all() == []
        assert session.scalars(select(Customer.erased_at)).one() is not None
    assert broken(shop) == []


def test_a_refund_that_began_before_is_seen(shop: Shop) -> None:
    desk = fault.delivered(shop)
    ada = known(shop, who=desk.buyer)
    rows: list[tuple[str, list[str]]] = []

    def forget() -> None:
        with shop.uow() as session:
            row = ask(session, shop, ada)
            rows.append((row.status, [hold["kind"] for hold in row.holds]))

    def give(session: Session) -> None:
        goodwill.give(
            session, shop.tenant.id, order_id=desk.order_id, amount=100, reason="A scratch", requested_by="key_test"
        )

    beside(shop, forget, give)

    assert rows == [("deferred", ["refund_under_way"])]


def test_what_somebody_still_has_to_decide_puts_it_off(shop: Shop) -> None:
    desk = fault.delivered(shop)
    ada = known(shop, who=desk.buyer)
    ann = Identity(shop.tenant.id, Actor.API_KEY, "key_ann", scopes=frozenset({Scope.STAFF}), person="ann")
    args = {"order_id": desk.order_id, "amount": 2000, "reason": "For Zaphod"}
    with shop.uow() as session:
        set_policy(session, shop.tenant.id, "approvals", {"refund_limit": 1}, actor="test")
    with shop.uow() as session:
        asked = perform(session, shop.runtime, ann, ApprovalKind.REFUND, args, reason="Zaphod asked", where=Where())
    assert asked.approval is not None

    row = erase(shop, ada)

    assert (row.status, row.holds) == ("deferred", [{"kind": "approval_pending", "subject": asked.approval.id}])


def test_a_letter_that_waits_is_not_written_and_its_address_goes(shop: Shop) -> None:
    ada = known(shop)
    theirs, friends = gift_card(shop, None, "Ada@example.com"), gift_card(shop, ada.customer_id, "bob@example.com")
    erase(shop, ada)

    assert "email" not in payload(shop, theirs).payload
    assert "sealed" not in payload(shop, theirs).payload
    assert payload(shop, theirs).delivered_at is not None
    assert payload(shop, friends).payload["email"] == "bob@example.com"


def test_what_an_event_says_for_its_letter_goes_when_that_is_written(shop: Shop) -> None:
    account = gift_card(shop, None, "bob@example.com")
    write_letters(shop.runtime, shop.tenant.id)

    row = payload(shop, account)
    assert (row.delivered_at is not None, sorted(row.payload)) == (True, ["amount", "currency", "expires_on"])


def test_nowhere_in_the_store_can_they_be_read(shop: Shop, addresses: Addresses) -> None:
    """Every table of every schema of ours, bytes too; but for what the books must keep."""
    ada, desk, _ = full_life(shop)
    gift_card(shop, ada.customer_id, "ada@example.com")
    with shop.uow() as session:
        customers.new_shopper(session, shop.tenant.id)
    assert found(shop, addresses) > {"app.outbox", "app.customers", "app.orders", "app.consents"}

    assert erase(shop, ada).status == "done"

    assert found(shop, addresses) - STAYS == set()
    assert desk.look().status == "canceled"
    assert broken(shop) == []


def found(shop: Shop, addresses: Addresses) -> set[str]:
    """The tables in which something of Ada can be read, in the clear or as bytes."""
    assert addresses.owner is not None
    owner = open_engine(addresses.owner)
    words = [form for word in WORDS for form in (word.lower(), word.encode().hex())]
    with owner.connect() as connection:
        connection.execute(text("SELECT set_config('app.tenant_id', :tenant, false)"), {"tenant": shop.tenant.id})
        tables = connection.execute(
            text(
                "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('app', 'graph', 'sandbox') ORDER BY 1"
            )
        ).scalars()
        theirs = {one for one in tables if _holds(connection, one, shop.tenant.id, words)}
    owner.dispose()
    return theirs


def _holds(connection: Connection, table: str, tenant_id: str, words: list[str]) -> bool:
    query = (
        f"SELECT count(*) FROM {table} t WHERE t::text LIKE '%' || :tenant || '%'"  # noqa: S608 (a catalog's name)
        " AND EXISTS (SELECT FROM unnest(CAST(:words AS text[])) w WHERE strpos(lower(t::text), w) > 0)"
    )
    return bool(connection.execute(text(query), {"tenant": tenant_id, "words": words}).scalar_one())


@pytest.mark.parametrize("spelled", ["ada@example.com", "Ada@Example.com", "jörg@example.com"])
@pytest.mark.parametrize("part", ["their own", "the shop's"])
def test_stored_answers_that_name_them_go(shop: Shop, part: str, spelled: str) -> None:
    ada = known(shop, spelled.lower())
    identity = ada.id if part == "their own" else "key_staff"
    with shop.uow() as session:
        session.execute(
            text(
                "INSERT INTO app.idempotency_keys (tenant_id, identity, operation, key, request_hash, response_status,"
                " response_body, created_at) VALUES (:tenant, :who, 'POST /x', 'k', 'h', 200,"
                " convert_to(:body, 'UTF8'), now())"
            ),
            {"tenant": shop.tenant.id, "who": identity, "body": f'{{"email": "{spelled}"}}'},
        )
    erase(shop, ada)
    with shop.uow() as session:
        assert session.execute(text("SELECT count(*) FROM app.idempotency_keys")).scalar_one() == 0
