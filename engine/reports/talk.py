"""What became of conversations: sales, people who had to help, and how long shoppers waited for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy import BigInteger, cast, exists, func, or_, select, tuple_
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from engine.carts.models import Cart
from engine.checkout.models import CheckoutSession, SessionStatus
from engine.conversations.models import Thread
from engine.reports.period import Period
from engine.reports.schemas import Column, ReportInfo, ReportView, Row, Unit, Values
from engine.support.models import Case

MILLION: Final = 1_000_000
CONVERSION: Final = ReportInfo(
    name="conversion",
    title="Conversion",
    about="Conversations by the day they began: how many came to a cart, to a checkout and to an order since.",
)
CONTAINMENT: Final = ReportInfo(
    name="containment",
    title="Containment",
    about="Conversations by the day they began: how many the assistant kept, with no case for people made of them.",
)
HANDOFF: Final = ReportInfo(
    name="handoff_wait",
    title="Wait for a person",
    about="From the hand-off of a conversation to a person's first answer, by the day of the hand-off.",
)


def conversion(session: Session, tenant_id: str, over: Period) -> ReportView:
    """Conversations → carts → checkouts → orders."""
    checkouts = CheckoutSession.tenant_id == Thread.tenant_id, CheckoutSession.thread_id == Thread.id
    checked_out = exists().where(*checkouts)
    ordered = exists().where(*checkouts, CheckoutSession.status == SessionStatus.COMPLETED)
    filled = exists().where(
        Cart.tenant_id == Thread.tenant_id, Cart.owner_id == Thread.owner_id, Cart.updated_at >= Thread.created_at
    )
    steps = {"carts": or_(filled, checked_out), "checkouts": checked_out, "orders": ordered}
    by_day = _threads(session, tenant_id, over, steps)
    return _report(
        CONVERSION,
        over,
        [
            Column(key="conversations", title="Conversations", unit=Unit.COUNT),
            Column(key="carts", title="Carts", unit=Unit.COUNT),
            Column(key="checkouts", title="Checkouts", unit=Unit.COUNT),
            Column(key="orders", title="Orders", unit=Unit.COUNT),
            Column(key="rate", title="Conversations that bought", unit=Unit.SHARE),
        ],
        "rate",
        lambda counts: {**counts, "rate": share(counts["orders"], counts["conversations"])},
        ("conversations", *steps),
        by_day,
    )


def containment(session: Session, tenant_id: str, over: Period) -> ReportView:
    """Conversations that were never handed to a person."""
    handed = exists().where(Case.tenant_id == Thread.tenant_id, Case.thread_id == Thread.id)
    by_day = _threads(session, tenant_id, over, {"handed": handed})
    return _report(
        CONTAINMENT,
        over,
        [
            Column(key="conversations", title="Conversations", unit=Unit.COUNT),
            Column(key="handed", title="Handed to people", unit=Unit.COUNT),
            Column(key="rate", title="Kept by the assistant", unit=Unit.SHARE),
        ],
        "rate",
        lambda counts: {
            **counts,
            "rate": share(counts["conversations"] - counts["handed"], counts["conversations"]),
        },
        ("conversations", "handed"),
        by_day,
    )


def handoff_wait(session: Session, tenant_id: str, over: Period) -> ReportView:
    """The median and the 90th percentile (nearest rank) of the wait for a first answer, in seconds."""
    day = over.day_of(Case.created_at)
    wait = cast(func.extract("epoch", Case.first_response_at - Case.created_at), BigInteger)
    quantiles = [func.percentile_disc(part).within_group(wait.asc()) for part in (0.5, 0.9)]
    answered = func.count(Case.first_response_at)
    found = session.execute(
        select(day.label("day"), func.count(), answered, *quantiles)
        .where(Case.tenant_id == tenant_id, *over.holds(Case.created_at), Case.thread_id.is_not(None))
        .group_by(func.grouping_sets(tuple_(day), tuple_()))
    )
    by_day: dict[date | None, Values] = {
        opened: {"handoffs": count, "answered": done, "median": median, "p90": slowest}
        for opened, count, done, median, slowest in found
    }
    nothing: Values = {"handoffs": 0, "answered": 0, "median": None, "p90": None}
    return ReportView(
        **HANDOFF.model_dump(),
        currency=None,
        first_day=over.start,
        last_day=over.end,
        time_zone=over.time_zone,
        columns=[
            Column(key="handoffs", title="Hand-offs", unit=Unit.COUNT),
            Column(key="answered", title="Answered", unit=Unit.COUNT),
            Column(key="median", title="Median wait", unit=Unit.SECONDS),
            Column(key="p90", title="Wait of 9 in 10", unit=Unit.SECONDS),
        ],
        plotted="median",
        rows=[Row(key=f"{one}", title=f"{one}", values=by_day.get(one, nothing)) for one in over.days],
        totals=by_day.get(None, nothing),
    )


def share(part: int, whole: int) -> int | None:
    """In millionths; of nothing there is none."""
    return part * MILLION // whole if whole else None


def _threads(
    session: Session, tenant_id: str, over: Period, steps: Mapping[str, ColumnElement[bool]]
) -> dict[date, dict[str, int]]:
    """Conversations in which something was said, by the day they began, and how many of them are what."""
    day = over.day_of(Thread.created_at).label("day")
    found = session.execute(
        select(day, func.count(), *(func.count().filter(one) for one in steps.values()))
        .where(Thread.tenant_id == tenant_id, *over.holds(Thread.created_at), Thread.last_event > 0)
        .group_by(day)
    )
    names = ("conversations", *steps)
    return {began: dict(zip(names, counts, strict=True)) for began, *counts in found}


def _report(
    info: ReportInfo,
    over: Period,
    columns: list[Column],
    plotted: str,
    complete: Any,
    names: Sequence[str],
    by_day: Mapping[date, Mapping[str, int]],
) -> ReportView:
    nothing = dict.fromkeys(names, 0)
    totals = {name: sum(counts[name] for counts in by_day.values()) for name in names}
    return ReportView(
        **info.model_dump(),
        currency=None,
        first_day=over.start,
        last_day=over.end,
        time_zone=over.time_zone,
        columns=columns,
        plotted=plotted,
        rows=[Row(key=f"{one}", title=f"{one}", values=complete(by_day.get(one, nothing))) for one in over.days],
        totals=complete(totals),
    )
