"""The page tells what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.fulfillment.policies import FulfillmentPolicy, RoutingPolicy
from engine.fulfillment.states import FULFILLMENT, SHIPMENT
from engine.kit.policies import Policy

PAGE = (Path(__file__).parents[3] / "docs/domains/fulfillment.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("machine", [FULFILLMENT, SHIPMENT])
def test_the_diagrams_are_the_tables(machine: object) -> None:
    assert f"```mermaid\n{machine.diagram()}\n```" in PAGE  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", [RoutingPolicy, FulfillmentPolicy])
def test_every_value_of_a_policy_is_named(kind: type[Policy]) -> None:
    assert [name for name in kind.model_fields if f"`{name}`" not in PAGE] == []
