"""Which variants of a product meet what was asked, and how each differs from one that is at hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.catalog.schemas import ProductDetail, VariantView
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.money import format_minor


def fitting(detail: ProductDetail, options: Mapping[str, str], *, like: str | None, available: bool) -> dict[str, Any]:
    """Those that meet all of ``options``; with ``like`` those that are as that one is but for the options named, or,
    where none is, all that meet them, the nearest first.

    Raises ``InvalidInput`` for an option or value that the product has not, ``NotFound`` for another's ``like``.
    """
    asked = {_name(detail, name): value for name, value in options.items()}
    for name, value in asked.items():
        _check_value(detail, name, value)
    base = _base(detail, like)
    found = [one for one in detail.variants if _meets(one, asked) and (one.available or not available)]
    exact = [one for one in found if base is not None and _meets(one, {**base.options, **asked})]
    shown = sorted(exact or found, key=lambda one: (not one.available, _differing(one, base), one.price.amount, one.id))
    told: dict[str, Any] = {"product": detail.title, "count": len(shown), "available": sum(map(_is_there, shown))}
    if base is not None and not exact:
        told["note"] = "None is the same in all the rest: the nearest come first."
    return told | {"variants": [_told(one, base) for one in shown]}


def _told(one: VariantView, base: VariantView | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "variant_id": one.id,
        "options": one.options,
        "price": str(one.price),
        "available": one.available,
    }
    if base is None:
        return told
    more = one.price.amount - base.price.amount
    changed = {name: value for name, value in one.options.items() if base.options.get(name) != value}
    return told | {"changes": changed, "costs_more_by": format_minor(more, one.price.currency)}


def _is_there(one: VariantView) -> bool:
    return one.available > 0


def _differing(one: VariantView, base: VariantView | None) -> int:
    return sum(base.options.get(name) != value for name, value in one.options.items()) if base else 0


def _meets(one: VariantView, asked: Mapping[str, str]) -> bool:
    return all(_plain(one.options.get(name, "")) == _plain(value) for name, value in asked.items())


def _base(detail: ProductDetail, like: str | None) -> VariantView | None:
    if like is None:
        return None
    found = next((one for one in detail.variants if one.id == like), None)
    if found is None:
        raise NotFound("That is no variant of this product.")
    return found


def _name(detail: ProductDetail, said: str) -> str:
    names = {_plain(name): name for one in detail.variants for name in one.options}
    if _plain(said) not in names:
        raise InvalidInput(
            f"{detail.title} has no option {said!r}; it has: {', '.join(names.values())}.", param="options"
        )
    return names[_plain(said)]


def _check_value(detail: ProductDetail, name: str, value: str) -> None:
    values = {_plain(one.options[name]): one.options[name] for one in detail.variants if name in one.options}
    if _plain(value) not in values:
        known = ", ".join(sorted(values.values()))
        raise InvalidInput(f"{detail.title} has no {name} {value!r}; it has: {known}.", param="options")


def _plain(text: str) -> str:
    return " ".join(str(text).casefold().replace("_", " ").replace("-", " ").split())
