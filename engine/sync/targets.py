"""What mappings fill: the documents of ours and of other systems, by name."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from pydantic import BaseModel

from engine.kit.errors import InvalidInput
from engine.kit.ids import echo

TARGETS: Final[dict[str, str]] = {
    "dcl.order": "engine.sync.connectors.dcl.wire:BatchOrder",
    "netsuite.customer": "engine.sync.connectors.netsuite.wire:CustomerBody",
    "netsuite.sales_order": "engine.sync.connectors.netsuite.wire:SalesOrderBody",
}
"""Name → ``module:class``, imported when it is asked for. A document of a connector has one line here."""


def target_of(name: str) -> type[BaseModel]:
    """The model of a target. Raises ``InvalidInput`` that names the ones there are."""
    place = TARGETS.get(name)
    if place is None:
        there = ", ".join(sorted(TARGETS)) or "none yet"
        raise InvalidInput(f"There is no target {echo(name, 'of that name')}; there are: {there}.", param="target")
    module, _, kind = place.partition(":")
    found: type[BaseModel] = getattr(import_module(module), kind)
    return found
