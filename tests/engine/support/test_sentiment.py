"""How words sound: the same every time, and calm unless they say otherwise."""

from __future__ import annotations

import pytest

from engine.conversations import handoff
from engine.support import sentiment
from engine.support.models import Sentiment
from tests.engine.support.conftest import Desk, Waiting


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ([], "calm"),
        (["Where is my order?"], "calm"),
        (["The zip is broken."], "calm"),
        (["The zip is broken and it came late."], "unhappy"),
        (["I am not happy with this tent"], "unhappy"),
        (["This is unacceptable, the worst shop ever!!"], "angry"),
        (["GIVE ME MY MONEY BACK NOW", "This is a scam"], "angry"),
        (["My order NEVER came and NOBODY answers!!"], "angry"),
        (["This is a scam!!", "thanks, all good now"], "calm"),
        (["Esto es inaceptable, son unos ladrones"], "angry"),
        (["هذا فظيع المنتج مكسور"], "unhappy"),
        (["thank you, great service"], "calm"),
        (["no problem, no rush"], "calm"),
    ],
)
def test_the_rule(said: list[str], wanted: str) -> None:
    assert sentiment.of(said) == wanted


def test_the_newest_counts_whole_and_two_before_it_half() -> None:
    assert sentiment.points("awful, useless, ridiculous") == 6.0
    assert sentiment.of(["awful, useless, ridiculous", "hm"]) == Sentiment.UNHAPPY
    assert sentiment.of(["awful, useless, ridiculous", "a", "b", "c"]) == Sentiment.CALM


def test_it_is_kept_with_the_case_and_follows_the_shopper(desk: Desk) -> None:
    shopper, thread_id = desk.conversation()
    waiting = Waiting(desk, shopper, thread_id)
    waiting.writes("This is unacceptable, you are thieves")
    with desk.shop.uow() as session:
        handoff.request(session, shopper, thread_id, reason="complaint", summary="Wants it back")
    assert (waiting.case.sentiment, waiting.case.last_words) == ("angry", "This is unacceptable, you are thieves")
    assert waiting.case.package is not None
    assert waiting.case.package["sentiment"] == "angry"

    waiting.writes("Sorry. Thanks for helping me, great")
    waiting.writes("ok")
    waiting.writes("fine")
    assert (waiting.case.sentiment, waiting.case.last_words, waiting.case.last_speaker) == ("calm", "fine", "shopper")
