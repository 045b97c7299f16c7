"""What a buyer is given of what has no parcel, and the way it goes: by itself, at once, for nothing. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.shipping.service import Option

TYPE: Final = "digital"
OPTION: Final = Option(
    id=TYPE, title="Delivered by e-mail at once", carrier="", amount=0, min_days=0, max_days=0, type=TYPE
)
"""The one way of everything digital."""
PARTS: Final = frozenset({"order", "sku", "access"})
"""What a template may name: the order's number, the item's SKU, and a key that says which units they are."""


class Digital(BaseModel):
    """What is given for a unit: an address, a code of the variant's pool, or both."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    access_url: Annotated[str, Field(max_length=1_000)] = ""
    """``https://…`` with ``{order}``, ``{sku}`` and ``{access}``, the signed key of the delivery."""
    codes: bool = False
    """Whether each unit comes with a code; as many can be sold as codes are left."""
    days: Annotated[int, Field(strict=True, ge=1, le=36_500)] | None = None
    """How long the access is good; without it, for ever."""
    instructions: Annotated[str, Field(max_length=500)] = ""

    @model_validator(mode="after")
    def _gives_something(self) -> Self:
        if not (self.access_url or self.codes):
            raise ValueError("a digital item gives an access_url, codes or both")
        if self.access_url:
            _check(self.access_url)
        return self

    @property
    def stock_policy(self) -> str:
        """How its units are counted: by codes, or not at all."""
        return "deny" if self.codes else "untracked"

    def address(self, *, order: str, sku: str, access: str) -> str:
        """Where the buyer goes; empty where codes are all there is."""
        return self.access_url.format(order=order, sku=sku, access=access)


def is_digital(option: Mapping[str, Any] | None) -> bool:
    """Whether this way to deliver, as it is kept, is the digital one."""
    return (option or {}).get("type") == TYPE


def _check(template: str) -> None:
    try:
        named = [(name, spec, how) for _, name, spec, how in Formatter().parse(template) if name is not None]
    except ValueError:
        raise ValueError("access_url has a brace that does not close") from None
    if any(name not in PARTS or spec or how for name, spec, how in named):
        raise ValueError(f"access_url names only {', '.join('{' + one + '}' for one in sorted(PARTS))}")
    host = template.removeprefix("https://").partition("/")[0]
    if not template.startswith("https://") or not host or "{" in host or any(one.isspace() for one in template):
        raise ValueError("access_url is an https:// address")
