"""The table of what is known: each rule has its certainty and tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

from engine.sync.sandbox.emitting import STORIES
from engine.sync.sandbox.faults import Kind
from engine.sync.sandbox.presets import PRESETS

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "sandbox.md").read_text()
KNOWN = PAGE.partition("## What is known")[2].partition("## The vendor's schema file")[0]
ROWS = [line.strip("|").split("|") for line in KNOWN.splitlines() if re.match(r"\| (?!Rule)[^-]", line)]


def names_of_tests() -> set[str]:
    texts = (path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    return {name for text in texts for name in re.findall(r"def (test_\w+)", text)}


def test_every_rule_says_how_sure_it_is_and_which_tests_hold_it() -> None:
    assert len(ROWS) > 50
    known = names_of_tests()
    for rule, certainty, held in ROWS:
        assert re.search(r"\b[ABC]\b|assumed|ours", certainty), rule
        named = re.findall(r"test_\w+", held)
        assert named, rule
        assert set(named) <= known, (rule, set(named) - known)


def test_the_page_names_every_fault_scenario_and_story() -> None:
    assert [kind.value for kind in Kind if f"`{kind}`" not in PAGE] == []
    assert [name for name in PRESETS if f"`{name}`" not in PAGE] == []
    assert [key for key in STORIES if f"`{key[1]}`" not in PAGE] == []
