"""``icommerce check`` and ``icommerce audit verify``."""

from __future__ import annotations

from typing import Annotated

import typer

audit_app = typer.Typer(help="The audit trail.", no_args_is_help=True, rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


def check(json: Json = False) -> None:
    """Prove the standing invariants of every shop; exit code 1 when one is broken."""
    from app.commands.opened import runtime
    from app.commands.outcome import FAILED, show, show_json
    from engine.checks import run_checks
    from engine.settings import Settings

    with runtime(Settings.from_env()) as opened:
        results = run_checks(opened)
    ok = all(result.ok for result in results)
    if json:
        rows = [
            {"name": f"{result.tenant}: {result.name}", "ok": result.ok, "detail": result.detail} for result in results
        ]
        show_json({"ok": ok, "checks": rows})
    else:
        for result in results:
            show(f"{'ok  ' if result.ok else 'FAIL'}  {result.tenant:<20} {result.name}: {result.detail}")
    if not ok:
        raise typer.Exit(FAILED)


@audit_app.command("verify")
def verify(json: Json = False) -> None:
    """Walk every shop's audit chain; exit code 1 when one is broken."""
    from sqlalchemy import select

    from app.commands.opened import runtime
    from app.commands.outcome import FAILED, show, show_json
    from engine.kit import audit
    from engine.kit.tenancy import Tenant
    from engine.settings import Settings

    rows = []
    with runtime(Settings.from_env()) as opened:
        with opened.store.without_tenant() as session:
            tenants = session.execute(select(Tenant.id, Tenant.slug).order_by(Tenant.number)).all()
        for tenant_id, slug in tenants:
            with opened.unit_of_work(tenant_id) as session:
                verdict = audit.verify(session, tenant_id)
            rows.append({"tenant": slug, "ok": verdict.ok, "rows": verdict.rows, "problem": verdict.problem})
    ok = all(row["ok"] for row in rows)
    if json:
        show_json({"ok": ok, "tenants": rows})
    else:
        for row in rows:
            show(f"{'ok  ' if row['ok'] else 'FAIL'}  {row['tenant']:<20} {row['rows']} rows {row['problem']}")
    if not ok:
        raise typer.Exit(FAILED)


@audit_app.callback()
def _group() -> None:
    """Keep ``audit`` a group though it has one command."""
