"""``icommerce export``: what a shop holds, for another program."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import typer

from app.commands.books import From, Shop, To, day

app = typer.Typer(help="What a shop holds, for another program.", no_args_is_help=True, rich_markup_mode=None)


class Format(StrEnum):
    CSV = "csv"
    JSON = "json"


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


@app.command("feed")
def feed(
    tenant: Shop,
    out: Annotated[Path | None, typer.Option(help="A file, such as products.jsonl; stdout without one.")] = None,
    country: Annotated[str | None, typer.Option(help="Two letters; the shop's own country when none is named.")] = None,
) -> None:
    """Every product on sale, one a line, in the Agentic Commerce Protocol's feed schema."""
    import orjson

    from app.commands.opened import runtime
    from app.commands.outcome import say
    from app.commands.tenants import shop_id
    from engine.agentic import feed as feeds
    from engine.settings import Settings

    with runtime(Settings.from_env()) as opened, _written(out) as file:
        tenant_id, count = shop_id(opened, tenant), 0
        with opened.store.unit_of_work(tenant_id, snapshot=True) as session:
            wanted = feeds.feed_of(session, tenant_id, country, web_origin=opened.web_origin)
            for product in feeds.products(session, wanted):
                file.write(orjson.dumps(product).decode() + "\n")
                count += 1
    say(f"{count} products.")


@contextmanager
def _written(out: Path | None) -> Iterator[TextIO]:
    """A file that is there whole or not at all."""
    if out is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    half = out.with_name(f".{out.name}.part")
    try:
        with half.open("w", encoding="utf-8") as file:
            yield file
        half.replace(out)
    finally:
        half.unlink(missing_ok=True)
