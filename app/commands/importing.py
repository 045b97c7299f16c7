"""``icommerce import stock``, ``products`` and ``promotions``: what a file would change, and changing it; ``tau2``: a
whole shop.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

if TYPE_CHECKING:
    from engine.catalog.bulk.running import Report
    from engine.inventory.stock_file import StockDiff

app = typer.Typer(help="Files into a shop.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _files() -> None:
    """Files into a shop."""


@app.command("stock")
def stock(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV: sku, location, on_hand, …")],
    tenant: Annotated[str, typer.Option("--tenant", help="Slug of the shop.")],
    apply: Annotated[bool, typer.Option("--apply", help="Change it, not only show it.")] = False,
    beyond_limits: Annotated[
        bool, typer.Option("--beyond-limits", help="Also more than one person may write on or off in a day.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Bring stock to what a CSV says. Shows the difference first; rows that cannot be stop all of it."""
    from app.commands.opened import runtime
    from app.commands.outcome import FAILED, show, show_json
    from app.commands.tenants import _find
    from engine.inventory.stock_file import import_stock
    from engine.settings import Settings

    text = file.read_text(encoding="utf-8-sig")
    with runtime(Settings.from_env(), start=True) as opened:
        with opened.store.without_tenant() as session:
            tenant_id = _find(session, tenant).id
        with opened.unit_of_work(tenant_id) as session:
            word = "cli" if beyond_limits else None
            diff = import_stock(session, tenant_id, actor="cli", text=text, dry_run=not apply, approved=word)
    if json:
        show_json(diff.model_dump(mode="json"))
    else:
        for line in _lines(diff):
            show(line)
    if diff.problems:
        raise typer.Exit(FAILED)


@app.command("tau2")
def tau2(
    db: Annotated[Path, typer.Option("--db", exists=True, dir_okay=False, help="The benchmark's db.json.")],
    tenant: Annotated[str, typer.Option("--tenant", help="Slug of the shop to be made.")],
    name: Annotated[str, typer.Option("--name", help="What the shop is called.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Make a shop of the τ² benchmark's retail data: goods, people, orders in their states, and its rules."""
    import orjson
    from rich.console import Console
    from rich.progress import Progress

    from app.commands.opened import runtime
    from app.commands.outcome import show, show_json
    from app.commands.tenants import check_slug
    from engine.settings import Settings
    from evals.tau2.importing import import_shop
    from evals.tau2.shop import NotThisShop

    check_slug(tenant, "--tenant")
    try:
        document = orjson.loads(db.read_bytes())
    except ValueError:
        raise NotThisShop(f"{db} is not JSON.") from None
    with (
        runtime(Settings.from_env(), start=True, migrated=True) as opened,
        Progress(transient=True, console=Console(stderr=True)) as bar,
    ):
        line = bar.add_task("customers")
        came = import_shop(
            opened,
            document,
            slug=tenant,
            name=name,
            progress=lambda done, whole: bar.update(line, completed=done, total=whole),
        )
    counts = {"products": len(came.products), "customers": len(came.people), "orders": len(came.owners)}
    if json:
        show_json({"id": came.tenant_id, "slug": tenant, "rows": came.rows} | counts)
        return
    show(f"{tenant} is open ({came.tenant_id}): " + ", ".join(f"{count} {of}" for of, count in counts.items()) + ".")


_File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, JSON or JSON lines (.jsonl).")]
_Tenant = Annotated[str, typer.Option("--tenant", help="Slug of the shop.")]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")]
_Atomic = Annotated[bool, typer.Option("--atomic", help="All of it, or nothing when one is bad.")]
_Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


@app.command("products")
def products(
    file: _File, tenant: _Tenant, dry_run: _DryRun = False, atomic: _Atomic = False, json: _Json = False
) -> None:
    """Bring products, variants, prices and stock to what a file says; the good ones go in, the bad ones are told."""
    _bring(file, "products", tenant, dry_run=dry_run, atomic=atomic, json=json)


@app.command("promotions")
def promotions(
    file: _File, tenant: _Tenant, dry_run: _DryRun = False, atomic: _Atomic = False, json: _Json = False
) -> None:
    """Bring discount codes and automatic promotions to what a file says."""
    _bring(file, "promotions", tenant, dry_run=dry_run, atomic=atomic, json=json)


def _bring(file: Path, kind: str, tenant: str, *, dry_run: bool, atomic: bool, json: bool) -> None:
    from rich.console import Console
    from rich.progress import Progress

    from app.commands.opened import runtime
    from app.commands.outcome import FAILED, show, show_json
    from app.commands.tenants import _find
    from engine.catalog.bulk.running import Verdict
    from engine.catalog.bulk.streams import form_of
    from engine.imports import kinds
    from engine.kit.identity import Actor, Identity
    from engine.settings import Settings

    form = form_of(file.name)

    def opener() -> TextIO:
        return file.open(encoding="utf-8-sig", newline="")

    with (
        runtime(Settings.from_env(), start=True) as opened,
        Progress(transient=True, console=Console(stderr=True)) as bar,
    ):
        with opened.store.without_tenant() as session:
            tenant_id = _find(session, tenant).id
        line = bar.add_task(kind, total=kinds.count(kind, opener, form))
        report = kinds.run(
            opened,
            Identity(tenant_id, Actor.SYSTEM, "cli"),
            opener,
            form,
            kind=kind,
            dry_run=dry_run,
            atomic=atomic,
            after=lambda _, tally: bar.update(line, completed=tally.done),
        )
    if json:
        show_json(report.model_dump(mode="json"))
    else:
        for words in _product_lines(report):
            show(words)
    if report.counts[Verdict.REFUSED]:
        raise typer.Exit(FAILED)


def _product_lines(report: Report) -> list[str]:
    lines = []
    for row in report.rows:
        said = row.problems or [f"{one.field} {one.before} → {one.after}" for one in row.changes]
        lines.append(f"line {row.line}: {row.key} {row.verdict}" + (f": {'; '.join(said)}" if said else ""))
    counts = ", ".join(f"{count} {name.value}" for name, count in report.counts.items())
    return [*lines, f"{counts}: {'in the shop' if report.applied else 'nothing was changed'}."]


def _lines(diff: StockDiff) -> list[str]:
    lines = [
        f"{row.sku} at {row.location}: "
        + ", ".join(f"{one.field} {_shown(one.before)} → {_shown(one.after)}" for one in row.changes)
        for row in diff.changed
    ]
    lines += [f"line {one.line}: {one.message}" for one in diff.problems]
    lines += [diff.over_limit + " Or say --beyond-limits."] if diff.over_limit else []
    ending = "applied" if diff.applied else ("nothing was changed" if diff.problems else "use --apply to change it")
    return [*lines, f"{diff.rows} rows, {len(diff.changed)} differ: {ending}."]


def _shown(value: int | None) -> str:
    return "none" if value is None else str(value)
