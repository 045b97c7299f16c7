"""``icommerce gateways set|list|test``: a shop's accounts at gateways. Secrets come by stdin and are never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from engine.payments.gateways.accounts import AccountFacts, Change

app = typer.Typer(help="A shop's accounts at payment gateways.", no_args_is_help=True, rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
Shop = Annotated[str, typer.Option("--tenant", help="Slug of the shop.")]
Name = Annotated[str, typer.Argument(help="The gateway: stripe.")]


@app.command("set")
def set_account(
    name: Name,
    tenant: Shop,
    secret_key: Annotated[bool, typer.Option("--secret-key-stdin", help="Read the secret key from stdin.")] = False,
    webhook_secret: Annotated[
        bool,
        typer.Option("--webhook-secret-stdin", help="Read a webhook secret, after the key if both are read."),
    ] = False,
    forget_old: Annotated[
        bool, typer.Option("--forget-old-webhook-secret", help="End the rotation: only the newest stays valid.")
    ] = False,
    publishable_key: Annotated[str | None, typer.Option(help="pk_…: not a secret.")] = None,
    return_url: Annotated[str | None, typer.Option(help="Where the bank sends its customer back to.")] = None,
    multicapture: Annotated[
        bool | None, typer.Option(help="The account may capture one authorization several times.")
    ] = None,
    json: Json = False,
) -> None:
    """Make or change an account. What is not given stays."""
    from app.commands.opened import runtime
    from app.commands.outcome import say, show_json
    from app.commands.tenants import _find
    from engine.kit.errors import Forbidden
    from engine.payments.gateways import accounts
    from engine.settings import Settings

    _known(name)
    settings = {"return_url": return_url, "multicapture": multicapture}
    change = _change(
        key=_line() if secret_key else None,
        hook=_line() if webhook_secret else None,
        forget_old=forget_old,
        publishable_key=publishable_key,
        settings={key: value for key, value in settings.items() if value is not None},
    )
    with runtime(Settings.from_env(), start=True) as opened:
        with opened.store.without_tenant() as session:
            shop = _find(session, tenant)
            tenant_id, demo = shop.id, shop.demo
        if demo and change.mode == "live":
            raise Forbidden("A demo shop pays with test keys only.")
        with opened.unit_of_work(tenant_id) as session:
            facts = accounts.put(session, opened.secret_key, tenant_id, name, change, actor="cli")
    if json:
        show_json(_facts(facts))
    else:
        say(f"{name} is set for {tenant} ({facts.mode}).")


@app.command("list")
def list_accounts(tenant: Shop, json: Json = False) -> None:
    """The shop's accounts, without secrets."""
    from app.commands.opened import runtime
    from app.commands.outcome import show, show_json
    from app.commands.tenants import _find
    from engine.payments.gateways import accounts
    from engine.settings import Settings

    with runtime(Settings.from_env()) as opened:
        with opened.store.without_tenant() as session:
            tenant_id = _find(session, tenant).id
        with opened.unit_of_work(tenant_id) as session:
            rows = [_facts(row) for row in accounts.listed(session, tenant_id)]
    if json:
        show_json(rows)
        return
    for row in rows:
        show(f"{row['gateway']:<10} {row['mode']:<5} {row['publishable_key'] or '-':<30} {row['updated_at']}")


@app.command("test")
def try_account(name: Name, tenant: Shop, json: Json = False) -> None:
    """Ask the gateway whether it takes the shop's key. Moves nothing."""
    from app.commands.opened import runtime
    from app.commands.outcome import show, show_json
    from app.commands.tenants import _find
    from engine.payments.errors import UnknownGateway
    from engine.payments.gateways.stripe.gateway import StripeGateway
    from engine.settings import Settings

    _known(name)
    with runtime(Settings.from_env()) as opened:
        with opened.store.without_tenant() as session:
            tenant_id = _find(session, tenant).id
        gateway = opened.gateways.get(name)
        if not isinstance(gateway, StripeGateway):
            raise UnknownGateway(f"{name} is not installed here: install icommerce[{name}].")
        live = gateway.ping(tenant_id)
    if json:
        show_json({"gateway": name, "tenant": tenant, "ok": True, "live": live})
    else:
        show(f"{name} takes the key of {tenant} ({'live' if live else 'test'} mode).")


def _known(name: str) -> None:
    if name != "stripe":
        raise typer.BadParameter(f"{name!r} is no gateway with accounts: use stripe")


def _line() -> str:
    """One line of stdin; an option or an argument would stay in the shell's history and the process list."""
    value = typer.get_text_stream("stdin").readline().strip()
    if not value:
        raise typer.BadParameter("nothing came by stdin")
    return value


def _change(
    *,
    key: str | None,
    hook: str | None,
    forget_old: bool,
    publishable_key: str | None,
    settings: dict[str, Any],
) -> Change:
    from engine.payments.gateways.accounts import Change
    from engine.payments.gateways.models import AccountMode

    _prefixed("--secret-key-stdin", key, ("sk_test_", "rk_test_", "sk_live_", "rk_live_"))
    _prefixed("--webhook-secret-stdin", hook, ("whsec_",))
    _prefixed("--publishable-key", publishable_key, ("pk_test_", "pk_live_"))
    mode = None if key is None else AccountMode.LIVE if "_live_" in key else AccountMode.TEST
    return Change(
        mode=mode,
        secret_key=key,
        webhook_secret=hook,
        forget_old=forget_old,
        publishable_key=publishable_key,
        settings=settings,
    )


def _prefixed(option: str, value: str | None, prefixes: tuple[str, ...]) -> None:
    if value is not None and not value.startswith(prefixes):
        raise typer.BadParameter(f"it starts with {' or '.join(prefixes)}", param_hint=option)


def _facts(row: AccountFacts) -> dict[str, Any]:
    return {
        "gateway": row.gateway,
        "mode": row.mode,
        "publishable_key": row.publishable_key,
        "settings": dict(row.settings),
        "updated_at": row.updated_at,
    }
