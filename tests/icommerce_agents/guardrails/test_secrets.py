from __future__ import annotations

import pytest

from icommerce_agents.guardrails.secrets import WITHHELD, StreamGuard, withhold_secrets


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Your token is vt_01jq8abcdef, keep it.", f"Your token is {WITHHELD}, keep it."),
        ("key sk-proj-AbC123456 and sk_live_12345678", f"key {WITHHELD} and {WITHHELD}"),
        ("card_06gzrj3de0tnh3vtk19gppxj4x", WITHHELD),
        ("4242 4242 4242 4242 is a card", "•••• 4242 is a card"),
        ("The card_token and vt_ prefix are fine.", "The card_token and vt_ prefix are fine."),
        ("Order SP-10023 for $129.00", "Order SP-10023 for $129.00"),
    ],
)
def test_secrets_are_withheld(said: str, shown: str) -> None:
    assert withhold_secrets(said) == shown


def test_a_secret_in_pieces_is_withheld_and_nothing_else_waits() -> None:
    guard = StreamGuard()
    shown = [guard.feed(piece) for piece in ["Hel", "lo v", "t", "_01jq8ab", "cdef and ", "more", " visitors"]]
    assert shown == ["Hel", "lo ", "", "", f"{WITHHELD} and ", "more", " visitors"]
    assert guard.rest() == ""


def test_a_harmless_word_is_shown_once_it_cannot_be_a_secret() -> None:
    guard = StreamGuard()
    assert [guard.feed("s"), guard.feed("k"), guard.feed("i poles")] == ["", "", "ski poles"]
    assert guard.feed("vt") == ""
    assert guard.rest() == "vt"
