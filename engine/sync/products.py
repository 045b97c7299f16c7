"""A platform's products in our catalog: linked, followed, and asked for anew before they are sold.

What was ours before is found by its SKUs, keeps its words, and follows in its prices and in whether it is sold. What is
new comes as a draft, with the platform's words, for somebody to complete.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import httpx
import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.catalog import authoring, changes, price_list
from engine.catalog.drafting import NewProduct, VariantIn, valid
from engine.catalog.models import ListedPrice, Product, ProductSource, ProductStatus, Variant
from engine.catalog.policy import CatalogPolicy
from engine.catalog.price_list import Wanted
from engine.catalog.prices import currencies_of
from engine.kit import clock
from engine.kit.errors import DomainError, InvalidInput
from engine.kit.identity import Actor, Identity
from engine.kit.policies import read_policy
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync import canonical, connections, connectors
from engine.sync.errors import RateLimited
from engine.sync.models import Connection, ConnectionStatus
from engine.sync.port import Storefront, Unread

log = structlog.get_logger(__name__)
SECONDS: Final = 5.0
"""What a platform has for an answer while a shopper waits."""
_PATIENCE: Final = 1.0
_CATEGORY: Final = "new products"
_SLUG: Final = re.compile(r"[^a-z0-9]+")
_SKU: Final = re.compile(r"[A-Z0-9][A-Z0-9-]{2,39}")


class Became(StrEnum):
    """What became of a product that was told."""

    CREATED = "created"
    LINKED = "linked"
    CHANGED = "changed"
    SAME = "same"
    OLD = "old"  # what we know is newer


class Unfit(InvalidInput):
    """It cannot be a product of ours."""

    code = "product_unfit"


def apply(session: Session, tenant_id: str, connection: Connection, told: canonical.Product) -> Became:
    """Our product follows what was told of it just now; told again it is the same. Raises ``Unfit``, and what the
    catalog refuses it with.
    """
    known = _source(session, tenant_id, connection.id, told.source_id)
    if known is None or told.active:  # what is taken off there is taken off here, whatever it is called
        _check(told)
    if known is not None:
        if told.updated_at < known.changed_at:
            return Became.OLD
        changed = _follow(session, tenant_id, known, told)
        _seen(known, told)
        return Became.CHANGED if changed else Became.SAME
    product_id = _ours(session, tenant_id, told)
    source = ProductSource(
        tenant_id=tenant_id,
        product_id=product_id or _create(session, tenant_id, told),
        system=connection.system,
        connection_id=connection.id,
        source_id=told.source_id,
        made_here=bool(product_id),
    )
    _seen(source, told)
    session.add(source)
    session.flush()
    if product_id:
        _follow(session, tenant_id, source, told)
    return Became.LINKED if product_id else Became.CREATED


def _check(told: canonical.Product) -> None:
    """A SKU is one thing: by one that stands twice nobody knows which price is meant."""
    skus = [one.sku for one in told.variants if one.sku]
    if twice := sorted({sku for sku in skus if skus.count(sku) > 1}):
        raise Unfit(f"Several of its variants have the SKU {twice[0][:60]}.")
    if not skus:
        raise Unfit("It has no variant with a SKU.")


def _ours(session: Session, tenant_id: str, told: canonical.Product) -> str:
    """The product of ours that has its SKUs; nothing where none has. Raises ``Unfit``."""
    skus = [one.sku for one in told.variants if one.sku]
    query = select(Variant.product_id).where(Variant.tenant_id == tenant_id, Variant.sku.in_(skus))
    found = set(session.scalars(query))
    if len(found) > 1:
        raise Unfit(f"Its SKUs are of {len(found)} products here.")
    product_id = next(iter(found), "")
    if product_id and (other := session.get(ProductSource, (tenant_id, product_id))) is not None:
        raise Unfit(f"What has its SKUs here follows {other.source_id} already.")
    return product_id


def gone(session: Session, tenant_id: str, connection_id: str, source_ids: Iterable[str]) -> None:
    """The platform has them no more: they are not sold any more here either."""
    for source_id in source_ids:
        known = _source(session, tenant_id, connection_id, source_id)
        if known is not None:
            _status(session, tenant_id, known.product_id, active=False)
            known.seen_at = clock.now()


@dataclass
class _Patience:
    """What a checkout waits for room at platforms, in all."""

    left: float = _PATIENCE

    def wait(self, seconds: float) -> None:
        """Raises ``RateLimited`` where that takes longer."""
        if seconds > self.left:
            raise RateLimited("There is no room for this request now.", retry_after=seconds)
        self.left -= seconds
        time.sleep(seconds)


@dataclass(frozen=True)
class Platforms:
    """Asks platforms whether what we know of their products still is so (``engine.runtime.Platforms``)."""

    transport: httpx.BaseTransport | None = None

    def recheck(self, runtime: Runtime, tenant_id: str, product_ids: Sequence[str]) -> list[str]:
        """No transaction is open while a platform is asked. One that was disconnected is not asked: what we know of
        its products is all there is.
        """
        patience, unasked = _Patience(), list[str]()
        for connection, wanted in self._wanted(runtime, tenant_id, product_ids):
            lacking = list[Unread]()
            try:
                found = self._store(runtime, connection, patience).products(sorted(wanted), unread=lacking.append)
            except DomainError as error:
                log.warning("a platform was not asked", connection_id=connection.id, why=error.code)
                unasked += wanted.values()
                continue
            there = {told.source_id: told for told in found if told.source_id in wanted}
            unread = {one.source_id for one in lacking}
            unread |= {told.source_id for told in there.values() if not _taken(runtime, connection, told)}
            unasked += [wanted[source_id] for source_id in sorted(unread)]
            with runtime.unit_of_work(tenant_id) as session:
                gone(session, tenant_id, connection.id, wanted.keys() - there.keys() - unread)
        return unasked

    def _store(self, runtime: Runtime, connection: Connection, patience: _Patience) -> Storefront:
        return connectors.storefront(
            runtime,
            connection.tenant_id,
            connection.id,
            transport=self.transport,
            patience=_PATIENCE,
            sleep=patience.wait,
            seconds=SECONDS,
        )

    def _wanted(
        self, runtime: Runtime, tenant_id: str, product_ids: Sequence[str]
    ) -> list[tuple[Connection, dict[str, str]]]:
        """By connection: the platform's name of each product → ours."""
        with runtime.unit_of_work(tenant_id) as session:
            rows = session.scalars(
                select(ProductSource).where(
                    ProductSource.tenant_id == tenant_id, ProductSource.product_id.in_(product_ids)
                )
            ).all()
            wanted: dict[str, dict[str, str]] = {}
            for row in rows:
                wanted.setdefault(row.connection_id, {})[row.source_id] = row.product_id
            found = [(connections.get(session, tenant_id, key), ids) for key, ids in sorted(wanted.items())]
        return [(one, ids) for one, ids in found if one.status != ConnectionStatus.CLOSED]


