"""Stock set right: by hand, by counting, by a file, from its ledger; and the alerts that watch it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from engine.finance import service as finance
from engine.inventory import adjusting, counting, ledger, stock_file, watching
from engine.inventory.errors import BelowReserved, NeedsCount, OwnCount
from engine.inventory.models import CountStatus, StockLevel, StockMovement
from engine.inventory.policy import InventoryPolicy
from engine.inventory.stock_file import StockDiff
from engine.kit import clock
from engine.kit.errors import InvalidInput
from engine.kit.ids import new_id
from engine.kit.policies import change_policy
from engine.kit.tenancy import ApiKey, Tenant
from engine.payments.models import Alert
from tests.conftest import MakeTenant
from tests.engine.inventory.stocked import assert_stock_adds_up, bundle, levels, line_of, set_level, set_variant
from tests.shop import Shop


def books(shop: Shop) -> dict[str, int]:
    with shop.uow() as session:
        return {account: amount for account, amount in finance.balances(session, shop.tenant.id).items() if amount}


def adjust(shop: Shop, sku: str, delta: int, *, actor: str = "key_1", approved: str | None = None) -> str:
    with shop.uow() as session:
        return adjusting.adjust(
            session,
            shop.tenant.id,
            actor=actor,
            approved=approved,
            variant_id=shop.variants[sku],
            location_id=shop.locations["EAST"],
            delta=delta,
            reason="broken",
        )


def count(shop: Shop, counted: dict[str, int], *, by: str = "key_2") -> tuple[str, str]:
    """Open and hand in a count at EAST; returns its id and status."""
    found = {shop.variants[sku]: units for sku, units in counted.items()}
    where = shop.locations["EAST"]
    with shop.uow() as session:
        opened = counting.open_count(session, shop.tenant.id, actor="key_1", location_id=where, variant_ids=list(found))
    with shop.uow() as session:
        done = counting.submit_count(session, shop.tenant.id, actor=by, count_id=opened.id, counted=found)
        return done.id, done.status


def decide(shop: Shop, count_id: str, *, actor: str, approved: bool) -> str:
    with shop.uow() as session:
        done = counting.decide_count(session, shop.tenant.id, actor=actor, count_id=count_id, approved=approved)
        return done.status


def load(shop: Shop, text: str, *, dry_run: bool = False, approved: str | None = None) -> StockDiff:
    with shop.uow() as session:
        return stock_file.import_stock(
            session, shop.tenant.id, actor="key_1", text=text, dry_run=dry_run, approved=approved
        )


def test_an_adjustment_has_a_reason_and_is_posted_at_cost(shop: Shop) -> None:
    shop.add("A", price=1000, stock={"EAST": 5})
    subject = adjust(shop, "A", -2)
    with shop.uow() as session:
        row = session.scalars(select(StockMovement).where(StockMovement.subject == subject)).one()
        assert (row.kind, row.on_hand_delta, row.reason) == ("adjust", -2, "broken")
    assert levels(shop, "A") == {"EAST": (3, 0)}
    assert books(shop) == {"inventory": -1000, "inventory_adjustments": 1000}
    assert_stock_adds_up(shop)


def test_nobody_writes_off_what_is_promised_or_very_much(shop: Shop) -> None:
    shop.add("A", price=1000, stock={"EAST": 50})
    line_of(shop, "A", 45)
    with pytest.raises(BelowReserved):
        adjust(shop, "A", -6)
    with pytest.raises(NeedsCount):
        adjust(shop, "A", 21)
    with pytest.raises(InvalidInput):
        adjust(shop, "A", 0)
    assert levels(shop, "A") == {"EAST": (50, 45)}
    assert books(shop) == {}


def test_the_limit_is_a_person_s_day_by_hand_by_file_and_by_small_counts(shop: Shop) -> None:
    shop.add("A", price=1000, stock={"EAST": 50})
    adjust(shop, "A", -12)
    adjust(shop, "A", 5)
    with pytest.raises(NeedsCount) as refused:
        adjust(shop, "A", -4)
    error = refused.value
    assert (error.rule, error.limit, error.amount, error.currency) == ("adjust_limit_units", 20, 21, None)
    file = "sku,location,on_hand\nA,EAST,39\n"
    assert load(shop, file, dry_run=True).over_limit == error.message
    with pytest.raises(NeedsCount):
        load(shop, file)
    assert levels(shop, "A") == {"EAST": (43, 0)}
    adjust(shop, "A", -1, actor="key_2")
    assert load(shop, "sku,location,on_hand\nA,EAST,40\n").applied
    assert count(shop, {"A": 38}, by="key_1")[1] == CountStatus.SUBMITTED
    assert levels(shop, "A") == {"EAST": (40, 0)}
    assert adjust(shop, "A", -20, approved="word_1").startswith("mov_")
    assert load(shop, "sku,location,on_hand\nA,EAST,0\n", approved="word_2").over_limit is None
    with clock.shifted(timedelta(hours=25)):
        adjust(shop, "A", 20)
    assert levels(shop, "A") == {"EAST": (20, 0)}
    assert_stock_adds_up(shop)


def test_all_keys_of_one_person_count_together(shop: Shop, make_tenant: MakeTenant) -> None:
    shop.add("A", price=1000, stock={"EAST": 50})
    mine, other, hers, elsewhere = (new_id("key") for _ in range(4))
    people = ((mine, "ada", shop.tenant), (other, "ada", shop.tenant), (hers, "eve", shop.tenant))
    with shop.runtime.store.without_tenant() as session:
        for key, person, tenant in (*people, (elsewhere, "ada", make_tenant())):
            session.add(ApiKey(id=key, key_hash=key, tenant_id=tenant.id, scopes=["staff"], person=person))
    adjust(shop, "A", -12, actor=mine)
    with pytest.raises(NeedsCount) as refused:
        adjust(shop, "A", -9, actor=other)
    assert (refused.value.limit, refused.value.amount) == (20, 21)
    assert levels(shop, "A") == {"EAST": (38, 0)}
    adjust(shop, "A", -8, actor=other)
    with pytest.raises(NeedsCount):
        adjust(shop, "A", -1, actor=mine)
    adjust(shop, "A", -20, actor=hers)
    assert levels(shop, "A") == {"EAST": (10, 0)}


def test_the_limit_holds_for_one_person_in_many_places_at_once(shop: Shop) -> None:
    for sku in ("A", "B", "C", "D"):
        shop.add(sku, price=1000, stock={"EAST": 50})

    def attempt(sku: str) -> str:
        try:
            adjust(shop, sku, -8)
        except NeedsCount as error:
            return error.rule
        return "done"

    with ThreadPoolExecutor(4) as pool:
        ends = sorted(pool.map(attempt, "ABCD"))
    assert ends == ["adjust_limit_units", "adjust_limit_units", "done", "done"]


def test_a_small_variance_is_booked_at_once(shop: Shop) -> None:
    shop.add("A", price=1000, stock={"EAST": 10})
    _, status = count(shop, {"A": 9})
    assert status == CountStatus.APPROVED
    assert levels(shop, "A") == {"EAST": (9, 0)}
    assert books(shop) == {"inventory": -500, "inventory_adjustments": 500}


def test_a_large_variance_waits_for_somebody_else(shop: Shop) -> None:
    shop.add("A", price=1000, stock={"EAST": 10})
    shop.add("B", price=200, stock={})
    count_id, status = count(shop, {"A": 4, "B": 1})
    assert status == CountStatus.SUBMITTED
    assert levels(shop, "A") == {"EAST": (10, 0)}
    for own in ("key_1", "key_2"):
        with pytest.raises(OwnCount):
            decide(shop, count_id, actor=own, approved=True)
    assert books(shop) == {}
    line_of(shop, "A", 2)
    assert decide(shop, count_id, actor="key_3", approved=True) == CountStatus.APPROVED
    assert (levels(shop, "A"), levels(shop, "B")) == ({"EAST": (4, 2)}, {"EAST": (1, 0)})
    assert books(shop) == {"inventory": -2900, "inventory_adjustments": 2900}
    assert_stock_adds_up(shop)


def test_a_count_below_what_is_promised_changes_nothing(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 10})
    line_of(shop, "A", 9)
    count_id, _ = count(shop, {"A": 4})
    with pytest.raises(BelowReserved):
        decide(shop, count_id, actor="key_3", approved=True)
    assert levels(shop, "A") == {"EAST": (10, 9)}
    assert decide(shop, count_id, actor="key_1", approved=False) == CountStatus.REJECTED
    assert levels(shop, "A") == {"EAST": (10, 9)}


def test_a_file_is_rehearsed_and_then_applied(shop: Shop) -> None:
    shop.add("AAA", price=1000, stock={"EAST": 5})
    shop.add("BBB", price=200, stock={"EAST": 1})
    text = "sku,location,on_hand,safety_stock\nAAA,EAST,7,1\nBBB,EAST,1,\nBBB,WEST,3,\n"
    told = load(shop, text, dry_run=True)
    assert (told.rows, len(told.changed), told.cost_delta, told.applied) == (3, 2, 1300, False)
    assert levels(shop, "AAA") == {"EAST": (5, 0)}
    done = load(shop, text)
    assert done.applied
    assert done.changed == told.changed
    assert (levels(shop, "AAA"), levels(shop, "BBB")) == ({"EAST": (7, 0)}, {"EAST": (1, 0), "WEST": (3, 0)})
    assert books(shop) == {"inventory": 1300, "inventory_adjustments": -1300}
    assert load(shop, text).changed == []
    assert_stock_adds_up(shop)


def test_one_bad_row_stops_the_whole_file(shop: Shop) -> None:
    shop.add("AAA", stock={"EAST": 5})
    line_of(shop, "AAA", 3)
    bundle(shop, "SET", {"AAA": 2})
    rows = ["AAA,WEST,9", "AAA,EAST,2", "XXX,EAST,1", "AAA,MOON,1", "SET,EAST,1", "AAA,WEST,8", "AAA,STORE,-1", "AAA"]
    told = load(shop, "sku,location,on_hand\n" + "\n".join(rows))
    assert [(one.line, one.message.split(":")[0]) for one in told.problems] == [
        (3, "3 of AAA are promised at EAST"),
        (4, "There is no item XXX."),
        (5, "There is no location MOON."),
        (6, "SET has no stock of its own"),
        (7, "This item at this location is named twice."),
        (8, "on_hand is not a whole number from 0."),
        (9, "It has not as many cells as the first line."),
    ]
    assert not told.applied
    assert levels(shop, "AAA") == {"EAST": (5, 3)}
    with pytest.raises(InvalidInput):
        load(shop, "item,count\nAAA,1\n")


def test_units_put_aside_by_hand_come_free_by_themselves(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.add("A", stock={"EAST": 5})
    with shop.uow() as session:
        adjusting.put_aside(session, shop.tenant.id, actor="key_1", variant_id=shop.variants["A"], quantity=2)
    assert levels(shop, "A") == {"EAST": (5, 2)}
    assert_stock_adds_up(shop)
    with shop.uow() as session:
        assert adjusting.expire_reservations(session, shop.tenant.id) == 0
    later = clock.now() + timedelta(minutes=31)
    monkeypatch.setattr(clock, "now", lambda: later)
    with shop.uow() as session:
        assert adjusting.expire_reservations(session, shop.tenant.id) == 1
        assert adjusting.expire_reservations(session, shop.tenant.id) == 0
    assert levels(shop, "A") == {"EAST": (5, 0)}
    assert_stock_adds_up(shop)


def test_low_stock_alerts_come_and_go(shop: Shop) -> None:
    def watch() -> tuple[int, int]:
        with shop.uow() as session:
            return watching.watch_stock(session, shop.tenant.id)

    def alerts() -> list[str]:
        with shop.uow() as session:
            rows = select(Alert.detail).where(Alert.tenant_id == shop.tenant.id, Alert.resolved_at.is_(None))
            return list(session.scalars(rows))

    shop.add("A", stock={"EAST": 5, "WEST": 5})
    shop.add("CODE", stock={"EAST": 1})
    set_variant(shop, "CODE", stock_policy="untracked")
    assert watch() == (0, 0)
    set_level(shop, "A", "EAST", low_stock_at=4, safety_stock=1)
    assert watch() == (1, 0)
    assert alerts() == ["A is low at EAST: 4 left to sell."]
    assert watch() == (0, 0)
    adjust(shop, "A", 1)
    assert watch() == (0, 1)
    assert alerts() == []
    with shop.runtime.store.without_tenant() as session:
        change_policy(session.get_one(Tenant, shop.tenant.id), InventoryPolicy, {"low_stock_at": 5})
    assert watch() == (1, 0)
    assert alerts() == ["A is low at WEST: 5 left to sell."]


def test_balances_are_rebuilt_from_the_ledger(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 5, "WEST": 2})
    line_of(shop, "A", 2, region="OH")
    right = levels(shop, "A")
    with shop.uow() as session:
        assert ledger.drift(session, shop.tenant.id) == []
        session.execute(update(StockLevel).values(on_hand=9, reserved=0))
    with shop.uow() as session:
        found = ledger.rebuild(session, shop.tenant.id)
        assert {(one.level, one.ledger) for one in found} == {((9, 0), (5, 2)), ((9, 0), (2, 0))}
    assert levels(shop, "A") == right
    assert_stock_adds_up(shop)
