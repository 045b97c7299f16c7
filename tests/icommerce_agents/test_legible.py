"""Half a character in what a model says is none."""

from __future__ import annotations

import json

import pytest

from icommerce_agents.legible import whole, whole_arguments


@pytest.mark.parametrize(
    ("said", "kept"),
    [("plain", "plain"), ("größer 🏔", "größer 🏔"), ("half \ud83d of one", "half ? of one"), ("\udfff", "?")],
)
def test_words_are_whole(said: str, kept: str) -> None:
    assert whole(said) == kept
    kept.encode()


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ('{"a": "b"}', '{"a": "b"}'),
        (r'{"a": "\ud83d\ude00"}', '{"a": "😀"}'),
        (r'{"a": "\ud83d"}', '{"a": "?"}'),
        (r'{"\ud800": 1}', '{"?": 1}'),
        ("{broken \ud800", "{broken ?"),
        ("", ""),
        ("[" * 100_000, ""),
    ],
)
def test_arguments_are_whole(said: str, kept: str) -> None:
    assert whole_arguments(said) == kept


def test_nul_stays_for_the_tool_to_refuse() -> None:
    assert json.loads(whole_arguments(r'{"a": "\u0000"}')) == {"a": "\x00"}
