"""The page of the domain says what the code does, and the tables of states are whole."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from engine.checks.stock import RULES
from engine.inventory.policy import InventoryPolicy
from engine.inventory.states import BACKORDER, COUNT, INBOUND, RESERVATION
from engine.kit.state_machine import IllegalTransition

PAGE = (Path(__file__).parents[3] / "docs" / "domains" / "inventory.md").read_text()
MACHINES = (RESERVATION, BACKORDER, INBOUND, COUNT)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_diagrams_are_those_of_the_code(machine: Any) -> None:
    assert machine.diagram() in PAGE


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_nothing_moves_but_as_the_table_says(machine: Any) -> None:
    for old, new in product(machine.table, machine.table):
        if new in machine.table[old]:
            assert machine.check(old, new) == new
        else:
            with pytest.raises(IllegalTransition):
                machine.check(old, new)


def test_policies_have_their_defaults() -> None:
    for name, value in InventoryPolicy().model_dump().items():
        assert f"| `{name}` | {value} |" in PAGE


def test_every_invariant_is_named() -> None:
    assert all(f"- {rule.name}" in PAGE for rule in RULES)
