"""Goods under way: bought, sent from place to place, received, posted at cost."""

from __future__ import annotations

import pytest

from engine.finance import service as finance
from engine.inventory import inbound, queries
from engine.inventory.errors import BelowReserved, NeedsCount, NotStocked, OverReceipt
from engine.inventory.inbound import Coming
from engine.inventory.models import Inbound
from engine.inventory.policy import InventoryPolicy
from engine.kit.errors import InvalidInput
from engine.kit.policies import change_policy
from engine.kit.state_machine import IllegalTransition
from engine.kit.tenancy import Tenant
from tests.engine.inventory.stocked import assert_stock_adds_up, bundle, levels, line_of
from tests.shop import Shop


def books(shop: Shop) -> dict[str, int]:
    with shop.uow() as session:
        return {account: amount for account, amount in finance.balances(session, shop.tenant.id).items() if amount}


def expect(shop: Shop, code: str, units: dict[str, int], **kwargs: object) -> str:
    lines = [Coming(shop.variants[sku], quantity) for sku, quantity in units.items()]
    with shop.uow() as session:
        opened = inbound.expect_purchase(
            session, shop.tenant.id, actor="key_1", location_id=shop.locations[code], lines=lines, **kwargs
        )
        return opened.id


def send(shop: Shop, source: str, code: str, units: dict[str, int]) -> str:
    lines = [Coming(shop.variants[sku], quantity) for sku, quantity in units.items()]
    with shop.uow() as session:
        return inbound.dispatch_transfer(
            session,
            shop.tenant.id,
            actor="key_1",
            source_location_id=shop.locations[source],
            location_id=shop.locations[code],
            lines=lines,
        ).id


def receive(shop: Shop, inbound_id: str, units: dict[str, int]) -> str:
    received = {shop.variants[sku]: quantity for sku, quantity in units.items()}
    with shop.uow() as session:
        done = inbound.receive_inbound(session, shop.tenant.id, actor="key_1", inbound_id=inbound_id, received=received)
        return done.status


def incoming(shop: Shop, sku: str) -> int:
    with shop.uow() as session:
        return queries.by_location(session, shop.tenant.id, sku)[0].incoming


def test_a_purchase_comes_in_parts_and_is_posted_at_cost(shop: Shop) -> None:
    shop.add("A", price=5000, stock={})
    shop.add("B", price=300, stock={})
    opened = expect(shop, "EAST", {"A": 3, "B": 2})
    assert incoming(shop, "A") == 3
    assert receive(shop, opened, {"A": 2}) == "partly_received"
    assert (incoming(shop, "A"), levels(shop, "A")) == (1, {"EAST": (2, 0)})
    assert books(shop) == {"inventory": 5000, "accounts_payable": -5000}
    assert receive(shop, opened, {"A": 1, "B": 2}) == "received"
    assert books(shop) == {"inventory": 7800, "accounts_payable": -7800}
    assert incoming(shop, "A") == 0
    with pytest.raises((IllegalTransition, OverReceipt)):
        receive(shop, opened, {"A": 1})
    assert books(shop) == {"inventory": 7800, "accounts_payable": -7800}
    assert_stock_adds_up(shop)


def test_a_supplier_brings_no_more_than_the_shop_allows(shop: Shop) -> None:
    shop.add("A", stock={})
    opened = expect(shop, "EAST", {"A": 10})
    with pytest.raises(OverReceipt):
        receive(shop, opened, {"A": 11})
    assert levels(shop, "A") == {}
    with shop.runtime.store.without_tenant() as session:
        change_policy(session.get_one(Tenant, shop.tenant.id), InventoryPolicy, {"over_receipt_percent": 20})
    assert receive(shop, opened, {"A": 12}) == "received"


def test_a_transfer_is_nowhere_while_it_is_under_way(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 5})
    sent = send(shop, "EAST", "WEST", {"A": 4})
    assert levels(shop, "A") == {"EAST": (1, 0)}
    assert incoming(shop, "A") == 4
    receive(shop, sent, {"A": 1})
    with shop.uow() as session:
        inbound.receive_transfer(session, shop.tenant.id, actor="key_1", inbound_id=sent)
    assert levels(shop, "A") == {"EAST": (1, 0), "WEST": (4, 0)}
    assert books(shop) == {}
    assert_stock_adds_up(shop)


def test_what_is_promised_does_not_leave_for_another_place(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 5})
    line_of(shop, "A", 3)
    with pytest.raises(BelowReserved):
        send(shop, "EAST", "WEST", {"A": 3})
    with shop.uow() as session:
        assert session.query(Inbound).count() == 0
    assert levels(shop, "A") == {"EAST": (5, 3)}


@pytest.mark.parametrize("lost", [False, True])
def test_the_rest_of_a_transfer_goes_back_or_is_written_off(shop: Shop, lost: bool) -> None:
    shop.add("A", price=1000, stock={"EAST": 5})
    sent = send(shop, "EAST", "WEST", {"A": 4})
    receive(shop, sent, {"A": 1})
    with shop.uow() as session:
        closed = inbound.close_inbound(session, shop.tenant.id, actor="key_1", inbound_id=sent, lost=lost)
        assert closed.status == "received"
    assert levels(shop, "A") == {"EAST": (1 if lost else 4, 0), "WEST": (1, 0)}
    assert books(shop) == ({"inventory": -1500, "inventory_adjustments": 1500} if lost else {})
    assert incoming(shop, "A") == 0


def test_nobody_loses_more_of_a_transfer_than_they_may_write_off(shop: Shop) -> None:
    shop.add("A", price=1000, stock={"EAST": 30})
    sent = send(shop, "EAST", "WEST", {"A": 21})

    def lose(approved: str | None = None) -> str:
        with shop.uow() as session:
            return inbound.close_inbound(
                session, shop.tenant.id, actor="key_1", inbound_id=sent, lost=True, approved=approved
            ).status

    with pytest.raises(NeedsCount):
        lose()
    assert (incoming(shop, "A"), books(shop)) == (21, {})
    assert lose("word_1") == "canceled"
    assert books(shop) == {"inventory": -10500, "inventory_adjustments": 10500}
    assert_stock_adds_up(shop)


def test_a_purchase_that_never_came_is_canceled(shop: Shop) -> None:
    shop.add("A", stock={})
    opened = expect(shop, "EAST", {"A": 3})
    with shop.uow() as session:
        closed = inbound.close_inbound(session, shop.tenant.id, actor="key_1", inbound_id=opened)
        assert closed.status == "canceled"
    assert (incoming(shop, "A"), books(shop)) == (0, {})


def test_bundles_do_not_come_in_and_nothing_is_named_twice(shop: Shop) -> None:
    shop.add("A", stock={})
    bundle(shop, "SET", {"A": 2})
    with pytest.raises(NotStocked):
        expect(shop, "EAST", {"SET": 1})
    with pytest.raises(InvalidInput):
        send(shop, "EAST", "EAST", {"A": 1})
