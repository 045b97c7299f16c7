"""A merchant with accounts at all vendors, and the credentials that a connector is given. Nothing else opens a door."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from engine.sync.sandbox.dcl.state import Pace, Warehouse
from engine.sync.sandbox.netsuite.state import AccountState, Keys
from engine.sync.sandbox.shopify.cost import Bucket
from engine.sync.sandbox.shopify.shop import Shop
from engine.sync.sandbox.shopify.state import ShopState
from engine.sync.sandbox.small.woocommerce import Store
from engine.sync.sandbox.world import World

CUSTOM_FIELDS: Final = frozenset(
    {
        "custbody_shopify_order_id",
        "custbody_sent_to_3pl",
        "custbody_3pl_order",
        "custbody_asn_sent",
        "custbody_source",
        "custcol_shopify_line_id",
    }
)
LISTS: Final = {
    "subsidiary": {1: "Parent Company"},
    "currency": {1: "USD", 2: "GBP", 3: "CAD", 4: "EUR"},
    "terms": {1: "Net 15", 2: "Net 30"},
    "shipMethod": {10: "Standard", 11: "Expedited", 12: "Overnight"},
    "account": {100: "Checking", 101: "Undeposited Funds"},
    "aracct": {110: "Accounts Receivable"},
    "price": {-1: "Custom", 1: "Base Price"},
    "paymentOption": {1: "Cash", 5: "Visa"},
    "department": {1: "Sales"},
    "class": {1: "Web"},
    "discountItem": {900: "Order Discount"},
}


@dataclass(frozen=True)
class Credentials:
    """What a merchant would type into the connections page."""

    shop_domain: str
    shopify_access_token: str
    shopify_client_secret: str
    netsuite_account: str
    netsuite_client_id: str
    netsuite_certificate_id: str
    netsuite_private_key_pem: str
    netsuite_consumer_key: str
    netsuite_consumer_secret: str
    netsuite_token_id: str
    netsuite_token_secret: str
    dcl_username: str
    dcl_password: str
    dcl_account_number: str
    slack_path: str
    tracker_api_key: str
    woocommerce_store: str
    woocommerce_key: str
    woocommerce_secret: str

    def as_json(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Merchant:
    """One merchant's accounts, as they were opened. ``credentials`` are those of the first day."""

    slug: str
    shop: Shop
    account: AccountState
    house: Warehouse
    credentials: Credentials


def open_merchant(world: World, slug: str, *, currency: str = "USD", pace: Pace | None = None) -> Merchant:
    """Accounts at all vendors, empty."""
    rng, ground = world.ground.rng, world.ground
    number = len(world.merchants) + 1
    private, public = _key_pair(rng)
    given = _credentials(rng, slug, number, private)
    shop = world.shopify.add(
        ShopState(given.shop_domain, slug, currency, given.shopify_access_token, given.shopify_client_secret, rng)
    )
    keys = Keys(
        given.netsuite_client_id,
        {given.netsuite_certificate_id: public},
        given.netsuite_consumer_key,
        given.netsuite_consumer_secret,
        given.netsuite_token_id,
        given.netsuite_token_secret,
    )
    account = world.netsuite.add(
        AccountState(given.netsuite_account, keys, rng, custom_fields=CUSTOM_FIELDS, lists=_lists(currency))
    )
    bucket = Bucket(10, 5, 10, ground.pace())
    house = Warehouse(given.dcl_username, given.dcl_password, given.dcl_account_number, rng, bucket, pace or Pace())
    world.dcl.add(house)
    world.slack.add(*given.slack_path.split("/")[::2])
    world.trackers.add(slug, given.tracker_api_key)
    world.woocommerce.add(Store(given.woocommerce_store, given.woocommerce_key, given.woocommerce_secret, currency))
    merchant = Merchant(slug, shop, account, house, given)
    world.merchants.append(merchant)
    return merchant


def _credentials(rng: random.Random, slug: str, number: int, private: str) -> Credentials:
    def secret(bits: int = 128) -> str:
        return f"{rng.getrandbits(bits):0{bits // 4}x}"

    return Credentials(
        shop_domain=f"{slug}.myshopify.com",
        shopify_access_token=f"shpat_{secret()}",
        shopify_client_secret=f"shpss_{secret()}",
        netsuite_account=f"TSTDRV{1000 + number}",
        netsuite_client_id=secret(256),
        netsuite_certificate_id=secret(64),
        netsuite_private_key_pem=private,
        netsuite_consumer_key=secret(256),
        netsuite_consumer_secret=secret(256),
        netsuite_token_id=secret(256),
        netsuite_token_secret=secret(256),
        dcl_username=f"{slug}-api",
        dcl_password=secret(),
        dcl_account_number=f"{20000 + number}",
        slack_path=f"T{number:08d}/B{number:08d}/{secret()}",
        tracker_api_key=f"EZTK{secret()}",
        woocommerce_store=slug,
        woocommerce_key=f"ck_{secret(160)}",
        woocommerce_secret=f"cs_{secret(160)}",
    )


def _key_pair(rng: random.Random) -> tuple[str, str]:
    """A key for ES256, of the world's dice: the same seed lets the same connector in."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    private: Any = ec.derive_private_key(rng.randrange(1, order), ec.SECP256R1())
    plain = serialization.NoEncryption()
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return pem.decode(), private.public_key().public_bytes(serialization.Encoding.PEM, kind).decode()


def _lists(currency: str) -> dict[str, dict[int, str]]:
    names = {name: dict(values) for name, values in LISTS.items()}
    own = next((number for number, code in names["currency"].items() if code == currency), None)
    if own is None:
        names["currency"][len(names["currency"]) + 1] = currency
    return names
