"""The shop's products as a file that, read again, changes nothing."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.catalog import authoring
from engine.catalog.authoring import AuthoredProduct
from engine.catalog.bulk.reading import LISTED, safe_cell
from engine.catalog.drafting import ProductIn, VariantIn
from engine.catalog.models import ListedPrice, Variant
from engine.inventory.models import Location, StockLevel

BATCH: Final = 500
"""Products that are read at once."""


def to_json(session: Session, tenant_id: str) -> str:
    """``{"products": [...]}``, each as an import reads it."""
    return json.dumps({"products": _products(session, tenant_id)}, ensure_ascii=False, indent=1)


def to_csv(session: Session, tenant_id: str) -> str:
    """A row per variant; no cell is a formula."""
    rows = [row for product in _products(session, tenant_id) for row in _rows(product)]
    heading = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    table = csv.DictWriter(out, heading, restval="")
    table.writeheader()
    table.writerows({name: safe_cell(value) for name, value in row.items()} for row in rows)
    return out.getvalue()


def _products(session: Session, tenant_id: str) -> list[dict[str, Any]]:
    prices, stock = _prices(session, tenant_id), _stock(session, tenant_id)
    return [_product(one, prices, stock) for one in _authored(session, tenant_id)]


def _authored(session: Session, tenant_id: str) -> Iterator[AuthoredProduct]:
    """Every product, a batch at a time."""
    cursor = None
    while True:
        page = authoring.listed(session, tenant_id, limit=BATCH, cursor=cursor)
        yield from page.items
        if (cursor := page.next_cursor) is None:
            return


def _prices(session: Session, tenant_id: str) -> dict[str, dict[str, int]]:
    rows = session.execute(
        select(ListedPrice.variant_id, ListedPrice.currency, ListedPrice.amount).where(
            ListedPrice.tenant_id == tenant_id, ListedPrice.starts_at.is_(None), ListedPrice.ends_at.is_(None)
        )
    )
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for variant_id, currency, amount in rows:
        found[variant_id][currency] = amount
    return found


def _stock(session: Session, tenant_id: str) -> dict[str, dict[str, int]]:
    rows = session.execute(
        select(StockLevel.variant_id, Location.code, StockLevel.on_hand)
        .join(Location, (Location.tenant_id == StockLevel.tenant_id) & (Location.id == StockLevel.location_id))
        .join(Variant, (Variant.tenant_id == StockLevel.tenant_id) & (Variant.id == StockLevel.variant_id))
        .where(StockLevel.tenant_id == tenant_id)
    )
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for variant_id, code, units in rows:
        found[variant_id][code] = units
    return found


def _product(
    product: AuthoredProduct, prices: dict[str, dict[str, int]], stock: dict[str, dict[str, int]]
) -> dict[str, Any]:
    said = _filled(product.model_dump(mode="json", include=set(ProductIn.model_fields)))
    said["facts"] = _filled(said.get("facts", {}))
    variants = []
    for one in product.variants:
        row = _filled(one.model_dump(mode="json", include=set(VariantIn.model_fields)))
        if one.digital:
            row |= {"digital": one.digital.model_dump(mode="json")}
            row.pop("stock_policy")
        row |= {"price": one.price.amount, "cost": one.cost.amount, "sellable": one.sellable}
        more = {"prices": prices.get(one.id), "stock": None if one.digital else stock.get(one.id)}
        variants.append(row | {name: value for name, value in more.items() if value})
    return said | {"variants": variants}


def _filled(said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value not in (None, "", [], {})}


def _rows(product: dict[str, Any]) -> list[dict[str, Any]]:
    facts = product.get("facts", {})
    same = {name: _cell(value) for name, value in product.items() if name not in {"facts", "options", "variants"}}
    same |= {name: _cell(value) for name, value in facts.items() if name not in {"attributes", "units", "option_names"}}
    same |= {f"attribute:{name}": _cell(value) for name, value in facts.get("attributes", {}).items()}
    same |= {f"unit:{name}": value for name, value in facts.get("units", {}).items()}
    return [same | _variant(row) for row in product["variants"]] or [same]


def _variant(row: dict[str, Any]) -> dict[str, Any]:
    plain = {name: _cell(value) for name, value in row.items() if not isinstance(value, dict | list)}
    sizes = dict(zip(("length_mm", "width_mm", "height_mm"), row.get("size_mm", ()), strict=False))
    heads = (("options", "option"), ("prices", "price"), ("stock", "stock"))
    given = {f"digital:{name}": _cell(v) for name, v in row.get("digital", {}).items() if v not in (None, "")}
    named = {f"{head}:{name}": v for field, head in heads for name, v in row.get(field, {}).items()}
    return plain | sizes | named | given


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return LISTED.join(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
