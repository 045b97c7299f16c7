"""``icommerce feed set|push``: a platform's copy of the shop's products."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

app = typer.Typer(help="Products, for platforms that keep a copy.", no_args_is_help=True, rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
Shop = Annotated[str, typer.Option("--tenant", help="Slug of the shop.")]
Platform = Annotated[str, typer.Option("--platform", help="The platform's name or id.")]
Country = Annotated[str | None, typer.Option(help="Two letters; the shop's own country when none is named.")]


@app.command("set")
def set_feed(
    tenant: Shop,
    platform: Platform,
    url: Annotated[str, typer.Option(help="The platform's feed API, without /feeds.")],
    country: Country = None,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read the bearer token it gave the shop from standard input.")
    ] = False,
    json: Json = False,
) -> None:
    """Say where a platform keeps the products of a country."""
    from app.commands.opened import runtime
    from app.commands.outcome import show, show_json
    from app.commands.tenants import shop_id
    from engine.agentic import feed_push, receivers
    from engine.kit.tenancy import Tenant
    from engine.settings import Settings

    token = sys.stdin.readline().strip() if token_stdin else ""
    with runtime(Settings.from_env(), start=True) as opened:
        tenant_id = shop_id(opened, tenant)
        with opened.unit_of_work(tenant_id) as session:
            row = feed_push.set_feed(
                session,
                opened,
                receivers.find(session, tenant_id, platform),
                country=country or session.get_one(Tenant, tenant_id).country,
                api_url=url,
                token=token,
                actor="cli",
            )
            found = {"id": row.id, "country": row.country, "api_url": row.api_url}
    if json:
        show_json(found)
    else:
        show(f"The products for {found['country']} go to {found['api_url']}.")


@app.command("push")
def push(tenant: Shop, platform: Platform, country: Country = None, json: Json = False) -> None:
    """Tell a platform of every product."""
    from app.commands.opened import runtime
    from app.commands.outcome import show, show_json
    from app.commands.tenants import shop_id
    from engine.agentic import feed_push, receivers
    from engine.settings import Settings

    with runtime(Settings.from_env(), start=True) as opened:
        tenant_id = shop_id(opened, tenant)
        with opened.unit_of_work(tenant_id) as session:
            platform_id = receivers.find(session, tenant_id, platform).id
        done = feed_push.push(opened, tenant_id, platform_id, country=country)
    if json:
        show_json({"feed_id": done.remote_id, "products": done.products, "ended": done.ended})
    else:
        show(f"{done.products} products told, and {done.ended} that are no longer sold.")
