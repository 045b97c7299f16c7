"""``icommerce catalog``: what the shop's products lack, and the products as a file."""

from __future__ import annotations

from typing import Annotated

import typer

from app.commands.books import Json, Shop
from app.commands.exporting import Format

app = typer.Typer(help="The shop's products.", no_args_is_help=True, rich_markup_mode=None)


@app.command("gaps")
def gaps(
    tenant: Shop,
    category: Annotated[str | None, typer.Option("--category", help="Only this one.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="So many products.")] = 50,
    json: Json = False,
) -> None:
    """Products that are too thin to sell well, the worst first, with what to do."""
    from app.commands.opened import runtime
    from app.commands.outcome import show, show_json
    from app.commands.tenants import shop_id
    from engine.catalog.gaps import report
    from engine.settings import Settings

    with runtime(Settings.from_env(), start=True) as opened:
        tenant_id = shop_id(opened, tenant)
        with opened.unit_of_work(tenant_id) as session:
            found = report(session, tenant_id, category=category, limit=limit).items
    if json:
        show_json([one.model_dump(mode="json") for one in found])
        return
    for one in found:
        show(f"{one.score:4} {one.slug}")
        for gap in one.gaps:
            show(f"     {gap.what}")


@app.command("export")
def export(tenant: Shop, form: Annotated[Format, typer.Option("--format", help="csv or json.")] = Format.CSV) -> None:
    """All products to stdout, as ``icommerce import products`` reads them."""
    from app.commands.opened import runtime
    from app.commands.outcome import show
    from app.commands.tenants import shop_id
    from engine.catalog.bulk import exporting
    from engine.settings import Settings

    with runtime(Settings.from_env(), start=True) as opened:
        tenant_id = shop_id(opened, tenant)
        with opened.unit_of_work(tenant_id) as session:
            write = exporting.to_csv if form == Format.CSV else exporting.to_json
            show(write(session, tenant_id))
