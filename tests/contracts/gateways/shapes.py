"""Stripe's own word on its objects: the SDK's classes, which the vendor generates from the API's specification."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Any, ForwardRef, Literal, Union, get_args, get_origin

from stripe._object_classes import get_object_class

ONE_OF_MANY = {"PaymentMethod", "PaymentMethodDetails"}
"""Classes that have a field for each kind of payment method and show the one that applies."""


def faults(thing: Any, *, whole: bool) -> list[str]:
    """Fields that Stripe's object does not have, and those it always has that are missing.

    ``whole``: every field must be there, also one that may be null.
    """
    return list(_faults(thing, None, "", whole=whole))


def words_of(cls: type, field: str) -> set[str]:
    """The words a field may hold."""
    return set(_words(cls.__annotations__[field]))


def _faults(thing: Any, cls: Any, path: str, *, whole: bool) -> Iterator[str]:
    if isinstance(thing, list):
        for row in thing:
            yield from _faults(row, cls, path, whole=whole)
    if not isinstance(thing, Mapping):
        return
    if thing.get("object") == "list":
        yield from _faults(thing["data"], None, path, whole=whole)
        return
    known = get_object_class("V1", thing["object"]) if "object" in thing else cls
    if known is None:
        return  # free words of ours, such as metadata
    path = f"{path}/{known.__name__}"
    fields = {
        name: hint for name, hint in known.__annotations__.items() if not name.startswith("_") and name != "OBJECT_NAME"
    }
    inner = getattr(known, "_inner_class_types", {})
    yield from (f"{path}: no field {name}" for name in thing if name not in fields)
    for name, hint in fields.items():
        must = not _nullable(hint) or (whole and not (name in inner and known.__name__ in ONE_OF_MANY))
        if name not in thing and must:
            yield f"{path}: {name} is missing"
        elif thing.get(name) is None and name in thing and not _nullable(hint):
            yield f"{path}: {name} is null"
        yield from _faults(thing.get(name), inner.get(name), f"{path}.{name}", whole=whole and name in inner)


def _nullable(hint: Any) -> bool:
    return type(None) in get_args(hint) or (isinstance(hint, str) and "Optional" in hint) or _text_nullable(hint)


def _text_nullable(hint: Any) -> bool:
    return isinstance(hint, ForwardRef) and "Optional" in hint.__forward_arg__


def _words(hint: Any) -> Iterator[str]:
    if get_origin(hint) is Literal:
        yield from get_args(hint)
    elif get_origin(hint) in {Union, types.UnionType}:
        for part in get_args(hint):
            yield from _words(part)
