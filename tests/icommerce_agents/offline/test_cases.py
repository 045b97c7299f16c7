"""Utterances in context: what the model calls and says (``cases.yaml`` and what was once held out)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.icommerce_agents.offline.fake_shop import Conversation


def _read(name: str) -> Any:
    return yaml.safe_load(Path(__file__).with_name(name).read_text(encoding="utf-8"))


_DATA = _read("cases.yaml")
_GUARDED = [*_DATA["cases"], *_read("holdout_a.yaml")["cases"], *_read("holdout_b.yaml")["cases"]]
_CASES = [pytest.param(*case, id=f"{case[0]}-{case[1][:40]}") for case in _GUARDED]
HELD_OUT_RATE = 0.8


def in_context(name: str) -> Conversation:
    conversation = Conversation()
    for words in _DATA["contexts"][name]:
        conversation.say(words)
    return conversation


def faults(conversation: Conversation, words: str, expected: dict[str, Any]) -> list[str]:
    """What is not as expected in the answer to ``words``."""
    answer, found = conversation.say(words), []
    if "calls" in expected and conversation.names != expected["calls"]:
        found.append(f"called {conversation.calls}")
    own = [arguments for name, arguments in conversation.calls if not name.startswith("transfer_to_")]
    first = own[0] if own else {}
    wrong = {key: first.get(key) for key, value in expected.get("args", {}).items() if first.get(key) != value}
    if wrong:
        found.append(f"arguments {wrong} of {conversation.calls}")
    if "says" in expected and not re.search(expected["says"], answer):
        found.append(f"said {answer!r}")
    if "not" in expected and re.search(expected["not"], answer):
        found.append(f"said {answer!r}")
    return found


def test_corpus_is_large_enough():
    assert len(_DATA["cases"]) >= 150


@pytest.mark.parametrize(("context", "words", "expected"), _CASES)
def test_case(context, words, expected):
    assert faults(in_context(context), words, expected) == []


def test_held_out_phrasings_keep_their_rate():
    cases = _read("holdout_c.yaml")["cases"]
    missed = [words for context, words, expected in cases if faults(in_context(context), words, expected)]
    assert 1 - len(missed) / len(cases) >= HELD_OUT_RATE, missed
