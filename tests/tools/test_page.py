"""The page of tools says what the registry has, and what goes to a model every turn stays small."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.page import page, tokens
from tools.spec import AgentName, load, tools_for

ROOT = Path(__file__).parents[2]


def test_the_page_is_the_registry() -> None:
    assert (ROOT / "docs" / "tools.md").read_text(encoding="utf-8") == page(), "python -m tools.page > docs/tools.md"


@pytest.mark.parametrize("agent", list(AgentName))
def test_the_schemas_of_an_agent_fit_in_a_turn(agent: AgentName) -> None:
    assert tokens(agent) < 6000
    assert len(tools_for(agent)) <= 40


@pytest.mark.parametrize("name", sorted(load()))
def test_a_schema_is_whole_without_references(name: str) -> None:
    schema = load()[name].schema()
    text = json.dumps(schema)
    assert [word for word in ("$ref", "$defs", '"null"', '"title":') if word in text] == []
    assert set(schema.get("required", ())) <= set(schema["properties"])
