"""The page of the domain says what the code does, and the transition tables allow nothing else."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from engine.checks.money import RULES
from engine.kit.state_machine import IllegalTransition, StateMachine
from engine.payments.alerts import ACTIONS
from engine.payments.gateways.sandbox.cards import TEST_CARDS
from engine.payments.policy import PaymentsPolicy
from engine.payments.states import CAPTURE, DISPUTE, PAYMENT, REFUND

PAGE = (Path(__file__).parents[3] / "docs" / "domains" / "payments.md").read_text()
LEGAL = {
    "payment": {
        *product(("processing", "unknown"), ("authorized", "captured", "failed", "canceled", "unknown")),
        *product(("authorized",), ("partially_captured", "captured", "voided", "expired")),
        *product(("partially_captured",), ("partially_captured", "captured")),
    },
    "capture": {("pending", "succeeded"), ("pending", "failed")},
    "refund": {("pending", "succeeded"), ("pending", "failed"), ("succeeded", "failed")},
    "dispute": {
        *product(("needs_response",), ("under_review", "won", "lost")),
        *product(("under_review",), ("won", "lost")),
    },
}


@pytest.mark.parametrize("machine", [PAYMENT, CAPTURE, REFUND, DISPUTE], ids=lambda machine: machine.name)
def test_diagrams_and_tables(machine: StateMachine[Any]) -> None:
    assert machine.diagram() in PAGE
    for old, new in product(machine.table, machine.table):
        legal = (str(old), str(new)) in LEGAL[machine.name]
        assert machine.allows(old, new) is legal
        if not legal:
            with pytest.raises(IllegalTransition):
                machine.check(old, new)


def test_policies_rules_actions_and_cards_are_all_told() -> None:
    for name, value in PaymentsPolicy().model_dump().items():
        assert f"| `{name}` | {value} |" in PAGE
    assert all(f"- {rule.name}\n" in PAGE for rule in RULES)
    assert all(f"`{kind}`" in PAGE and f"`{action}`" in PAGE for kind, action in ACTIONS.items())
    assert all(f"| `{card.ref}` {card.number} | {card.label} |" in PAGE for card in TEST_CARDS)
