"""What is too thin to sell well: per product what is missing, how much it weighs, and what to do about it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from engine.catalog.models import Product, Variant
from engine.catalog.prices import currencies_of
from engine.kit.errors import InvalidInput
from engine.kit.pagination import Page, decode_cursor, encode_cursor
from engine.kit.tenancy import Tenant
from engine.kit.views import View

SHORT: Final = 120
"""A description of fewer letters says too little."""
PEERS: Final = 3
"""Products of a category from which on they are compared."""
SCORES: Final[Mapping[str, int]] = {
    "no_variant": 100,
    "no_stock": 40,
    "no_codes": 40,
    "no_price": 35,
    "no_image": 30,
    "no_parcel_size": 25,
    "short_description": 20,
    "few_attributes": 15,
    "no_materials": 10,
    "untaxed": 10,
}


class Gap(View):
    kind: str
    score: int
    what: str
    """What is missing, and what to do."""


class ProductGaps(View):
    product_id: str
    slug: str
    title: str
    category: str
    score: int
    """The sum; 0 has no gap."""
    gaps: list[Gap]


def report(
    session: Session, tenant_id: str, *, category: str | None = None, limit: int = 50, cursor: str | None = None
) -> Page[ProductGaps]:
    """Products that are not archived and have a gap, the worst first, a page at a time. Raises ``InvalidInput``."""
    start = 0
    if cursor:
        (said,) = decode_cursor(cursor, size=1)
        if not isinstance(said, int) or said < 0:
            raise InvalidInput("The cursor is not one of ours.", param="cursor")
        start = said
    found = [one for one in _all(session, tenant_id, category) if one.gaps]
    found.sort(key=lambda one: (-one.score, one.slug))
    shown = found[start : start + limit]
    return Page(shown, encode_cursor([start + limit]) if len(found) > start + limit else None)


_STOCK: Final = text("""
SELECT v.product_id, coalesce(sum(greatest(l.on_hand - l.reserved, 0)), 0) AS units FROM app.variants v
JOIN app.stock_levels l ON l.tenant_id = v.tenant_id AND l.variant_id = v.id
WHERE v.tenant_id = :tenant AND v.sellable GROUP BY v.product_id
""")
_PRICED: Final = text("""
SELECT v.id, p.currency FROM app.variants v JOIN app.prices p ON p.tenant_id = v.tenant_id AND p.variant_id = v.id
  AND (p.starts_at IS NULL OR p.starts_at <= now()) AND (p.ends_at IS NULL OR p.ends_at > now())
WHERE v.tenant_id = :tenant
""")


def _all(session: Session, tenant_id: str, category: str | None) -> Iterator[ProductGaps]:
    tenant = session.get_one(Tenant, tenant_id)
    others = currencies_of(tenant.currency, tenant.settings)[1:]
    units: dict[str, int] = {one.product_id: one.units for one in session.execute(_STOCK, {"tenant": tenant_id})}
    priced = {(one.id, one.currency) for one in session.execute(_PRICED, {"tenant": tenant_id})} if others else set()
    variants: dict[str, list[Variant]] = defaultdict(list)
    for variant in session.scalars(select(Variant).where(Variant.tenant_id == tenant_id, Variant.sellable)):
        variants[variant.product_id].append(variant)
    query = select(Product).where(Product.tenant_id == tenant_id, Product.status != "archived")
    products = session.scalars(query).all()
    usual = _usual(products)
    for product in products:
        if category in {None, product.category}:
            mine = variants[product.id]
            unpriced = [code for code in others if any((one.id, code) not in priced for one in mine)]
            gaps = [*_of_sale(mine, units.get(product.id, 0), unpriced), *_of_words(product, usual)]
            yield ProductGaps(
                product_id=product.id, slug=product.slug, title=product.title, category=product.category,
                score=sum(one.score for one in gaps), gaps=gaps,
            )  # fmt: skip


def _usual(products: Sequence[Product]) -> dict[str, list[str]]:
    """Category → attributes that more than half of its products state, where there are enough of them."""
    sizes: Counter[str] = Counter()
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for product in products:
        sizes[product.category] += 1
        counts[product.category].update(product.facts.get("attributes", {}).keys())
    return {
        category: sorted(name for name, count in counts[category].items() if count * 2 > size)
        for category, size in sizes.items()
        if size >= PEERS
    }


def _gap(kind: str, what: str) -> Gap:
    return Gap(kind=kind, score=SCORES[kind], what=what)


def _of_sale(variants: list[Variant], units: int, unpriced: list[str]) -> Iterator[Gap]:
    if not variants:
        yield _gap("no_variant", "Nothing of it can be sold: add a variant.")
        return
    if not units and all(one.digital for one in variants) and any(one.stock_policy == "deny" for one in variants):
        yield _gap("no_codes", "No licence code is left: bring some, or it cannot be sold.")
    elif not units and not any(one.stock_policy != "deny" for one in variants):
        yield _gap("no_stock", "Nothing is on hand: receive units, or let it be ordered ahead.")
    if unpriced:
        yield _gap("no_price", f"Not every variant has a price in {', '.join(unpriced)}: set one, or it is not sold.")
    carried = [one for one in variants if not one.digital]
    if flat := [one.sku for one in carried if not (one.length_mm and one.width_mm and one.height_mm)]:
        yield _gap("no_parcel_size", f"Measure the parcel of {', '.join(flat[:5])}: shipping is guessed without.")


def _of_words(product: Product, usual: Mapping[str, list[str]]) -> Iterator[Gap]:
    facts = product.facts
    if not product.motif or product.motif == "box":
        yield _gap("no_image", "It has no picture of its own: choose one.")
    if len(product.description) < SHORT:
        words = f"Its description has {len(product.description)} letters: say in {SHORT} or more what it is good for."
        yield _gap("short_description", words)
    if not facts.get("materials") and product.tax_category != "digital":
        yield _gap("no_materials", "Say what it is made of.")
    if not product.tax_category:
        yield _gap("untaxed", "Say its tax category.")
    missing = [name for name in usual.get(product.category, ()) if name not in facts.get("attributes", {})]
    if missing:
        yield _gap("few_attributes", f"Others in {product.category} say: {', '.join(missing[:8])}.")
