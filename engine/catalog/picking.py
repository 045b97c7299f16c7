"""Which variant a person means: an exact one, or the best in stock of a product with the options they named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy.orm import Session

from engine.catalog import repository
from engine.catalog.errors import OptionNotOffered, OutOfStock
from engine.catalog.matching import match_option
from engine.catalog.models import Variant
from engine.catalog.schemas import VariantView
from engine.catalog.shop_file import StockPolicy
from engine.kit.errors import NotFound

Stocked = tuple[Variant, int]
_CAN_WAIT: Final = frozenset({StockPolicy.BACKORDER, StockPolicy.PREORDER})
"""Sold even when nothing is there; the cart says by when it ships."""


class Pick(NamedTuple):
    """The variant, why it was chosen in words for the shopper, and the product's other variants in stock."""

    variant: Variant
    reason: str
    alternatives: list[VariantView]


def pick_variant(session: Session, tenant_id: str, item_id: str, options: Mapping[str, str] | None = None) -> Pick:
    """The variant meant by a ``var_`` id (taken as it is) or by a ``prd_`` id and the options named.

    Among the variants that fit, the one with most units in stock. Raises ``NotFound``, ``OptionNotOffered`` when
    the product is not made like that, ``OutOfStock`` when nothing that fits can be bought now.
    """
    product_id = repository.product_id_of(session, tenant_id, item_id)
    variants = _variants(session, tenant_id, product_id)
    currency = repository.currency_of(session, tenant_id)
    exact = [pair for pair in variants if pair[0].id == item_id]
    fitting = exact or _fitting(variants, options or {})
    if not exact and not any(available or variant.stock_policy in _CAN_WAIT for variant, available in fitting):
        raise OutOfStock(_none_left(fitting, variants))
    chosen = max(fitting, key=lambda pair: (pair[1], pair[0].stock_policy in _CAN_WAIT))[0]
    others = [
        repository.variant_view(variant, available, currency)
        for variant, available in variants
        if available and variant.id != chosen.id
    ]
    return Pick(chosen, "named exactly" if exact else _reason(fitting, options or {}), others)


def _variants(session: Session, tenant_id: str, product_id: str | None) -> list[Stocked]:
    found = repository.variants_of(session, tenant_id, Variant.product_id == (product_id or ""))
    if not found:
        raise NotFound("There is no such product in this shop.")
    return next(iter(found.values()))


def _fitting(variants: Sequence[Stocked], options: Mapping[str, str]) -> list[Stocked]:
    fitting = list(variants)
    for name, value in options.items():
        matched = match_option(name, value, _offered(variants))
        if matched is None:
            raise OptionNotOffered(_not_offered(name, value, variants))
        known, values = matched
        fitting = [pair for pair in fitting if pair[0].options.get(known) in values]
    if not fitting:
        raise OptionNotOffered(f"Not made as {_said(options)}. There is: {_titles(variants)}.")
    return fitting


def _offered(variants: Sequence[Stocked]) -> dict[str, list[str]]:
    offered: dict[str, dict[str, None]] = {}
    for variant, _ in variants:
        for name, value in variant.options.items():
            offered.setdefault(name, {})[value] = None
    return {name: list(values) for name, values in offered.items()}


def _reason(fitting: Sequence[Stocked], options: Mapping[str, str]) -> str:
    if len(fitting) == 1:
        return f"the only one in {_said(options)}" if options else "the only one"
    return f"most in stock in {_said(options)}" if options else "most in stock"


def _none_left(fitting: Sequence[Stocked], variants: Sequence[Stocked]) -> str:
    left = [pair for pair in variants if pair[1]]
    gone = f"{_titles(fitting)} {'is' if len(fitting) == 1 else 'are'} out of stock."
    return f"{gone} In stock: {_titles(left)}." if left else f"{gone} Nothing of this product is in stock now."


def _not_offered(name: str, value: str, variants: Sequence[Stocked]) -> str:
    offered = _offered(variants)
    if not offered:
        return f"This product has no choice of {name}."
    choices = "; ".join(f"{known}: {', '.join(values)}" for known, values in offered.items())
    return f"There is no {name} {value!r}. Offered are {choices}."


def _said(options: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in options.items())


def _titles(variants: Sequence[Stocked], *, limit: int = 8) -> str:
    names = [variant.title for variant, _ in variants]
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
