"""``icommerce export``: what a shop holds, for another program."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from app.commands.books import From, Shop, To, day

app = typer.Typer(help="What a shop holds, for another program.", no_args_is_help=True, rich_markup_mode=None)


class Format(StrEnum):
    CSV = "csv"
    JSON = "json"


@app.callback()
def _group() -> None:
    """Keep ``export`` a group though it has one command."""


@app.command("journal")
def journal(
    tenant: Shop,
    start: From = None,
    end: To = None,
    form: Annotated[Format, typer.Option("--format", help="csv or json.")] = Format.CSV,
) -> None:
    """Every posting booked in those days, oldest first, to stdout."""
    from app.commands.opened import runtime
    from app.commands.outcome import say
    from app.commands.tenants import shop_id
    from engine.finance.export import write_csv, write_json
    from engine.settings import Settings

    write = write_csv if form == Format.CSV else write_json
    with runtime(Settings.from_env()) as opened:
        tenant_id = shop_id(opened, tenant)
        with opened.store.unit_of_work(tenant_id, snapshot=True) as session:
            count = write(session, tenant_id, sys.stdout, start=day(start), end=day(end))
    sys.stdout.flush()
    say(f"{count} postings.")
