"""The page of the domain says what the code does."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from engine.checks.returns import RULES
from engine.kit.state_machine import IllegalTransition
from engine.returns.models import ReturnStatus
from engine.returns.policy import ReturnsPolicy
from engine.returns.states import ENDED, RETURN

PAGE = (Path(__file__).parents[3] / "docs/domains/returns.md").read_text()


def test_the_page_shows_the_table() -> None:
    assert RETURN.diagram() in PAGE


@pytest.mark.parametrize("name", list(ReturnsPolicy.model_fields))
def test_the_page_names_every_policy(name: str) -> None:
    assert f"| `{name}` |" in PAGE


@pytest.mark.parametrize("rule", [rule.name for rule in RULES])
def test_the_page_names_every_rule(rule: str) -> None:
    assert f"- {rule}\n" in PAGE


@pytest.mark.parametrize(("old", "new"), list(product(ReturnStatus, ReturnStatus)))
def test_what_has_ended_moves_no_more(old: ReturnStatus, new: ReturnStatus) -> None:
    if old in ENDED or not RETURN.allows(old, new):
        with pytest.raises(IllegalTransition):
            RETURN.check(old, new)
    else:
        assert RETURN.check(old, new) == new
