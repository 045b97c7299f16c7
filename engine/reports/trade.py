"""Orders and what was sold, as agreed at checkout."""

from __future__ import annotations

from typing import Final

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session

from engine.orders.models import Order, OrderLine, OrderStatus
from engine.reports.period import Period
from engine.reports.schemas import Column, ReportInfo, ReportView, Row, Unit, Values

TOP: Final = 20
ORDERS: Final = ReportInfo(
    name="orders",
    title="Orders",
    about="Orders that were paid for, with what was agreed to at checkout, tax and shipping in it, by their day.",
)
PRODUCTS: Final = ReportInfo(
    name="products",
    title="Top products",
    about=f"The {TOP} products that sold for most: units not canceled, and what was agreed for them without tax.",
)


def orders(session: Session, tenant_id: str, over: Period, currency: str) -> ReportView:
    """How many orders, what they came to, and their average, by day."""
    day = over.day_of(Order.placed_at).label("day")
    canceled = func.count().filter(Order.status == OrderStatus.CANCELED)
    found = session.execute(
        select(day, func.count(), canceled, func.sum(Order.total))
        .where(Order.tenant_id == tenant_id, *over.holds(Order.placed_at), Order.currency == currency)
        .group_by(day)
    )
    by_day = {placed: (placed_count, undone, int(total)) for placed, placed_count, undone, total in found}
    rows = [
        Row(key=one.isoformat(), title=one.isoformat(), values=_order_values(*by_day.get(one, (0, 0, 0))))
        for one in over.days
    ]
    sums = [sum(part) for part in zip(*by_day.values(), strict=True)] or [0, 0, 0]
    return ReportView(
        **ORDERS.model_dump(),
        currency=currency,
        first_day=over.start,
        last_day=over.end,
        time_zone=over.time_zone,
        columns=[
            Column(key="orders", title="Orders", unit=Unit.COUNT),
            Column(key="canceled", title="Canceled since", unit=Unit.COUNT),
            Column(key="agreed", title="Agreed total", unit=Unit.MONEY),
            Column(key="average", title="Average order", unit=Unit.MONEY),
        ],
        plotted="orders",
        rows=rows,
        totals=_order_values(*sums),
    )


def products(session: Session, tenant_id: str, over: Period, currency: str) -> ReportView:
    """The products that sold for most."""
    kept = OrderLine.ordered - OrderLine.canceled
    within = case((OrderLine.tax_included, OrderLine.tax), else_=0)
    agreed = OrderLine.unit_price * OrderLine.ordered - OrderLine.discount - within
    sales = func.sum(agreed * kept / OrderLine.ordered).label("sales")
    found = session.execute(
        select(OrderLine.product_id, func.max(OrderLine.title), func.sum(kept), func.sum(OrderLine.returned), sales)
        .join(Order, and_(Order.tenant_id == OrderLine.tenant_id, Order.id == OrderLine.order_id))
        .where(
            Order.tenant_id == tenant_id,
            *over.holds(Order.placed_at),
            Order.currency == currency,
            OrderLine.tenant_id == tenant_id,
        )
        .group_by(OrderLine.product_id)
        .order_by(sales.desc(), OrderLine.product_id)
        .limit(TOP)
    )
    rows = [
        Row(key=key, title=title, values={"units": int(units), "returned": int(returned), "sales": int(money)})
        for key, title, units, returned, money in found
    ]
    return ReportView(
        **PRODUCTS.model_dump(),
        currency=currency,
        first_day=over.start,
        last_day=over.end,
        time_zone=over.time_zone,
        columns=[
            Column(key="units", title="Units", unit=Unit.COUNT),
            Column(key="returned", title="Returned", unit=Unit.COUNT),
            Column(key="sales", title="Agreed", unit=Unit.MONEY),
        ],
        plotted="sales",
        rows=rows,
        totals={key: sum(row.values[key] or 0 for row in rows) for key in ("units", "returned", "sales")},
    )


def _order_values(count: int, canceled: int, total: int) -> Values:
    """The average is rounded half up, in minor units; of no orders there is none."""
    average = (2 * total + count) // (2 * count) if count else None
    return {"orders": count, "canceled": canceled, "agreed": total, "average": average}
