"""``icommerce chat``: the same conversation, in a terminal."""

from __future__ import annotations

from typing import Annotated

import typer


def chat(
    words: Annotated[list[str] | None, typer.Argument(help="Say this and leave; without it, a conversation.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Slug of a shop (demo mode).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print each event as a line of JSON.")] = False,
) -> None:
    """Talk to the shop at ICOMMERCE_ENDPOINT. A payment is confirmed by your own y at its card."""
    from app.commands.terminal import converse
    from engine.settings import Settings

    converse(Settings.from_env().endpoint, " ".join(words or ()), tenant=tenant, as_json=json)
