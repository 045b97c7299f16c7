"""``icommerce staff invite|list|role|disable|enable``: who works for a shop, and as what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from engine.kit.members import StaffMember
    from engine.runtime import Runtime

app = typer.Typer(help="The people who work for a shop.", no_args_is_help=True, rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
Shop = Annotated[str, typer.Option("--tenant", help="Slug of the shop.")]
Email = Annotated[str, typer.Option("--email", help="Their e-mail at work.")]
RoleName = Annotated[str, typer.Option("--role", help="support, supervisor, ops or admin.")]


@app.command("invite")
def invite(
    tenant: Shop,
    email: Email,
    role: RoleName,
    name: Annotated[str, typer.Option(help="What they are called; customers see it.")] = "",
    json: Json = False,
) -> None:
    """Make somebody one of a shop's people; shows the link that lets them in once, this once."""
    from app.commands.outcome import say, show, show_json
    from engine.staff import members

    def work(session: Session, opened: Runtime, tenant_id: str) -> members.Invited:
        return members.invite(session, opened, tenant_id, email=email, role=_role(role), actor="cli", name=name)

    _role(role)
    made = _within(tenant, work)
    if json:
        show_json(_facts(made.member) | {"link": made.link})
    else:
        show(made.link)
        say(f"{made.member.name} ({made.member.email}) is invited as {made.member.role}. The link works once.")


@app.command("list")
def list_people(tenant: Shop, json: Json = False) -> None:
    """Who works for a shop; those who left come last."""
    from app.commands.outcome import show, show_json
    from engine.staff import members

    rows = [_facts(row) for row in _within(tenant, lambda session, _, shop: members.everybody(session, shop))]
    if json:
        show_json(rows)
        return
    for row in rows:
        state = row["status"] if row["joined_at"] or row["status"] == "disabled" else "invited"
        show(f"{row['id']}  {row['role']:<10} {state:<8} {row['name']:<20} {row['email']}")


@app.command("role")
def set_role(tenant: Shop, email: Email, role: RoleName, json: Json = False) -> None:
    """Give somebody another role; they are signed out and sign in anew."""
    from engine.staff import members

    _role(role)
    _change(
        tenant,
        email,
        lambda session, shop, who: members.set_role(session, shop, who, _role(role), actor="cli"),
        json=json,
    )


@app.command("disable")
def disable(tenant: Shop, email: Email, json: Json = False) -> None:
    """Let nobody in as this person any more; what they have open ends at once."""
    from engine.staff import members

    _change(tenant, email, lambda session, shop, who: members.disable(session, shop, who, actor="cli"), json=json)


@app.command("enable")
def enable(tenant: Shop, email: Email, json: Json = False) -> None:
    """Let somebody in again."""
    from engine.staff import members

    _change(tenant, email, lambda session, shop, who: members.enable(session, shop, who, actor="cli"), json=json)


def _change(tenant: str, email: str, act: Callable[[Session, str, str], StaffMember], *, json: bool) -> None:
    from app.commands.outcome import show, show_json
    from engine.kit.errors import NotFound
    from engine.staff import members

    def work(session: Session, _opened: Runtime, tenant_id: str) -> StaffMember:
        row = members.by_email(session, tenant_id, email.strip())
        if row is None:
            raise NotFound(f"Nobody with that e-mail works for {tenant}.")
        return act(session, tenant_id, row.id)

    row = _within(tenant, work)
    if json:
        show_json(_facts(row))
    else:
        show(f"{row.name} ({row.email}): {row.role}, {row.status}.")


def _within(tenant: str, work: Callable[[Session, Runtime, str], Any]) -> Any:
    """Do it in one transaction of the shop. Raises ``NotFound`` for a shop there is not."""
    from app.commands.opened import runtime
    from app.commands.tenants import _find
    from engine.settings import Settings

    with runtime(Settings.from_env(), start=True) as opened:
        with opened.store.without_tenant() as session:
            tenant_id = _find(session, tenant).id
        with opened.unit_of_work(tenant_id) as session:
            return work(session, opened, tenant_id)


def _role(word: str) -> Any:
    from engine.kit.identity import Role

    try:
        return Role(word.strip().lower())
    except ValueError:
        raise typer.BadParameter(f"roles are {', '.join(Role)}", param_hint="--role") from None


def _facts(row: StaffMember) -> dict[str, Any]:
    from engine.staff.schemas import MemberView

    return MemberView.of(row).model_dump(mode="json")
