"""``icommerce books``: a shop's accounts, trial balance and journal; locked months; what gateways paid out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.runtime import Runtime

app = typer.Typer(help="A shop's books.", no_args_is_help=True, rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
Shop = Annotated[str, typer.Option("--tenant", help="Slug of the shop.")]
Month = Annotated[str, typer.Option(help="Such as 2026-09.")]
From = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day, UTC.")]
To = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, UTC.")]
ACTOR = "cli"


@contextmanager
def opened_books(tenant: str, *, write: bool = False) -> Iterator[tuple[Runtime, Session, str]]:
    """The runtime, a transaction of the shop and the shop's id. Raises ``NotFound`` for a slug that is none."""
    from app.commands.opened import runtime
    from app.commands.tenants import shop_id
    from engine.settings import Settings

    with runtime(Settings.from_env(), start=write) as opened:
        tenant_id = shop_id(opened, tenant)
        with opened.unit_of_work(tenant_id) as session:
            yield opened, session, tenant_id


@app.command("accounts")
def accounts(tenant: Shop, json: Json = False) -> None:
    """The chart of accounts, by number."""
    from app.commands.outcome import show, show_json
    from engine.finance.chart import chart

    with opened_books(tenant) as (_, session, tenant_id):
        rows = list(chart(session, tenant_id).values())
    if json:
        show_json([row.model_dump() for row in rows])
        return
    for row in rows:
        show(f"{row.number:<8} {row.code:<24} {row.type:<16} {row.name}")


@app.command("account")
def account(
    code: Annotated[str, typer.Argument(help="Code of the account, such as revenue.")],
    tenant: Shop,
    number: Annotated[str | None, typer.Option(help="Its number in this shop.")] = None,
    name: Annotated[str | None, typer.Option(help="Its name in this shop.")] = None,
    json: Json = False,
) -> None:
    """Give an account another number or name."""
    from app.commands.outcome import show, show_json
    from engine.finance.chart import change_account

    with opened_books(tenant, write=True) as (_, session, tenant_id):
        changed = change_account(session, tenant_id, code, actor=ACTOR, number=number, name=name)
    if json:
        show_json(changed.model_dump())
    else:
        show(f"{changed.number}  {changed.code}  {changed.name}")


@app.command("trial-balance")
def trial_balance(
    tenant: Shop,
    as_of: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="End of this day, UTC.")] = None,
    json: Json = False,
) -> None:
    """Every account's balance, a list per currency; exit code 1 when debits and credits differ."""
    from app.commands.outcome import FAILED, show, show_json
    from engine.finance.reports import trial_balance as balances
    from engine.kit.money import format_minor

    with opened_books(tenant) as (_, session, tenant_id):
        found = balances(session, tenant_id, as_of=day(as_of))
    if json:
        show_json([one.model_dump() for one in found])
    for one in [] if json else found:
        show(f"{one.currency}{'':<37} {'debit':>18} {'credit':>18}")
        for row in one.accounts:
            debit, credit = (format_minor(side, one.currency) if side else "" for side in (row.debit, row.credit))
            show(f"{row.number:<8} {row.name:<31} {debit:>18} {credit:>18}")
        sums = (format_minor(side, one.currency) for side in (one.debits, one.credits))
        show(f"{'':<40} {next(sums):>18} {next(sums):>18}")
    if any(one.debits != one.credits for one in found):
        raise typer.Exit(FAILED)


