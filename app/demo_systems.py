"""The first demo shop's accounts at the sandbox: connected once, then left to whoever plays with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.demo.seed import DEMO_SHOPS
from engine.kit.tenancy import Tenant
from engine.policies import set_policy
from engine.runtime import Runtime
from engine.sync import connections
from engine.sync.models import ConnectionStatus, System
from engine.sync.sandbox.merchants import Merchant
from engine.sync.sandbox.presets import THIRD_PARTY
from engine.workflows import pipeline, registry

ACTOR: Final = "system"
NAME: Final = "Sandbox"
"""How the connections are called by which they are known again."""
PARTNER: Final = "dcl"
_PREFER: Final = 2_000
"""Points: an order leaves from the 3PL's place wherever that has the goods."""
_WAYS: Final = {"standard": "10", "expedited": "11", "overnight": "12"}
"""Our ways of shipping → the ERP's, by the beginning of their code."""
_CARRIAGES: Final = {
    "10": {"carrier": "UPS", "service": "Ground"},
    "11": {"carrier": "UPS", "service": "2nd Day"},
    "12": {"carrier": "FEDEX", "service": "Overnight"},
}


@dataclass(frozen=True, slots=True)
class _Account:
    system: System
    base_url: str
    settings: Mapping[str, Any]
    secrets: Mapping[str, str]


def first_shop(session: Session) -> Tenant | None:
    """The demo shop whose goods the sandbox has; ``None`` where it was never seeded, or is suspended."""
    query = select(Tenant).where(Tenant.slug == DEMO_SHOPS[0], Tenant.demo, Tenant.status == "active")
    return session.scalars(query).one_or_none()


def connect(session: Session, runtime: Runtime, tenant_id: str, merchant: Merchant, url: str) -> bool:
    """Connect the shop to the merchant's accounts; whether that was the first time. Later only the port is put right:
    what somebody closed, paused or switched off stays so.
    """
    known = {row.system: row for row in connections.listed(session, tenant_id, closed=True) if row.name == NAME}
    ids = {}
    for account in _accounts(merchant, url):
        row = known.get(account.system)
        if row is None:
            row = connections.connect(
                session,
                runtime,
                tenant_id,
                actor=ACTOR,
                system=account.system,
                name=NAME,
                base_url=account.base_url,
                settings=account.settings,
                secrets_given=account.secrets,
            )
        elif row.status != ConnectionStatus.CLOSED and row.base_url != account.base_url:
            connections.change(session, runtime, tenant_id, row.id, actor=ACTOR, base_url=account.base_url)
        ids[account.system] = row.id
    if known:
        return False
    _hand_over_to_the_partner(session, tenant_id)
    _switch_on(session, tenant_id, merchant, ids)
    return True


def _accounts(merchant: Merchant, url: str) -> tuple[_Account, ...]:
    """What a merchant would type into the connections page."""
    who = merchant.credentials
    machine = {"client_id": who.netsuite_client_id, "certificate_id": who.netsuite_certificate_id}
    return (
        _Account(
            System.SHOPIFY,
            f"{url}/shopify/{who.shop_domain}",
            {"shop": who.shop_domain},
            {"access_token": who.shopify_access_token, "webhook_secret": who.shopify_client_secret},
        ),
        _Account(
            System.NETSUITE,
            f"{url}/netsuite/{who.netsuite_account}/services/rest",
            {"account": who.netsuite_account, "currency": merchant.shop.state.currency, **machine},
            {"private_key": who.netsuite_private_key_pem.strip()},
        ),
        _Account(
            System.DCL,
            f"{url}/dcl/api/v1",
            {"username": who.dcl_username, "account_number": who.dcl_account_number},
            {"password": who.dcl_password},
        ),
        _Account(System.SLACK, f"{url}/slack/services", {}, {"webhook_path": who.slack_path}),
    )


def _hand_over_to_the_partner(session: Session, tenant_id: str) -> None:
    """The 3PL runs its place, gets what it can send, and hears of it soon after the sale."""
    rules = {"partners": {THIRD_PARTY: PARTNER}, "auto_release": True, "release_after_minutes": 0}
    set_policy(session, tenant_id, "fulfillment", rules, actor=ACTOR)
    prefers = {"preferred": [THIRD_PARTY], "preference": _PREFER}
    set_policy(session, tenant_id, "routing", prefers, actor=ACTOR)


def _switch_on(session: Session, tenant_id: str, merchant: Merchant, ids: Mapping[System, str]) -> None:
    settings = settings_for(merchant) | {"connections": {str(system): row for system, row in ids.items()}}
    note = "The demo's sandbox."
    given: dict[str, Any] = {"actor": ACTOR, "note": note, "activate_it": True}
    pipeline.save(session, tenant_id, workflow=pipeline.SHARED, is_on=False, settings=settings, **given)
    for name in registry.names():
        pipeline.switch(session, tenant_id, actor=ACTOR, workflow=name, on=True)


def settings_for(merchant: Merchant) -> dict[str, Any]:
    """Places, ways of shipping and charges of the sandbox's accounts, as the shop calls them."""
    account = merchant.account
    places = {row.external_id or "": str(row.id) for row in account.kind("location").values()}
    shopify = {place.name: str(place.id) for place in merchant.shop.state.locations.values()}
    names = {code: shopify.get(name, "") for code, name in _names_of(merchant).items()}
    return {
        "locations": [
            {
                "erp": place,
                "ours": code,
                "storefront": names.get(code, ""),
                "warehouse": THIRD_PARTY if code == THIRD_PARTY else "",
            }
            for code, place in places.items()
        ],
        "default_location": places[THIRD_PARTY],
        "ship_methods": _ways(),
        "carriages": _CARRIAGES,
        "charge_items": {"tax": "SALES-TAX", "discount": "SHOP-DISCOUNT", "shipping": "SHIPPING"},
        "erp_defaults": {"subsidiary": {"id": "1"}},
    }


def _names_of(_merchant: Merchant) -> dict[str, str]:
    from engine.sync.sandbox.presets import read_goods

    return {row["code"]: row["name"] for row in read_goods().locations}


def _ways() -> dict[str, str]:
    tails = ("", "-ak-hi")
    foreign = {f"intl-{way}-{where}": _WAYS[way] for way in ("standard", "expedited") for where in ("ca", "gb", "eu")}
    return {f"{way}{tail}": place for way, place in _WAYS.items() for tail in tails} | foreign
