"""Which variant a person means: an exact one, or the best in stock of a product with the options they named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy.orm import Session

from engine.catalog import repository
from engine.catalog.errors import NotSoldInCurrency, OptionNotOffered, OutOfStock
from engine.catalog.matching import match_option
from engine.catalog.models import Variant
from engine.catalog.prices import Selling, selling_in
from engine.catalog.repository import Stocked
from engine.catalog.schemas import VariantView
from engine.catalog.shop_file import StockPolicy
from engine.kit.errors import NotFound

_CAN_WAIT: Final = frozenset({StockPolicy.BACKORDER, StockPolicy.PREORDER})
"""Sold even when nothing is there; the cart says by when it ships."""


class Pick(NamedTuple):
    """The variant, why it was chosen in words for the shopper, the product's other variants in stock, and what the
    chosen one costs in minor units of the currency asked for.
    """

    variant: Variant
    reason: str
    alternatives: list[VariantView]
    amount: int


def pick_variant(
    session: Session,
    tenant_id: str,
    item_id: str,
    options: Mapping[str, str] | None = None,
    *,
    currency: str | None = None,
) -> Pick:
    """The variant meant by a ``var_`` id (taken as it is) or by a ``prd_`` id and the options named.

    Among the variants that fit, the one with most units in stock. Raises ``NotFound``, ``OptionNotOffered`` when
    the product is not made like that, ``OutOfStock`` when nothing that fits can be bought now, ``NotSoldInCurrency``
    when there is no price in ``currency`` (without one, in the home currency).
    """
    product_id = repository.product_id_of(session, tenant_id, item_id)
    selling = selling_in(session, tenant_id, currency)
    variants = _variants(session, selling, product_id)
    exact = [one for one in variants if one.variant.id == item_id]
    if item_id.startswith("var_") and not exact:
        raise _not_sold(selling)
    fitting = exact or _fitting(variants, options or {})
    if not exact and not any(one.available or one.variant.stock_policy in _CAN_WAIT for one in fitting):
        raise OutOfStock(_none_left(fitting, variants))
    chosen = max(fitting, key=lambda one: (one.available, one.variant.stock_policy in _CAN_WAIT))
    others = [
        repository.variant_view(one, selling.currency)
        for one in variants
        if one.available and one.variant.id != chosen.variant.id
    ]
    reason = "named exactly" if exact else _reason(fitting, options or {})
    return Pick(chosen.variant, reason, others, chosen.amount)


def _variants(session: Session, selling: Selling, product_id: str | None) -> list[Stocked]:
    found = repository.variants_of(session, selling, Variant.product_id == (product_id or ""))
    if found:
        return next(iter(found.values()))
    home = Selling(selling.tenant_id, selling.home, selling.home)
    if not selling.is_home and repository.variants_of(session, home, Variant.product_id == (product_id or "")):
        raise _not_sold(selling)
    raise NotFound("There is no such product in this shop.")


def _not_sold(selling: Selling) -> NotSoldInCurrency:
    return NotSoldInCurrency(f"That is not sold in {selling.currency}.")


def _fitting(variants: Sequence[Stocked], options: Mapping[str, str]) -> list[Stocked]:
    fitting = list(variants)
    for name, value in options.items():
        matched = match_option(name, value, _offered(variants))
        if matched is None:
            raise OptionNotOffered(_not_offered(name, value, variants))
        known, values = matched
        fitting = [one for one in fitting if one.variant.options.get(known) in values]
    if not fitting:
        raise OptionNotOffered(f"Not made as {_said(options)}. There is: {_titles(variants)}.")
    return fitting


def _offered(variants: Sequence[Stocked]) -> dict[str, list[str]]:
    offered: dict[str, dict[str, None]] = {}
    for one in variants:
        for name, value in one.variant.options.items():
            offered.setdefault(name, {})[value] = None
    return {name: list(values) for name, values in offered.items()}


def _reason(fitting: Sequence[Stocked], options: Mapping[str, str]) -> str:
    if len(fitting) == 1:
        return f"the only one in {_said(options)}" if options else "the only one"
    return f"most in stock in {_said(options)}" if options else "most in stock"


def _none_left(fitting: Sequence[Stocked], variants: Sequence[Stocked]) -> str:
    left = [one for one in variants if one.available]
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
    names = [one.variant.title for one in variants]
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
