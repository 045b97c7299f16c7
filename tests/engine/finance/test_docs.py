"""The page of the domain says what the code does."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from engine.checks.books import RULES
from engine.finance import chart, postings
from engine.finance.models import LineMatch
from engine.finance.reconciliation import ReconciliationPolicy
from engine.finance.states import PAYOUT_LINE
from engine.kit.state_machine import IllegalTransition

PAGE = (Path(__file__).parents[3] / "docs" / "domains" / "finance.md").read_text()


@pytest.mark.parametrize("part", [chart.table(), postings.table(), PAYOUT_LINE.diagram()])
def test_tables_and_diagram_are_those_of_the_code(part: str) -> None:
    assert part in PAGE


def test_policies_have_their_defaults() -> None:
    for name, value in ReconciliationPolicy().model_dump().items():
        assert f"| `{name}` | {value} |" in PAGE


def test_there_are_as_many_rules_as_the_page_names() -> None:
    assert len(RULES) == 13


@pytest.mark.parametrize(("old", "new"), list(product(LineMatch, LineMatch)))
def test_what_may_become_of_a_line(old: LineMatch, new: LineMatch) -> None:
    legal = old in {LineMatch.UNMATCHED, LineMatch.DIFFERS} and new != old
    assert PAYOUT_LINE.allows(old, new) is legal
    if not legal:
        with pytest.raises(IllegalTransition):
            PAYOUT_LINE.check(old, new)
