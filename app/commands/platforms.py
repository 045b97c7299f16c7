"""``icommerce platforms`` and ``icommerce webhooks``: who buys here for others, and what they are told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.agentic.models import AgentPlatform
    from engine.runtime import Runtime

app = typer.Typer(help="Agent platforms that buy here.", no_args_is_help=True, rich_markup_mode=None)
events_app = typer.Typer(help="What platforms are told of their orders.", no_args_is_help=True, rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
Shop = Annotated[str, typer.Option("--tenant", help="Slug of the shop.")]
Platform = Annotated[str, typer.Option("--platform", help="The platform's name or id.")]
_ACTOR = "cli"


@app.command("list")
def list_platforms(tenant: Shop, json: Json = False) -> None:
    """Platforms, where they hear, and what waits for them."""
    from app.commands.outcome import show, show_json
    from app.platforms_staff import platforms_of

    with _shop(tenant) as (_, session, tenant_id):
        rows = [one.model_dump(mode="json") for one in platforms_of(session, tenant_id)]
    if json:
        show_json(rows)
        return
    for row in rows:
        trust = "trusted" if row["trusted"] else "asks its buyer"
        heard = row["webhook_url"] or "no webhook"
        show(
            f"{row['id']}  {row['name']:<24} {row['status']:<10} {trust:<15} {heard}"
            f"  {row['waiting']} waiting, {row['given_up']} given up"
        )


@app.command("set-webhook")
def set_webhook(
    tenant: Shop,
    platform: Platform,
    url: Annotated[str, typer.Option(help="Where it hears of its orders; empty: nowhere any more.")],
    event_names: Annotated[
        str | None, typer.Option("--event-names", help="released (order_create) or past (order_created).")
    ] = None,
    json: Json = False,
) -> None:
    """Let a platform hear of its orders, from now on. The signing secret is shown once, when it is made."""
    from app.commands.outcome import say, show, show_json
    from engine.agentic import receivers
    from engine.agentic.webhook_models import EventNaming

    try:
        naming = EventNaming(event_names) if event_names else None
    except ValueError:
        raise typer.BadParameter("event names are released or past", param_hint="--event-names") from None
    with _one(tenant, platform) as (runtime, session, row):
        secret = None
        if url:
            secret = receivers.set_webhook(session, runtime, row, url, naming=naming, actor=_ACTOR)
        else:
            receivers.clear_webhook(session, row, actor=_ACTOR)
        found = {"id": row.id, "name": row.name, "webhook_url": row.webhook_url}
    if json:
        show_json(found | ({"secret": secret} if secret else {}))
        return
    show(secret or f"{found['name']} hears at {found['webhook_url'] or 'no address'}.")
    if secret:
        say("The signing secret. Keep it now: it is not shown again.")


@app.command("rotate-secret")
def rotate_secret(
    tenant: Shop,
    platform: Platform,
    overlap: Annotated[
        int, typer.Option(help="Hours until events are signed with the new one; 0: at once.", min=0, max=720)
    ] = 24,
    json: Json = False,
) -> None:
    """Make a new signing secret and show it, this once."""
    from datetime import timedelta

    from app.commands.outcome import say, show, show_json
    from engine.agentic import receivers

    with _one(tenant, platform) as (runtime, session, row):
        made = receivers.rotate_secret(session, runtime, row, overlap=timedelta(hours=overlap), actor=_ACTOR)
        platform_id = row.id
    if json:
        show_json({"id": platform_id, "secret": made.value, "begins_at": made.begins_at.isoformat()})
        return
    show(made.value)
    say(f"Events are signed with it from {made.begins_at:%Y-%m-%d %H:%M} UTC. Keep it now: it is not shown again.")


@app.command("suspend")
def suspend(
    tenant: Shop,
    platform: Platform,
    resume: Annotated[bool, typer.Option("--resume", help="Let it in again.")] = False,
    json: Json = False,
) -> None:
    """Close the door to a platform: its keys open nothing and it is told nothing. What it bought stays."""
    from engine.agentic import platforms

    with _one(tenant, platform) as (_, session, row):
        platforms.suspend(session, row, suspended=not resume, actor=_ACTOR)
        found = {"id": row.id, "status": str(row.status)}
    _said(found, f"{platform} is {found['status']}.", json=json)


@app.command("trust")
def trust(
    tenant: Shop,
    platform: Platform,
    no: Annotated[bool, typer.Option("--no", help="Its buyers agree on our own page from now on.")] = False,
    json: Json = False,
) -> None:
    """Take a platform's delegated tokens for its buyers' word."""
    from engine.agentic import platforms

    with _one(tenant, platform) as (_, session, row):
        platforms.trust(session, row, trusted=not no, actor=_ACTOR)
        found = {"id": row.id, "trusted": row.trusted}
    _said(found, f"{platform} is {'trusted' if found['trusted'] else 'not trusted'}.", json=json)


@events_app.command("list")
def list_events(
    tenant: Shop,
    platform: Annotated[str | None, typer.Option(help="A platform's name or id.")] = None,
    order: Annotated[str | None, typer.Option(help="An order's id.")] = None,
    status: Annotated[str | None, typer.Option(help="queued, delivered or dead.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    json: Json = False,
) -> None:
    """Events, newest first."""
    from app.commands.outcome import show, show_json
    from app.platforms_staff import EventView
    from engine.agentic import receivers, webhooks
    from engine.agentic.webhook_models import WebhookStatus

    if status is not None and status not in set(WebhookStatus):
        raise typer.BadParameter("a status is queued, delivered or dead", param_hint="--status")
    wanted = WebhookStatus(status) if status else None
    with _shop(tenant) as (_, session, tenant_id):
        whose = receivers.find(session, tenant_id, platform).id if platform else None
        page = webhooks.events(session, tenant_id, platform_id=whose, order_id=order, status=wanted, limit=limit)
        rows = [EventView.of(row).model_dump(mode="json") for row in page.items]
    if json:
        show_json(rows)
        return
    for row in rows:
        show(
            f"{row['id']}  {row['order_id']}  {row['type']:<12} {row['status']:<9} {row['attempts']:>2} tries"
            f"  {row['error']}"
        )


@events_app.command("replay")
def replay(
    tenant: Shop,
    event: Annotated[str | None, typer.Argument(help="whe_…: this event, under its own Request-Id.")] = None,
    order: Annotated[str | None, typer.Option(help="Tell of this order anew, under a new Request-Id.")] = None,
    dead: Annotated[str | None, typer.Option(help="Everything that was given up for this platform.")] = None,
    json: Json = False,
) -> None:
    """Send events once more; they leave with the next round of a running server."""
    from engine.agentic import receivers, webhooks

    if sum(value is not None for value in (event, order, dead)) != 1:
        raise typer.BadParameter("name an event, --order or --dead")
    with _shop(tenant) as (_, session, tenant_id):
        count = 1
        if event is not None:
            webhooks.replay(session, tenant_id, event, actor=_ACTOR)
        elif order is not None:
            webhooks.tell_again(session, tenant_id, order, actor=_ACTOR)
        else:
            whose = receivers.find(session, tenant_id, str(dead)).id
            count = webhooks.replay_dead(session, tenant_id, whose, actor=_ACTOR)
    _said({"queued": count}, f"{count} {'event is' if count == 1 else 'events are'} queued.", json=json)


@contextmanager
def _shop(slug: str) -> Iterator[tuple[Runtime, Session, str]]:
    from app.commands.opened import runtime
    from app.commands.tenants import shop_id
    from engine.settings import Settings

    with runtime(Settings.from_env(), start=True) as opened:
        tenant_id = shop_id(opened, slug)
        with opened.unit_of_work(tenant_id) as session:
            yield opened, session, tenant_id


@contextmanager
def _one(slug: str, name: str) -> Iterator[tuple[Runtime, Session, AgentPlatform]]:
    from engine.agentic import receivers

    with _shop(slug) as (opened, session, tenant_id):
        yield opened, session, receivers.find(session, tenant_id, name, lock=True)


def _said(found: dict[str, Any], words: str, *, json: bool) -> None:
    from app.commands.outcome import show, show_json

    if json:
        show_json(found)
    else:
        show(words)
