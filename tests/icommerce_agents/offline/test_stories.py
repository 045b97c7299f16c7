"""Whole conversations against the fake shop (``stories.yaml``), plain, trimmed and briefed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.icommerce_agents.offline.fake_shop import Conversation

_STORIES = yaml.safe_load(Path(__file__).with_name("stories.yaml").read_text(encoding="utf-8"))
_BY_NAME = [pytest.param(story, id=story["name"]) for story in _STORIES]
_CLAIMS = re.compile(
    r"(?i)\b(has been paid|payment (was )?received|order (is|has been) placed|you paid|i(?:'ve| have) paid)\b"
)


def _play(story, conversation):
    for words, expected in story["turns"]:
        answer = conversation.say(words)
        assert not _CLAIMS.search(answer), words
        if "calls" in expected:
            assert conversation.names == expected["calls"], (words, answer)
        assert re.search(expected.get("says", ""), answer), (words, answer)
        assert not re.search(expected.get("not", r"(?!)"), answer), (words, answer)


def _check_end(story, shop):
    ends = story["ends"]
    assert shop.card == ends.get("card", False)
    if "cart" in ends:
        assert shop.cart == ends["cart"]
    assert shop.codes == ends.get("codes", [])
    details = shop.checkout or {}
    assert {key: details.get(key) for key in ends.get("details", {})} == ends.get("details", {})


@pytest.mark.parametrize("story", _BY_NAME)
def test_story(story):
    conversation = Conversation()
    _play(story, conversation)
    _check_end(story, conversation.shop)


@pytest.mark.parametrize("story", _BY_NAME)
def test_same_words_same_answers(story):
    first, second = Conversation(), Conversation()
    assert [first.say(words) for words, _ in story["turns"]] == [second.say(words) for words, _ in story["turns"]]


@pytest.mark.parametrize("story", _BY_NAME[:3])
def test_trimmed_history_still_reaches_the_end(story):
    conversation = Conversation(trim=30)
    for words, _ in story["turns"]:
        conversation.say(words)
    _check_end(story, conversation.shop)