@app.command("journal")
def journal(
    tenant: Shop,
    start: From = None,
    end: To = None,
    kind: Annotated[str | None, typer.Option(help="Such as capture or shipment.")] = None,
    order: Annotated[str | None, typer.Option(help="ord_…")] = None,
    account: Annotated[str | None, typer.Option(help="Code of an account.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 20,
    cursor: Annotated[str | None, typer.Option(help="Where the last page ended.")] = None,
    json: Json = False,
) -> None:
    """Journal entries, newest first."""
    from app.commands.outcome import say, show, show_json
    from engine.finance.reports import JournalFilter
    from engine.finance.reports import journal as entries
    from engine.kit.money import format_minor

    wanted = JournalFilter(day(start), day(end), kind=kind, order_id=order, account=account)
    with opened_books(tenant) as (_, session, tenant_id):
        page = entries(session, tenant_id, wanted, limit=limit, cursor=cursor)
    if json:
        items = [one.model_dump(mode="json") for one in page.items]
        show_json({"items": items, "next_cursor": page.next_cursor})
        return
    for one in page.items:
        undone = f", reversed by {one.reversed_by_id}" if one.reversed_by_id else ""
        show(f"{one.occurred_at:%Y-%m-%d %H:%M}  {one.id}  {one.kind} of {one.subject}{undone}")
        for line in one.postings:
            side = 20 if line.amount > 0 else 40
            show(f"    {line.account:<24}{format_minor(abs(line.amount), one.currency):>{side}}")
    if page.next_cursor:
        say(f"More: --cursor {page.next_cursor}")


@app.command("lock")
def lock(tenant: Shop, month: Month, json: Json = False) -> None:
    """Lock a past month: nothing is booked in it any more."""
    from app.commands.outcome import show, show_json
    from engine.finance import periods

    with opened_books(tenant, write=True) as (_, session, tenant_id):
        locked = periods.lock(session, tenant_id, month=month, actor=ACTOR)
    if json:
        show_json(locked.model_dump(mode="json"))
    else:
        show(f"The books of {month} are locked.")


@app.command("unlock")
def unlock(tenant: Shop, month: Month, json: Json = False) -> None:
    """Open a locked month again."""
    from app.commands.outcome import show, show_json
    from engine.finance import periods

    with opened_books(tenant, write=True) as (_, session, tenant_id):
        periods.unlock(session, tenant_id, month=month, actor=ACTOR)
    if json:
        show_json({"month": month, "locked": False})
    else:
        show(f"The books of {month} are open.")


@app.command("periods")
def locked_months(tenant: Shop, json: Json = False) -> None:
    """The months that are locked, newest first."""
    from app.commands.outcome import show, show_json
    from engine.finance.periods import periods

    with opened_books(tenant) as (_, session, tenant_id):
        rows = periods(session, tenant_id)
    if json:
        show_json([row.model_dump(mode="json") for row in rows])
        return
    for row in rows:
        show(f"{row.month}  locked {row.locked_at:%Y-%m-%d %H:%M} by {row.locked_by}")


@app.command("import-payouts")
def import_payouts(tenant: Shop, json: Json = False) -> None:
    """Ask every gateway what it paid out since the last time."""
    from app.commands.opened import runtime
    from app.commands.outcome import show, show_json
    from app.commands.tenants import shop_id
    from engine.finance.settlements import import_payouts as import_them
    from engine.settings import Settings

    with runtime(Settings.from_env(), start=True) as opened:
        count = import_them(opened, shop_id(opened, tenant))
    if json:
        show_json({"imported": count})
    else:
        show(f"{count} new payouts.")


@app.command("reconcile")
def reconcile(tenant: Shop, json: Json = False) -> None:
    """Our captures, refunds and disputes against what gateways settled; exit code 1 when something is open."""
    from app.commands.outcome import FAILED, show, show_json
    from engine.finance.reconciliation import reconcile as report_of
    from engine.kit.money import format_minor

    with opened_books(tenant) as (_, session, tenant_id):
        report = report_of(session, tenant_id)
    if json:
        show_json(report.model_dump(mode="json"))
    else:
        for one in report.gateways:
            paid, waits = (format_minor(amount, one.currency) for amount in (one.paid_out, one.waiting))
            show(f"{one.gateway} {one.currency}: paid out {paid}, waiting {waits}, {one.overdue_events} overdue")
        for line in report.differences:
            amount = format_minor(line.difference, line.currency)
            show(f"differs  {line.payout_id} line {line.position}: {line.kind} {line.reference} by {amount}")
        for row in report.clearing:
            show(f"clearing {row.currency}: unexplained {format_minor(row.unexplained, row.currency)}")
    if report.differences or any(row.unexplained for row in report.clearing):
        raise typer.Exit(FAILED)


@app.command("write-off")
def write_off(
    tenant: Shop,
    payout: Annotated[str, typer.Option(help="pyt_…")],
    line: Annotated[int, typer.Option(help="Position of the line, from 0.")],
    json: Json = False,
) -> None:
    """Give up the difference of one payout line: it leaves the clearing account."""
    from app.commands.outcome import show, show_json
    from engine.finance import settlements

    with opened_books(tenant, write=True) as (_, session, tenant_id):
        entry_id = settlements.write_off(session, tenant_id, payout_id=payout, position=line, actor=ACTOR)
    if json:
        show_json({"entry_id": entry_id})
    else:
        show(f"Written off ({entry_id}).")


def day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None
