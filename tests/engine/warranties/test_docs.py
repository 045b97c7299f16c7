"""The page of the domain says what the code does."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from engine.checks.warranties import RULES
from engine.kit.state_machine import IllegalTransition
from engine.warranties.models import ClaimStatus
from engine.warranties.policy import WarrantiesPolicy
from engine.warranties.states import CLAIM, OVER

PAGE = (Path(__file__).parents[3] / "docs/domains/warranties.md").read_text()


def test_the_page_shows_the_table() -> None:
    assert CLAIM.diagram() in PAGE


@pytest.mark.parametrize("name", list(WarrantiesPolicy.model_fields))
def test_the_page_names_every_policy(name: str) -> None:
    assert f"| `{name}` |" in PAGE


@pytest.mark.parametrize("rule", [rule.name for rule in RULES])
def test_the_page_names_every_rule(rule: str) -> None:
    assert f"- {rule}\n" in PAGE


@pytest.mark.parametrize(("old", "new"), list(product(ClaimStatus, ClaimStatus)))
def test_what_has_ended_moves_no_more(old: ClaimStatus, new: ClaimStatus) -> None:
    if old in OVER or not CLAIM.allows(old, new):
        with pytest.raises(IllegalTransition):
            CLAIM.check(old, new)
    else:
        assert CLAIM.check(old, new) == new
