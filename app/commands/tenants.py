"""``icommerce tenants create|list|set|policy|suspend``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.kit.tenancy import Tenant
    from engine.runtime import Runtime

app = typer.Typer(help="The shops of this installation.", no_args_is_help=True, rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
Slug = Annotated[str, typer.Option(help="The shop's short name, such as summit-outdoor.")]


def check_slug(slug: str, option: str) -> None:
    """Raises ``BadParameter`` naming the option for what no shop can be called by."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) or len(slug) > 80:
        raise typer.BadParameter("a slug is lower-case words joined by hyphens", param_hint=option)


@app.command("create")
def create(
    catalog: Annotated[Path, typer.Option(exists=True, help="A catalog file (YAML or JSON) or a folder of them.")],
    slug: Annotated[str | None, typer.Option(help="The shop's slug, if not the file's.")] = None,
    name: Annotated[str | None, typer.Option(help="The shop's name, if not the file's.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="The sandbox gateway may pay here.")] = False,
    json: Json = False,
) -> None:
    """Make a shop from a catalog file."""
    from app.commands.opened import runtime
    from app.commands.outcome import say, show, show_json
    from engine.catalog.shop_file import read_catalog
    from engine.demo.seed import seed_tenant
    from engine.settings import Settings

    if slug:
        check_slug(slug, "--slug")
    file = read_catalog(catalog)
    slug = slug or file.shop.slug
    with runtime(Settings.from_env(), start=True, migrated=True) as opened:
        tenant_id = seed_tenant(opened.store, file, demo=demo, slug=slug, name=name, progress=say)
    if json:
        show_json({"id": tenant_id, "slug": slug, "name": name or file.shop.name, "demo": demo})
    else:
        show(f"{slug} is open ({tenant_id}).")


@app.command("list")
def list_shops(json: Json = False) -> None:
    """All shops, the first one first."""
    from sqlalchemy import select

    from app.commands.opened import runtime
    from app.commands.outcome import show, show_json
    from engine.kit.tenancy import Tenant
    from engine.settings import Settings

    with runtime(Settings.from_env()) as opened, opened.store.without_tenant() as session:
        rows = [_facts(row) for row in session.scalars(select(Tenant).order_by(Tenant.number))]
    if json:
        show_json(rows)
        return
    for row in rows:
        flags = [row["status"], *(["demo"] if row["demo"] else []), *([row["host"]] if row["host"] else [])]
        show(f"{row['slug']:<24} {row['name']:<28} {row['currency']}  {', '.join(flags)}")


@app.command("set")
def set_values(
    slug: Slug,
    values: Annotated[list[str], typer.Argument(help="key=value: name, host, status, demo, or any setting.")],
    json: Json = False,
) -> None:
    """Change a shop's name, host, status or settings."""
    from app.commands.opened import runtime
    from app.commands.outcome import show, show_json
    from engine.settings import Settings

    pairs = [_pair(value) for value in values]
    with runtime(Settings.from_env(), start=True) as opened, opened.store.without_tenant() as session:
        row = _find(session, slug)
        for key, value in pairs:
            _change(row, key, value)
        facts = _facts(row)
    if json:
        show_json(facts)
    else:
        show(f"{slug} changed.")


@app.command("suspend")
def suspend(slug: Slug, json: Json = False) -> None:
    """Close a shop: its keys, cookies and host are refused until its status is set to active again."""
    set_values(slug, ["status=suspended"], json)


def shop_id(opened: Runtime, slug: str) -> str:
    """The id of a shop. Raises ``NotFound``."""
    from sqlalchemy import select

    from engine.kit.errors import NotFound
    from engine.kit.tenancy import Tenant

    with opened.store.without_tenant() as session:
        found = session.scalar(select(Tenant.id).where(Tenant.slug == slug))
    if found is None:
        raise NotFound(f"There is no shop {slug!r}.")
    return found


@app.command("policy")
def policy(
    slug: Annotated[str, typer.Argument(help="The shop's short name.")],
    section: Annotated[str | None, typer.Argument(help="One domain's policy, such as inventory.")] = None,
    values: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="What to change.")] = None,
    json: Json = False,
) -> None:
    """Show a shop's rules, or change some: values are JSON where they are JSON, words elsewhere."""
    from app.commands.opened import runtime
    from app.commands.outcome import show, show_json
    from engine.kit.errors import InvalidInput
    from engine.policies import set_policy, show_policies
    from engine.settings import Settings

    wanted = {key: _json_or_words(text) for key, text in map(_pair, values or ())}
    with runtime(Settings.from_env(), start=True) as opened:
        tenant_id = shop_id(opened, slug)
        try:
            with opened.unit_of_work(tenant_id) as session:
                if section and wanted:
                    set_policy(session, tenant_id, section, wanted, actor="cli")
                found = [view.model_dump(mode="json") for view in show_policies(session, tenant_id, section)]
        except InvalidInput as error:
            raise typer.BadParameter(error.message) from None
    if json:
        show_json(found[0] if section else found)
        return
    for view in found:
        show(f"{view['section']}: {view['about']}")
        for key, value in view["values"].items():
            show(f"  {key:<36} {value!s:<24} {'set here' if key in view['changed'] else ''}".rstrip())


def _json_or_words(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except ValueError:
        return text


def _find(session: Session, slug: str) -> Tenant:
    from sqlalchemy import select

    from engine.kit.errors import NotFound
    from engine.kit.tenancy import Tenant

    row = session.scalar(select(Tenant).where(Tenant.slug == slug).with_for_update())
    if row is None:
        raise NotFound(f"There is no shop {slug!r}.")
    return row


def _pair(value: str) -> tuple[str, str]:
    key, equals, text = value.partition("=")
    if not equals or not key.isidentifier():
        raise typer.BadParameter(f"{value!r} is not key=value")
    return key, text


def _change(row: Tenant, key: str, value: str) -> None:
    if key == "status":
        if value not in {"active", "suspended"}:
            raise typer.BadParameter("status is active or suspended")
        row.status = value
    elif key == "demo":
        row.demo = value.lower() in {"1", "true", "yes"}
    elif key == "name":
        row.name = value
    elif key == "host":
        row.host = value.strip().lower() or None
    elif key in {"id", "slug", "currency", "country", "number"}:
        raise typer.BadParameter(f"{key} cannot be changed")
    else:
        row.settings = dict(row.settings) | {key: value}


def _facts(row: Tenant) -> dict[str, Any]:
    return {
        "id": row.id,
        "slug": row.slug,
        "name": row.name,
        "status": row.status,
        "demo": row.demo,
        "host": row.host,
        "currency": row.currency,
        "settings": row.settings,
    }