def _taken(runtime: Runtime, connection: Connection, told: canonical.Product) -> bool:
    """Whether our product follows what was told."""
    try:
        with runtime.unit_of_work(connection.tenant_id) as session:
            apply(session, connection.tenant_id, connection, told)
    except DomainError as error:
        log.warning("a product was not followed", source_id=told.source_id, why=error.code)
        return False
    return True


def _follow(session: Session, tenant_id: str, source: ProductSource, told: canonical.Product) -> bool:
    """Prices, whether it is sold, and the words of what came from there; whether anything became another."""
    rows = session.scalars(
        select(Variant).where(Variant.tenant_id == tenant_id, Variant.product_id == source.product_id)
    ).all()
    by_sku = {row.sku: row for row in rows}
    pairs = [(by_sku[one.sku], one) for one in told.variants if one.sku in by_sku]
    changed = [_price(session, tenant_id, row, one.price, told.currency) for row, one in pairs]
    changed.append(_words(session, tenant_id, source, told))
    changed.append(_status(session, tenant_id, source.product_id, active=told.active))
    return any(changed)


def _price(session: Session, tenant_id: str, variant: Variant, amount: int, currency: str) -> bool:
    """The home currency's is the variant's own; another's is its listed price, where the shop sells in it."""
    tenant = session.get_one(Tenant, tenant_id)
    if currency == tenant.currency:
        if variant.price == amount:
            return False
        changes.set_price(session, _system(tenant_id), variant_id=variant.id, amount=amount)
        return True
    if currency not in currencies_of(tenant.currency, tenant.settings):
        return False
    always = select(ListedPrice.amount).where(
        ListedPrice.tenant_id == tenant_id,
        ListedPrice.variant_id == variant.id,
        ListedPrice.currency == currency,
        ListedPrice.starts_at.is_(None),
        ListedPrice.ends_at.is_(None),
    )
    if session.scalar(always) == amount:
        return False
    price_list.put_prices(session, _system(tenant_id), [Wanted(sku=variant.sku, amount=amount, currency=currency)])
    return True


