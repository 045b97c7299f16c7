"""Goods set apart find their place: sellable again, scrapped, or back to their vendor, with stock and cost."""

from __future__ import annotations

import pytest

from engine.approvals.asking import Performed, perform
from engine.approvals.models import ApprovalKind, ApprovalStatus
from engine.approvals.service import decide
from engine.inventory.errors import BelowReserved, NeedsCount
from engine.kit.errors import InvalidInput
from engine.policies import set_policy
from engine.returns import apart
from engine.returns.errors import TooManyUnits
from engine.returns.models import Disposition, ReturnLine
from tests.engine.inventory.stocked import bundle, levels
from tests.engine.orders.desk import Desk, broken, buy
from tests.engine.returns.coming import deliver, inspect, lines_of, receive, rule, send_back, the_return
from tests.engine.support.conftest import staff
from tests.shop import Shop

COST = 2500


def set_apart(shop: Shop, outcome: dict[Disposition, int], *, at: str | None = "STORE", sku: str = "A") -> Desk:
    """An order of four that came back and was looked at."""
    rule(shop, quarantine_location=at, return_to="EAST")
    desk = buy(shop, sku, 4)
    deliver(desk)
    send_back(desk, (sku, 4))
    receive(desk, the_return(desk))
    inspect(desk, the_return(desk), outcome)
    return desk


def move(desk: Desk, source: Disposition, outcome: Disposition, units: int, **more: str) -> str:
    row = the_return(desk)
    with desk.shop.uow() as session:
        return apart.move(
            session,
            row.tenant_id,
            row.id,
            return_line_id=lines_of(desk, row)[0].id,
            source=source,
            outcome=outcome,
            units=units,
            reason="Looked at again",
            actor="key_staff",
            **more,
        )


def moved(before: dict[str, int], after: dict[str, int], account: str) -> int:
    return after.get(account, 0) - before.get(account, 0)


def line(desk: Desk) -> ReturnLine:
    return lines_of(desk, the_return(desk))[0]


def test_what_lies_in_a_place_of_its_own_moves_with_its_cost(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 10})
    desk = set_apart(shop, {Disposition.QUARANTINE: 3, Disposition.REFURBISH: 1})
    assert (levels(shop, "A"), line(desk).apart_cost) == ({"EAST": (6, 0), "STORE": (4, 0)}, 4 * COST)
    before = desk.balances()
    move(desk, Disposition.REFURBISH, Disposition.RESTOCK, 1)
    assert (levels(shop, "A"), desk.balances()) == ({"EAST": (7, 0), "STORE": (3, 0)}, before)
    move(desk, Disposition.QUARANTINE, Disposition.SCRAP, 1)
    assert levels(shop, "A") == {"EAST": (7, 0), "STORE": (2, 0)}
    after = desk.balances()
    assert (moved(before, after, "inventory"), moved(before, after, "cogs")) == (-COST, COST)
    move(desk, Disposition.QUARANTINE, Disposition.REFURBISH, 1)
    move(desk, Disposition.QUARANTINE, Disposition.RETURN_TO_VENDOR, 1)
    row = line(desk)
    assert (row.restocked, row.refurbished, row.scrapped, row.to_vendor, row.quarantined) == (1, 1, 1, 1, 0)
    assert (levels(shop, "A"), row.apart_cost) == ({"EAST": (7, 0), "STORE": (1, 0)}, COST)
    assert broken(shop) == []


def test_what_lies_in_no_stock_comes_onto_the_shelf(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 10})
    desk = set_apart(shop, {Disposition.QUARANTINE: 4}, at=None)
    before = desk.balances()
    assert levels(shop, "A") == {"EAST": (6, 0)}
    move(desk, Disposition.QUARANTINE, Disposition.RESTOCK, 3)
    move(desk, Disposition.QUARANTINE, Disposition.SCRAP, 1)
    after = desk.balances()
    assert (levels(shop, "A"), moved(before, after, "inventory")) == ({"EAST": (9, 0)}, 3 * COST)
    assert broken(shop) == []


