"""A system's address in canonical words."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from engine.sync.canonical import Address

Spelling = Mapping[str, tuple[str, ...]]
"""Part of an ``Address`` → the system's fields that may say it: the first that says something does."""


def address_of(place: BaseModel | None, spelling: Spelling) -> Address | None:
    """The address; ``None`` where there is no place. Parts that are not spelled stay empty."""
    if place is None:
        return None
    return Address(**{part: _said(place, names) for part, names in spelling.items()})


def _said(place: BaseModel, names: tuple[str, ...]) -> str:
    return next((str(said) for name in names if (said := getattr(place, name))), "")
