"""``icommerce keys create|list|revoke``. A key is shown once; its hash is all that is kept."""

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
    person: Annotated[
        str, typer.Option(help="Who works with it: the keys of one person never approve each other's requests.")
    ] = "",
    json: Json = False,
) -> None:
    """Make a key and show it, this once."""
    import secrets

    from app.commands.opened import runtime
    from app.commands.outcome import say, show, show_json
    from app.commands.tenants import _find
    from app.identity import KEY_PREFIX
    from engine.kit import audit
    from engine.kit.ids import new_id
    from engine.kit.tenancy import ApiKey, hash_secret
    from engine.settings import Settings

    wanted = _scopes(scopes)
    secret, key_id = KEY_PREFIX + secrets.token_urlsafe(32), new_id("key")
    with runtime(Settings.from_env(), start=True) as opened:
        with opened.store.without_tenant() as session:
            tenant_id = _find(session, tenant).id
        with opened.unit_of_work(tenant_id) as session:
            session.add(
                ApiKey(
                    id=key_id,
                    key_hash=hash_secret(secret),
                    tenant_id=tenant_id,
                    scopes=wanted,
                    label=label,
                    person=_person(person),
                )
            )
            facts = {"scopes": wanted}
            audit.record(session, tenant_id, actor="cli", action="key.created", subject=key_id, facts=facts)
    if json:
        show_json({"key": secret, "id": key_id, "tenant": tenant, "scopes": wanted})
    else:
        show(secret)
        say(f"{key_id} for {tenant}. Keep it now: it is not shown again.")


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
    found = " ".join(name.split()).casefold()
    if len(found) > _NAME_LIMIT:
        raise typer.BadParameter(f"a person's name has at most {_NAME_LIMIT} characters", param_hint="--person")
    return found or None


def _facts(key: Any, slug: str) -> dict[str, Any]:
    return {
        "id": key.id,
        "tenant": slug,
        "scopes": list(key.scopes),
        "label": key.label,
        "person": key.person,
        "created_at": key.created_at.isoformat(),
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
    }
