"""The page of the domain says what the code does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.checkout.states import CONSENT, SESSION
from engine.checks.checkout import RULES
from engine.kit.state_machine import StateMachine
from engine.payments.risk import RiskPolicy

PAGE = (Path(__file__).parents[3] / "docs" / "domains" / "checkout.md").read_text()


@pytest.mark.parametrize("machine", [SESSION, CONSENT], ids=lambda machine: machine.name)
def test_diagrams_are_those_of_the_code(machine: StateMachine[Any]) -> None:
    assert machine.diagram() in PAGE


def test_policies_and_rules_are_told() -> None:
    for name, value in RiskPolicy().model_dump().items():
        assert f"| `{name}` | {value} |" in PAGE
    assert all(f"- {rule.name}\n" in PAGE for rule in RULES)
