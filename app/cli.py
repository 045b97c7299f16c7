"""The command line. Every command imports what it needs when it runs: ``--help`` stays instant."""

from __future__ import annotations

import sys

import typer

from app.commands import (
    backups,
    books,
    catalog,
    checks,
    connections,
    doctor,
    evaluating,
    exporting,
    feeds,
    gateways,
    importing,
    keys,
    measuring,
    platforms,
    runs,
    serving,
    staff,
    store,
    talk,
    tenants,
    working,
)

app = typer.Typer(
    name="icommerce",
    help="Commerce run by conversation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("serve")(serving.serve)
app.command("migrate")(store.migrate)
app.command("seed")(store.seed)
app.command("chat")(talk.chat)
app.command("doctor")(doctor.doctor)
app.command("check")(checks.check)
app.command("backup")(backups.backup)
app.command("restore")(backups.restore)
app.command("bench")(measuring.bench)
app.command("worker")(working.worker)
app.command("run")(runs.run)
app.command("replay")(runs.replay)
app.add_typer(evaluating.app, name="eval")
app.add_typer(checks.audit_app, name="audit")
app.add_typer(books.app, name="books")
app.add_typer(exporting.app, name="export")
app.add_typer(keys.app, name="keys")
app.add_typer(staff.app, name="staff")
app.add_typer(platforms.app, name="platforms")
app.add_typer(platforms.events_app, name="webhooks")
app.add_typer(feeds.app, name="feed")
app.add_typer(gateways.app, name="gateways")
app.add_typer(connections.app, name="connections")
app.add_typer(runs.app, name="runs")
app.add_typer(working.app, name="agent")
app.add_typer(tenants.app, name="tenants")
app.add_typer(importing.app, name="import")
app.add_typer(catalog.app, name="catalog")


def main() -> None:
    """Run the command line; errors of ours end in one clear line and their exit code."""
    from app.commands.outcome import ended

    with ended():
        app(standalone_mode=True)
    sys.exit(0)


if __name__ == "__main__":
    main()
