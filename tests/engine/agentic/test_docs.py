"""The page of the domain says what the code does."""

from __future__ import annotations

from pathlib import Path

from engine.agentic.policy import AgenticPolicy
from engine.checkout.states import SESSION

PAGE = (Path(__file__).parents[3] / "docs" / "domains" / "agentic.md").read_text()


def test_the_diagram_is_that_of_the_code() -> None:
    assert SESSION.diagram() in PAGE


def test_policies_are_told() -> None:
    for name, value in AgenticPolicy().model_dump(mode="json").items():
        assert f"| `{name}` | {value} |" in PAGE
