"""Reports to the cent and to the day: money as the trial balance has it, by the shop's own clock, of its own rows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from engine.carts.models import Cart
from engine.checkout.models import CheckoutSession, SessionStatus
from engine.conversations.models import Thread
from engine.finance import postings
from engine.finance import reports as books
from engine.finance import service as finance
from engine.kit import clock
from engine.kit.errors import InvalidInput, NotFound
from engine.payments import refunds
from engine.policies import set_policy
from engine.reports import service
from engine.reports.period import Period, period
from engine.reports.schemas import ReportView
from engine.support.models import Case, CaseStatus, Priority
from tests.conftest import MakeTenant
from tests.engine.orders.desk import buy
from tests.engine.returns.coming import deliver
from tests.shop import Shop, open_shop

SEPTEMBER = Period(date(2026, 9, 1), date(2026, 9, 5), "UTC")
DAY = date(2026, 9, 2)


def look(shop: Shop, name: str, over: Period = SEPTEMBER, currency: str = "USD") -> ReportView:
    with shop.uow() as session:
        return service.report(session, shop.tenant.id, name, over, currency=currency)


def post(shop: Shop, kind: str, amounts: Any, at: datetime, *, subject: str = "one", currency: str = "USD") -> None:
    with shop.uow() as session:
        finance.post(session, shop.tenant.id, kind=kind, subject=subject, currency=currency, amounts=amounts, at=at)


def values(view: ReportView, day: date) -> dict[str, int | None]:
    return next(row.values for row in view.rows if row.key == day.isoformat())


@pytest.fixture
def kept(shop: Shop) -> Shop:
    """A sale, its parcel, a refund that failed and one that did not, an exchange, a fee; another sale in euros."""
    noon = datetime(2026, 9, 2, 12, tzinfo=UTC)
    later = noon + timedelta(days=1)
    post(shop, "capture", postings.capture(1100, 100), noon)
    post(shop, "capture", postings.capture(700, 50), noon, subject="two", currency="EUR")
    post(shop, "shipment", postings.shipment(900, 50, 150, 400), noon)
    post(shop, "refund", postings.refund(110, 10, 30), later)
    post(shop, "refund", postings.refund(220, 20, 0), later, subject="two")
    post(shop, "refund_failed", postings.mirror(postings.refund(220, 20, 0)), later)
    post(shop, "exchange", postings.exchange(100, 90, 10), later)
    post(shop, "return_fee", postings.return_fee(10), later)
    post(shop, "capture", postings.capture(5500, 500), datetime(2026, 9, 6, tzinfo=UTC), subject="after")
    return shop


def test_money_by_day(kept: Shop) -> None:
    sales, refunds, tax = (look(kept, name) for name in ("sales", "refunds", "tax"))
    assert values(sales, DAY) == {"goods": 900, "shipping": 150, "gross": 1050, "discounts": 50, "net": 1000}
    assert values(sales, DAY + timedelta(days=1)) == dict.fromkeys(sales.totals, 0)
    assert sales.totals == values(sales, DAY)
    assert refunds.totals == {
        "sent": 70, "unsent": 30, "tax": 10, "paid_back": 110, "other": 110, "returns": 180, "fees": 10,
    }  # fmt: skip
    assert tax.totals == {"collected": 110, "given_back": 10, "owed": 100}
    assert [row.key for row in tax.rows] == [f"2026-09-0{number}" for number in range(1, 6)]
    assert look(kept, "tax", currency="EUR").totals == {"collected": 50, "given_back": 0, "owed": 50}


def test_it_ties_to_the_trial_balance(kept: Shop) -> None:
    with kept.uow() as session:
        [_, dollars] = books.trial_balance(session, kept.tenant.id, as_of=SEPTEMBER.end)
    there = {row.code: row.credit - row.debit for row in dollars.accounts}
    tied = {}
    for name in ("sales", "refunds", "tax"):
        ties = look(kept, name).ties
        assert ties is not None
        assert (ties.holds, ties.debits, ties.credits) == (True, dollars.debits, dollars.credits)
        tied |= {tie.account: (tie.report, tie.trial_balance) for tie in ties.accounts}
    assert tied == {
        account: (there[account], there[account])
        for account in ("revenue", "shipping_revenue", "discounts", "sales_returns", "return_fees", "tax_payable")
    }


def test_a_shop_that_buys_ships_and_refunds_ties_too(shop: Shop) -> None:
    shop.add("TENT", price=10_000)
    desk = buy(shop, "TENT", 2)
    deliver(desk)
    buy(shop, "TENT").do("cancel", reason="no_longer_needed")
    with shop.uow() as session:
        half = {"amount": 5500, "tax": 500, "unearned": 0, "reason": "test", "requested_by": "key_staff"}
        [asked] = refunds.request(session, shop.tenant.id, order_id=desk.order_id, **half)
    refunds.execute(shop.runtime, shop.tenant.id, asked.id)
    with shop.uow() as session:
        today = period(session, shop.tenant.id)
        [balance] = books.trial_balance(session, shop.tenant.id)
    for name in ("sales", "refunds", "tax"):
        ties = look(shop, name, today).ties
        assert ties is not None
        assert (ties.holds, ties.debits, ties.credits) == (True, balance.debits, balance.credits)
    assert (look(shop, "sales", today).totals["net"], look(shop, "refunds", today).totals["sent"]) == (20_595, 5_000)


def test_the_day_is_the_shops_own(shop: Shop) -> None:
    late = datetime(2026, 9, 3, 3, tzinfo=UTC)  # the evening before in Denver
    post(shop, "capture", postings.capture(1100, 100), late)
    in_denver = Period(DAY, DAY, "America/Denver")
    assert look(shop, "tax", in_denver).totals["collected"] == 100
    assert look(shop, "tax", Period(DAY, DAY, "UTC")).totals["collected"] == 0
    ties = look(shop, "tax", in_denver).ties
    assert ties is not None
    assert (ties.holds, ties.debits) == (True, 1100)


@pytest.mark.parametrize(
    ("time_zone", "day"),
    [
        ("CET", date(2026, 7, 1)),
        ("America/Denver", date(2026, 3, 8)),
        ("America/Denver", date(2026, 11, 1)),
        ("America/Havana", date(2026, 3, 8)),
        ("America/Havana", date(2026, 11, 1)),
    ],
    ids=str,
)
def test_the_first_and_the_last_second_are_of_their_day_wherever_clocks_change(
    shop: Shop, time_zone: str, day: date
) -> None:
    over = Period(day - timedelta(days=1), day + timedelta(days=1), time_zone)
    alone = Period(day, day, time_zone)
    second = timedelta(seconds=1)
    for number, at in enumerate((alone.since - second, alone.since, alone.until - second, alone.until)):
        post(shop, "capture", postings.capture(1000, 10**number), at, subject=f"{number}")
    view = look(shop, "tax", over)
    assert [row.values["collected"] for row in view.rows] == [1, 110, 1000]
    assert view.ties is not None
    assert view.ties.holds


def test_which_days(shop: Shop) -> None:
    with shop.uow() as session:
        set_policy(session, shop.tenant.id, "reports", {"time_zone": "Asia/Tokyo"}, actor="test")
    with shop.uow() as session:
        usual = period(session, shop.tenant.id)
        assert (usual.time_zone, len(usual.days)) == ("Asia/Tokyo", 30)
        assert period(session, shop.tenant.id, DAY, DAY).days == [DAY]
        for start, end in ((DAY, DAY - timedelta(days=1)), (DAY - timedelta(days=366), DAY)):
            with pytest.raises(InvalidInput):
                period(session, shop.tenant.id, start, end)
        with pytest.raises(NotFound):
            service.report(session, shop.tenant.id, "weather", usual, currency="USD")
        with pytest.raises(InvalidInput):
            set_policy(session, shop.tenant.id, "reports", {"time_zone": "Mars/Olympus"}, actor="test")


def test_a_day_that_is_an_hour_short() -> None:
    short = Period(date(2026, 3, 8), date(2026, 3, 8), "America/Denver")
    assert short.until - short.since == timedelta(hours=23)


def test_orders_and_products(shop: Shop) -> None:
    shop.add("TENT", price=10_000)
    shop.add("MUG", price=1_000)
    buy(shop, "TENT", 2)
    canceled = buy(shop, "MUG", 3)
    canceled.do("cancel", reason="no_longer_needed")
    with shop.uow() as session:
        today = period(session, shop.tenant.id)
    orders, products = look(shop, "orders", today), look(shop, "products", today)
    agreed = (20_000 + 595) * 11 // 10 + (3_000 + 595) * 11 // 10
    assert (orders.totals["orders"], orders.totals["canceled"]) == (2, 1)
    assert orders.totals["agreed"] == pytest.approx(agreed, abs=2)
    assert orders.totals["average"] == ((orders.totals["agreed"] or 0) * 2 + 2) // 4
    assert [(row.title, row.values) for row in products.rows] == [
        ("Thing TENT", {"units": 2, "returned": 0, "sales": 20_000}),
        ("Thing MUG", {"units": 0, "returned": 0, "sales": 0}),
    ]
    assert values(orders, today.start)["average"] is None


def talk(shop: Shop, number: int, at: datetime, *, said: int = 1) -> None:
    row = {"tenant_id": shop.tenant.id, "owner_id": f"shp_{number}", "created_at": at, "updated_at": at}
    with shop.uow() as session:
        session.add(Thread(id=f"thr_{number}", last_event=said, **row))


def handed(shop: Shop, number: int, at: datetime, *, answered_after: int | None) -> None:
    until = at + timedelta(hours=8)
    with shop.uow() as session:
        session.add(
            Case(
                tenant_id=shop.tenant.id, id=f"case_{number}", number=f"H-{number}", thread_id=f"thr_{number}",
                subject="Help", reason="asked", priority=Priority.NORMAL, rank=2, status=CaseStatus.RESOLVED,
                first_response_due_at=until, resolution_due_at=until, opened_by="test", created_at=at,
                first_response_at=None if answered_after is None else at + timedelta(seconds=answered_after),
            )
        )  # fmt: skip


def test_what_became_of_conversations(shop: Shop) -> None:
    noon = datetime(2026, 9, 2, 12, tzinfo=UTC)
    for number in range(5):
        talk(shop, number, noon, said=0 if number == 4 else 3)
    with shop.uow() as session:
        session.add(Cart(tenant_id=shop.tenant.id, id="cart_1", owner_id="shp_1", created_at=noon, updated_at=noon))
        for number, status in ((2, SessionStatus.CANCELED), (3, SessionStatus.COMPLETED)):
            session.add(
                CheckoutSession(
                    tenant_id=shop.tenant.id, id=f"chk_{number}", owner_id=f"shp_{number}", status=status,
                    thread_id=f"thr_{number}", currency="USD", lines=[], expires_at=noon,
                )
            )  # fmt: skip
    handed(shop, 0, noon, answered_after=90)
    funnel = {"conversations": 4, "carts": 3, "checkouts": 2, "orders": 1, "rate": 250_000}
    conversion, containment = look(shop, "conversion"), look(shop, "containment")
    assert (conversion.totals, values(conversion, DAY)) == (funnel, funnel)
    assert containment.totals == {"conversations": 4, "handed": 1, "rate": 750_000}
    assert values(containment, SEPTEMBER.start) == {"conversations": 0, "handed": 0, "rate": None}


def test_the_wait_for_a_person(shop: Shop) -> None:
    noon = datetime(2026, 9, 2, 12, tzinfo=UTC)
    for number, waited in enumerate((60, 120, 180, 600, None)):
        at = noon + timedelta(days=number // 3)
        talk(shop, number, at)
        handed(shop, number, at, answered_after=waited)
    view = look(shop, "handoff_wait")
    assert values(view, DAY) == {"handoffs": 3, "answered": 3, "median": 120, "p90": 180}
    assert values(view, DAY + timedelta(days=1)) == {"handoffs": 2, "answered": 1, "median": 600, "p90": 600}
    assert view.totals == {"handoffs": 5, "answered": 4, "median": 120, "p90": 600}
    assert look(shop, "handoff_wait", Period(DAY - timedelta(days=1), DAY - timedelta(days=1), "UTC")).totals == {
        "handoffs": 0, "answered": 0, "median": None, "p90": None,
    }  # fmt: skip


def test_one_statement_of_its_own_and_no_other_shops_rows(kept: Shop, make_tenant: MakeTenant) -> None:
    other = open_shop(kept.runtime, make_tenant())
    talk(kept, 1, datetime(2026, 9, 2, 12, tzinfo=UTC))
    for name in service.REPORTS:
        view = look(other, name)
        assert not any(view.totals.values())
        if view.ties:
            assert (view.ties.holds, view.ties.debits) == (True, 0)
    for name in service.REPORTS:
        with kept.uow() as session:
            heard: list[str] = []
            engine = session.get_bind()
            listen = lambda *told: heard.append(told[2])  # noqa: E731, B023
            event.listen(engine, "before_cursor_execute", listen)
            view = service.report(session, kept.tenant.id, name, SEPTEMBER, currency="USD")
            event.remove(engine, "before_cursor_execute", listen)
        assert len([one for one in heard if "app." in one]) == (3 if view.ties else 1)  # a tie: the balance, its chart


def test_a_sheet(kept: Shop) -> None:
    lines = service.to_csv(look(kept, "tax")).splitlines()
    assert lines[0] == "day,collected USD,given_back USD,owed USD"
    assert lines[2:4] == ["2026-09-02,1.00,0.00,1.00", "2026-09-03,0.10,0.10,0.00"]
    assert lines[-1] == "Total,1.10,0.10,1.00"
    assert (
        service.to_csv(look(kept, "conversion")).splitlines()[0]
        == "day,conversations,carts,checkouts,orders,rate_percent"
    )


def test_the_clock_decides_what_today_is(shop: Shop) -> None:
    with shop.uow() as session:
        assert period(session, shop.tenant.id).end == clock.now().date()
