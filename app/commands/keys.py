"""``icommerce keys create|list|rotate|revoke``. A key is shown once; its hash is all that is kept."""

from __future__ import annotations

from typing import Annotated, Any

import typer

app = typer.Typer(help="Keys for programs.", no_args_is_help=True, rich_markup_mode=None)
_NAME_LIMIT = 80
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
Shop = Annotated[str, typer.Option("--tenant", help="Slug of the shop.")]


@app.command("create")
def create(
    tenant: Shop,
    scopes: Annotated[str, typer.Option(help="Comma-separated: acp, staff, ops, admin.")],
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    platform: Annotated[
        str, typer.Option(help="With scope acp: the agent platform whose key it is; one of its own when none is named.")
    ] = "",
    person: Annotated[
        str, typer.Option(help="Who works with it: the keys of one person never approve each other's requests.")
    ] = "",
    json: Json = False,
) -> None:
    """Make a key and show it, this once."""
    from app.commands.opened import runtime
    from app.commands.outcome import say, show, show_json
    from app.commands.tenants import _find
    from engine.agentic import keys
    from engine.settings import Settings

    wanted = _scopes(scopes)
    with runtime(Settings.from_env(), start=True) as opened:
        with opened.store.without_tenant() as session:
            tenant_id = _find(session, tenant).id
        with opened.unit_of_work(tenant_id) as session:
            made = keys.create(
                session,
                tenant_id,
                scopes=wanted,
                actor="cli",
                label=label,
                person=_person(person),
                platform=_name(platform, "a platform's", "--platform"),
            )
    if json:
        show_json({"key": made.secret, "id": made.id, "tenant": tenant, "scopes": wanted})
    else:
        show(made.secret)
        say(f"{made.id} for {tenant}. Keep it now: it is not shown again.")


@app.command("rotate")
def rotate(
    key_id: Annotated[str, typer.Argument(help="key_…")],
    overlap: Annotated[int, typer.Option(help="Hours for which the old key goes on working.", min=0, max=720)] = 24,
    json: Json = False,
) -> None:
    """Make a new key in place of one, and show it, this once. An agent platform's orders stay its own."""
    from datetime import timedelta

    from app.commands.opened import runtime
    from app.commands.outcome import say, show, show_json
    from engine.agentic import keys
    from engine.kit.errors import NotFound
    from engine.kit.tenancy import ApiKey, Tenant
    from engine.settings import Settings

    with runtime(Settings.from_env(), start=True) as opened:
        with opened.store.without_tenant() as session:
            row = session.get(ApiKey, key_id)
            if row is None:
                raise NotFound(f"There is no key {key_id!r}.")
            tenant_id, slug = row.tenant_id, session.get_one(Tenant, row.tenant_id).slug
        with opened.unit_of_work(tenant_id) as session:
            made = keys.rotate(session, tenant_id, key_id, actor="cli", overlap=timedelta(hours=overlap))
    if json:
        show_json({"key": made.secret, "id": made.id, "tenant": slug, "scopes": list(made.scopes)})
    else:
        show(made.secret)
        say(f"{made.id} for {slug}; {key_id} ends in {overlap} hours. Keep it now: it is not shown again.")


@app.command("list")
def list_keys(
    tenant: Annotated[str | None, typer.Option("--tenant", help="Slug of one shop.")] = None, json: Json = False
) -> None:
    """Keys without their secrets."""
    from sqlalchemy import select

    from app.commands.opened import runtime
    from app.commands.outcome import show, show_json
    from engine.kit.tenancy import ApiKey, Tenant
    from engine.settings import Settings

    query = select(ApiKey, Tenant.slug).join(Tenant, Tenant.id == ApiKey.tenant_id).order_by(ApiKey.created_at)
    if tenant:
        query = query.where(Tenant.slug == tenant)
    with runtime(Settings.from_env()) as opened, opened.store.without_tenant() as session:
        rows = [_facts(key, slug) for key, slug in session.execute(query)]
    if json:
        show_json(rows)
        return
    for row in rows:
        state = "revoked" if row["revoked_at"] else "live"
        who = row["person"] or "-"
        show(f"{row['id']}  {row['tenant']:<24} {','.join(row['scopes']):<20} {state:<8} {who:<16} {row['label']}")


@app.command("revoke")
def revoke(key_id: Annotated[str, typer.Argument(help="key_…")], json: Json = False) -> None:
    """End a key at once."""
    from app.commands.opened import runtime
    from app.commands.outcome import show, show_json
    from engine.kit import audit, clock
    from engine.kit.errors import NotFound
    from engine.kit.tenancy import ApiKey
    from engine.settings import Settings

    with runtime(Settings.from_env(), start=True) as opened:
        with opened.store.without_tenant() as session:
            row = session.get(ApiKey, key_id, with_for_update=True)
            if row is None:
                raise NotFound(f"There is no key {key_id!r}.")
            row.revoked_at = row.revoked_at or clock.now()
            tenant_id = row.tenant_id
        with opened.unit_of_work(tenant_id) as session:
            audit.record(session, tenant_id, actor="cli", action="key.revoked", subject=key_id)
    if json:
        show_json({"id": key_id, "revoked": True})
    else:
        show(f"{key_id} is revoked.")


def _scopes(text: str) -> list[str]:
    from engine.kit.identity import Scope

    known = {str(scope) for scope in Scope}
    wanted = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not wanted or not set(wanted) <= known:
        raise typer.BadParameter(f"scopes are {', '.join(sorted(known))}", param_hint="--scopes")
    return wanted


def _person(name: str) -> str | None:
    """One spelling for one person."""
    return _name(name, "a person's", "--person").casefold() or None


def _name(text: str, whose: str, option: str) -> str:
    found = " ".join(text.split())
    if len(found) > _NAME_LIMIT:
        raise typer.BadParameter(f"{whose} name has at most {_NAME_LIMIT} characters", param_hint=option)
    return found


def _facts(key: Any, slug: str) -> dict[str, Any]:
    return {
        "id": key.id,
        "tenant": slug,
        "scopes": list(key.scopes),
        "label": key.label,
        "person": key.person,
        "platform": key.platform_id,
        "created_at": key.created_at.isoformat(),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
    }
