"""The page says what the definitions do."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import pipeline_metrics
from engine.workflows import registry, table
from engine.workflows.definition import Workflow
from engine.workflows.states import RUN

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "domains/workflows.md").read_text(encoding="utf-8")


def test_the_table_is_the_registrys() -> None:
    assert table.within(PAGE) == PAGE, "python -m engine.workflows.table docs/domains/workflows.md"
    assert [name for name in registry.names() if f"| `{name}` " not in PAGE] == []


def test_the_states_and_figures_are_named() -> None:
    assert RUN.diagram() in PAGE
    figures = {*pipeline_metrics.GAUGES, "ic_sync_calls_total", "ic_sync_call_seconds", "ic_sync_step_retries_total"}
    assert [name for name in figures if f"`{name}`" not in PAGE] == []


@pytest.mark.parametrize("name", registry.names())
def test_a_row_changes_with_its_definition(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    there: Workflow = registry.live(name)
    changed = replace(there, version="9.9.9", undo={"a step": "its undo"})
    monkeypatch.setattr(registry, "live", lambda _name: changed)
    assert "9.9.9" in table.table()
    assert "a step: its undo" in table.table()