def test_a_bundle_moves_part_by_part(shop: Shop) -> None:
    shop.add("X", stock={"EAST": 20})
    shop.add("Y", stock={"EAST": 20})
    bundle(shop, "SET", {"X": 1, "Y": 2})
    desk = set_apart(shop, {Disposition.QUARANTINE: 4}, sku="SET")
    move(desk, Disposition.QUARANTINE, Disposition.SCRAP, 1)
    move(desk, Disposition.QUARANTINE, Disposition.RESTOCK, 2)
    assert (levels(shop, "X"), levels(shop, "Y")) == (
        {"EAST": (18, 0), "STORE": (1, 0)},
        {"EAST": (16, 0), "STORE": (2, 0)},
    )
    assert broken(shop) == []


def test_what_cannot_be_moves_nothing(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 10})
    desk = set_apart(shop, {Disposition.QUARANTINE: 2, Disposition.RESTOCK: 2})
    before = desk.rows()
    with pytest.raises(TooManyUnits):
        move(desk, Disposition.QUARANTINE, Disposition.RESTOCK, 3)
    with pytest.raises(TooManyUnits):
        move(desk, Disposition.REFURBISH, Disposition.RESTOCK, 1)
    for source, outcome, units in (
        (Disposition.RESTOCK, Disposition.SCRAP, 1),
        (Disposition.QUARANTINE, Disposition.QUARANTINE, 1),
        (Disposition.QUARANTINE, Disposition.SCRAP, 0),
    ):
        with pytest.raises(InvalidInput):
            move(desk, source, outcome, units)
    with shop.uow() as session:
        set_policy(session, shop.tenant.id, "inventory", {"adjust_limit_units": 0}, actor="test")
    with pytest.raises(NeedsCount):
        move(desk, Disposition.QUARANTINE, Disposition.SCRAP, 1)
    assert (desk.rows(), levels(shop, "A")) == (before, {"EAST": (8, 0), "STORE": (2, 0)})
    assert broken(shop) == []


def test_what_was_taken_away_by_hand_is_not_moved_twice(shop: Shop) -> None:
    from engine.inventory.adjusting import adjust

    shop.add("A", stock={"EAST": 10})
    desk = set_apart(shop, {Disposition.QUARANTINE: 4})
    with shop.uow() as session:
        key = {"variant_id": shop.variants["A"], "location_id": shop.locations["STORE"]}
        adjust(session, shop.tenant.id, actor="key_1", delta=-4, reason="Gone", **key)
    with pytest.raises(BelowReserved):
        move(desk, Disposition.QUARANTINE, Disposition.RESTOCK, 1)
    assert (line(desk).quarantined, levels(shop, "A")["EAST"]) == (4, (6, 0))


def test_above_the_limit_somebody_else_says_yes(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 10})
    desk = set_apart(shop, {Disposition.QUARANTINE: 4})
    with shop.uow() as session:
        set_policy(session, shop.tenant.id, "inventory", {"adjust_limit_value": COST}, actor="test")
    row, ann, bob = the_return(desk), staff(shop.tenant, "ann"), staff(shop.tenant, "bob")
    args = {
        "return_id": row.id,
        "return_line_id": line(desk).id,
        "source": "quarantine",
        "outcome": "scrap",
        "reason": "Broken",
    }

    def ask(units: int) -> Performed:
        with shop.uow() as session:
            kind = ApprovalKind.SET_APART
            return perform(session, shop.runtime, ann, kind, args | {"units": units}, reason="")

    assert ask(1).outcome is not None
    waiting = ask(2).approval
    assert waiting is not None
    assert (waiting.amount, waiting.rule, line(desk).quarantined) == (2 * COST, "adjust_limit_value", 3)
    assert decide(shop.runtime, bob, waiting.id, approve=True).status == ApprovalStatus.APPROVED
    assert (line(desk).quarantined, line(desk).scrapped, levels(shop, "A")["STORE"]) == (1, 3, (1, 0))
    assert broken(shop) == []
