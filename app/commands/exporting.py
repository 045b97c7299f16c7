"""``icommerce export``: what a shop holds, for another program."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from app.commands.books import From, Shop, To, day

if TYPE_CHECKING:
    from engine.runtime import Runtime

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


@app.command("thread")
def thread(
    thread_id: Annotated[str, typer.Argument(metavar="THREAD", help="A saved conversation.")],
    suite: Annotated[Path, typer.Option(help="The suite's file; a new one where there is none.")],
    tenant: Annotated[str | None, typer.Option(help="Slug of the shop; found by the conversation without it.")] = None,
    name: Annotated[
        str | None, typer.Option(help="What the scenario is called; by the conversation's end without.")
    ] = None,
    world: Annotated[str, typer.Option(help="The shop of evals/worlds that it is played in.")] = "outfitter",
) -> None:
    """A conversation as a scenario of a suite, with a cassette of its model; known people become stand-ins."""
    from app.commands.opened import runtime
    from app.commands.outcome import USAGE, say
    from app.commands.tenants import shop_id
    from engine.kit.errors import NotFound
    from engine.settings import Settings
    from evals.exporting import export, write
    from evals.suite import SuiteInvalid

    try:
        with runtime(Settings.from_env()) as opened:
            tenant_id = shop_id(opened, tenant) if tenant else _shop_of(opened, thread_id)
            with opened.store.unit_of_work(tenant_id, snapshot=True) as session:
                called = name or f"thread-{thread_id[-8:]}"
                exported = export(session, tenant_id, thread_id, name=called, shop=world)
        tape = write(exported, suite)
    except (SuiteInvalid, NotFound, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(USAGE) from None
    say(f"{called} is in {suite}; its cassette is {tape}.")


def _shop_of(opened: Runtime, thread_id: str) -> str:
    """The shop that this conversation is in. Raises ``NotFound``."""
    from engine.conversations.models import Thread
    from engine.kit.errors import NotFound

    for tenant_id in opened.store.tenant_ids(suspended=True):
        with opened.store.unit_of_work(tenant_id) as session:
            if session.get(Thread, (tenant_id, thread_id)) is not None:
                return tenant_id
    raise NotFound("There is no such conversation in any shop.")


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
