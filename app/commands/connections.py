"""``icommerce connections add|list|rotate|test|pause|resume|close``: a shop's accounts at other systems.

Secrets come by stdin and are never shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.runtime import Runtime
    from engine.sync.models import Connection

app = typer.Typer(help="A shop's accounts at other systems.", no_args_is_help=True, rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
Shop = Annotated[str, typer.Option("--tenant", help="Slug of the shop.")]
Which = Annotated[str, typer.Argument(help="The connection's id (con_…).")]
Reason = Annotated[str, typer.Option("--reason", help="Why.")]


@app.command("add")
def add(
    system: Annotated[str, typer.Argument(help="shopify, netsuite, dcl, woocommerce, slack …")],
    tenant: Shop,
    base_url: Annotated[str, typer.Option(help="The system's address.")],
    name: Annotated[str, typer.Option(help="Tells two of one system apart.")] = "Main",
    setting: Annotated[list[str] | None, typer.Option(help="key=value, as often as needed; nothing secret.")] = None,
    json: Json = False,
) -> None:
    """Connect a shop. Its secrets are read from stdin, one `field=value` a line."""
    from engine.sync import connections
    from engine.sync.models import System

    if system not in set(System):
        raise typer.BadParameter(f"use one of {', '.join(System)}", param_hint="SYSTEM")
    settings, secrets = dict(_pair(one) for one in setting or ()), _from_stdin()
    with _opened(tenant) as (runtime, tenant_id), runtime.unit_of_work(tenant_id) as session:
        row = connections.connect(
            session,
            runtime,
            tenant_id,
            actor="cli",
            system=System(system),
            name=name,
            base_url=base_url,
            settings=settings,
            secrets_given=secrets,
        )
        _tell(session, row, json=json)


@app.command("list")
def list_all(tenant: Shop, json: Json = False) -> None:
    """The shop's connections, without secrets."""
    from app.commands.outcome import show, show_json
    from engine.sync import connections
    from engine.sync.showing import shown

    with _opened(tenant) as (runtime, tenant_id), runtime.unit_of_work(tenant_id) as session:
        rows = [shown(session, row) for row in connections.listed(session, tenant_id)]
    if json:
        show_json([row.model_dump(mode="json") for row in rows])
        return
    for row in rows:
        show(f"{row.id}  {row.system:<12} {row.name:<20} {row.status:<13} {row.breaker.state:<9} {row.reason}")


@app.command("rotate")
def rotate(
    connection: Which,
    tenant: Shop,
    overlap: Annotated[int, typer.Option(help="Seconds for which the replaced values count.")] = 3_600,
    json: Json = False,
) -> None:
    """Give it new secrets, read from stdin, one `field=value` a line."""
    from datetime import timedelta

    from engine.sync import connections

    secrets = _from_stdin()

    def act(session: Session, runtime: Runtime, tenant_id: str) -> Connection:
        over = timedelta(seconds=overlap)
        return connections.rotate(
            session, runtime, tenant_id, connection, actor="cli", secrets_given=secrets, overlap=over
        )

    _act(tenant, act, json=json)


@app.command("test")
def try_connection(connection: Which, tenant: Shop, json: Json = False) -> None:
    """Ask it something that changes nothing; 1 where it does not answer well."""
    from app import logs
    from app.commands.outcome import show, show_json
    from engine.sync.trying import try_out

    logs.configure()
    with _opened(tenant) as (runtime, tenant_id):
        tested = try_out(runtime, tenant_id, connection, actor="cli")
    if json:
        show_json(tested.model_dump(mode="json"))
    else:
        show(f"{tested.message} ({tested.took_ms} ms)")
    if not tested.ok:
        raise typer.Exit(1)


@app.command("pause")
def pause(connection: Which, tenant: Shop, reason: Reason, json: Json = False) -> None:
    """Send it nothing until it is resumed."""
    from engine.sync import connections

    _act(tenant, lambda s, _, t: connections.pause(s, t, connection, actor="cli", reason=reason), json=json)


@app.command("resume")
def resume(connection: Which, tenant: Shop, json: Json = False) -> None:
    """Call it again."""
    from engine.sync import connections

    _act(tenant, lambda s, _, t: connections.resume(s, t, connection, actor="cli"), json=json)


@app.command("close")
def close(connection: Which, tenant: Shop, reason: Reason, json: Json = False) -> None:
    """It is over: its secrets are gone at once."""
    from engine.sync import connections

    _act(tenant, lambda s, _, t: connections.close(s, t, connection, actor="cli", reason=reason), json=json)


def _act(tenant: str, act: Callable[[Session, Runtime, str], Connection], *, json: bool) -> None:
    with _opened(tenant) as (runtime, tenant_id), runtime.unit_of_work(tenant_id) as session:
        row = act(session, runtime, tenant_id)
        session.flush()
        _tell(session, row, json=json)


def _tell(session: Session, row: Connection, *, json: bool) -> None:
    from app.commands.outcome import show, show_json
    from engine.sync.showing import shown

    if json:
        show_json(shown(session, row).model_dump(mode="json"))
    else:
        show(f"{row.id} ({row.system}, {row.name}) is {row.status}.")


@contextmanager
def _opened(slug: str) -> Iterator[tuple[Runtime, str]]:
    from app.commands.opened import runtime
    from app.commands.tenants import _find
    from engine.settings import Settings

    with runtime(Settings.from_env()) as opened:
        with opened.store.without_tenant() as session:
            tenant_id = _find(session, slug).id
        yield opened, tenant_id


def _from_stdin() -> dict[str, str]:
    """`field=value` lines; an option or an argument would stay in the shell's history and the process list. A value of
    several lines (a private key) has a backslash and an n where one ends.
    """
    lines = [line.strip() for line in typer.get_text_stream("stdin") if line.strip()]
    if not lines:
        raise typer.BadParameter("nothing came by stdin: write field=value, one a line")
    return {field: value.replace("\\n", "\n") for field, value in map(_pair, lines)}


def _pair(said: str) -> tuple[str, str]:
    key, equals, value = said.partition("=")
    if not equals or not key.strip():
        raise typer.BadParameter("it is key=value")
    return key.strip(), value.strip()