def _words(session: Session, tenant_id: str, source: ProductSource, told: canonical.Product) -> bool:
    if source.made_here:
        return False
    product = session.get_one(Product, (tenant_id, source.product_id))
    wanted = {"title": told.title[:200], "description": told.description[:4000]}
    different = {name: value for name, value in wanted.items() if getattr(product, name) != value}
    if different:
        authoring.change(session, _system(tenant_id), product.id, different)
    return bool(different)


def _status(session: Session, tenant_id: str, product_id: str, *, active: bool) -> bool:
    """What is taken off there is taken off here; what is there again is sold again. Drafts stay drafts."""
    product = session.get_one(Product, (tenant_id, product_id))
    if product.status == ProductStatus.DRAFT or (product.status == ProductStatus.ACTIVE) == active:
        return False
    wanted = ProductStatus.ACTIVE if active else ProductStatus.ARCHIVED
    changes.update_product(session, _system(tenant_id), product_id=product_id, changes={"status": wanted})
    return True


def _create(session: Session, tenant_id: str, told: canonical.Product) -> str:
    """A draft of it. Raises ``Unfit``, and ``InvalidInput`` where the catalog takes no such product."""
    tenant = session.get_one(Tenant, tenant_id)
    policy = read_policy(tenant.settings, CatalogPolicy)
    if told.currency != tenant.currency:
        raise Unfit(f"It is priced in {told.currency[:8]}, and new products here in {tenant.currency}.")
    if odd := [one.sku for one in told.variants if not _SKU.fullmatch(one.sku)]:
        raise Unfit(f"{odd[0][:60]!r} is no SKU that a product here could have.")
    names = list(dict.fromkeys(name for one in told.variants for name in one.options))
    plain = len(told.variants) == 1
    options: dict[str, list[str]] = {} if plain else {name: [] for name in names}
    for one in told.variants:
        for name, offered in options.items():
            if (value := one.options.get(name)) is not None and value not in offered:
                offered.append(value)
    variants = [
        VariantIn(
            sku=one.sku,
            options={} if plain else dict(one.options),
            price=one.price,
            weight_g=policy.platform_weight_g,
        )
        for one in told.variants
    ]
    given: dict[str, Any] = {
        "slug": f"{_SLUG.sub('-', told.title.lower()).strip('-')[:50].strip('-') or 'product'}-{told.source_id}"[:80],
        "title": told.title[:200],
        "description": told.description[:4000],
        "category": _CATEGORY,
        "options": options,
        "status": ProductStatus.DRAFT,
        "variants": [one.model_dump(mode="json") for one in variants],
    }
    return authoring.create(session, _system(tenant_id), valid(NewProduct, given)).id


def _source(session: Session, tenant_id: str, connection_id: str, source_id: str) -> ProductSource | None:
    query = select(ProductSource).where(
        ProductSource.tenant_id == tenant_id,
        ProductSource.connection_id == connection_id,
        ProductSource.source_id == source_id,
    )
    return session.scalars(query.with_for_update()).one_or_none()


def _seen(source: ProductSource, told: canonical.Product) -> None:
    source.seen_at, source.changed_at, source.images = clock.now(), told.updated_at, list(told.images)


def _system(tenant_id: str) -> Identity:
    return Identity(tenant_id, Actor.SYSTEM, "system")
