"""``icommerce migrate`` and ``icommerce seed``."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


def migrate(json: Json = False) -> None:
    """Bring the database to the present schema (needs the owner's DATABASE_ADMIN_URL, implicit when embedded)."""
    from app.boot import migrate_graph
    from app.commands.opened import database
    from app.commands.outcome import show, show_json
    from engine.migrate import migrate as run
    from engine.settings import Settings
    from engine.workflows.durable import migrate as migrate_runs

    with database(Settings.from_env(), start=True) as addresses:
        run(addresses)
        migrate_graph(addresses)
        migrate_runs(addresses)
    if json:
        show_json({"migrated": True})
    else:
        show("The database is up to date.")


def seed(json: Json = False) -> None:
    """Make the demo shops that are not there yet."""
    from app.commands.opened import runtime
    from app.commands.outcome import say, show, show_json
    from engine.demo.seed import seed_demo
    from engine.settings import Settings

    with runtime(Settings.from_env(), start=True, migrated=True) as opened:
        made = seed_demo(opened.store, progress=say)
    if json:
        show_json({"tenants": made})
    else:
        show(f"{len(made)} shops made." if made else "The demo shops are there already.")
