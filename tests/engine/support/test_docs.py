"""The pages of both domains say what the code does, and the transition tables allow nothing else."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from engine.approvals.acts import ACTS
from engine.approvals.policy import ApprovalsPolicy
from engine.approvals.states import APPROVAL
from engine.checks import approvals, support
from engine.kit.state_machine import IllegalTransition, StateMachine
from engine.support.macros import NAMES
from engine.support.policy import SupportPolicy
from engine.support.states import CASE

DOMAINS = Path(__file__).parents[3] / "docs" / "domains"
LEGAL = {
    "case": {
        *product(("open",), ("waiting_staff", "resolved", "closed")),
        *product(("waiting_staff",), ("open", "waiting_customer", "resolved", "closed")),
        *product(("waiting_customer",), ("open", "waiting_staff", "resolved", "closed")),
        *product(("resolved",), ("open", "waiting_staff", "closed")),
    },
    "approval": {
        *product(("pending",), ("claimed", "declined", "expired", "failed")),
        *product(("claimed",), ("approved", "failed")),
    },
}


@pytest.mark.parametrize(("machine", "page"), [(CASE, "support"), (APPROVAL, "approvals")])
def test_diagrams_and_tables(machine: StateMachine[Any], page: str) -> None:
    assert machine.diagram() in (DOMAINS / f"{page}.md").read_text()
    for old, new in product(machine.table, machine.table):
        legal = (str(old), str(new)) in LEGAL[machine.name]
        assert machine.allows(old, new) is legal
        if not legal:
            with pytest.raises(IllegalTransition):
                machine.check(old, new)


@pytest.mark.parametrize(
    ("page", "policy", "rules"),
    [("support", SupportPolicy, support.RULES), ("approvals", ApprovalsPolicy, approvals.RULES)],
)
def test_policies_and_rules_are_told(page: str, policy: Any, rules: Any) -> None:
    text = (DOMAINS / f"{page}.md").read_text()
    for name in policy.model_fields:
        assert f"| `{name}` |" in text
    assert all(f"- {rule.name}\n" in text for rule in rules)


def test_kinds_and_names_are_told() -> None:
    assert all(f"| `{kind}` |" in (DOMAINS / "approvals.md").read_text() for kind in ACTS)
    assert all(f"`{name}`" in (DOMAINS / "support.md").read_text() for name in NAMES)
