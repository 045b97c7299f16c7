from __future__ import annotations

import pytest

from engine.conversations.masking import mask_cards


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("4242424242424242", "•••• 4242"),
        ("my card: 4242 4242 4242 4242.", "my card: •••• 4242."),
        ("4242-4242-4242-4242 exp 12/30", "•••• 4242 exp 12/30"),
        ("4242.4242.4242.4242", "•••• 4242"),
        ("3782 822463 10005", "•••• 0005"),
        ("4222222222222", "•••• 2222"),
        ("4242\n4242\t4242 \u2013 4242", "•••• 4242"),
        ("number 12 4242424242424242", "number 12 •••• 4242"),
        ("4242 4242 4242 4242 and 5555 5555 5555 4444", "•••• 4242 and •••• 4444"),
        ("4242 4242 4242 4242 5555 5555 5555 4444", "•••• 4242 •••• 4444"),
        ("4242 4242 4242 4242 123", "•••• 4242 123"),
        ("4242/4242/4242/4242", "•••• 4242"),
        ("4242_4242_4242_4242", "•••• 4242"),
        ("(4242), (4242), (4242), (4242)", "(•••• 4242)"),
        ("4242\u200b4242\u200b4242\u200b4242", "•••• 4242"),
        ("4242    4242    4242    4242", "•••• 4242"),
        ("3782*822463*10005", "•••• 0005"),
        ("$1,299.00 | $2,499.00 | $3,199.00", "$1,299.00 | $2,499.00 | $3,199.00"),
        ("4242 4242 4242 4241", "4242 4242 4242 4241"),
        ("tracking 9400111899223100001234 and more", "tracking 9400111899223100001234 and more"),
        ("call +1 415 555 0132", "call +1 415 555 0132"),
        ("my code is 7QK2MNPX9ABCD3EF", "my code is •••• D3EF"),
        ("use 7QK2-MNPX-9ABC-D3EF please", "use •••• D3EF please"),
        ("7QK2 MNPX 9ABC D3EF", "•••• D3EF"),
        ("7qk2mnpx9abcd3ef", "•••• d3ef"),
        ("ord_06h177ezyac3q7ty6krvxs482y", "ord_06h177ezyac3q7ty6krvxs482y"),
        ("HAPPYBDAYHAPPYDAY", "HAPPYBDAYHAPPYDAY"),
        ("that this with them", "that this with them"),
        ("", ""),
    ],
)
def test_card_numbers_are_masked_and_other_numbers_stay(text: str, masked: str) -> None:
    assert mask_cards(text) == masked


def test_it_stays_fast_on_many_digits() -> None:
    assert mask_cards("1 " * 4000)
    assert mask_cards("4242424242424242 " * 470) == "•••• 4242 " * 470
    assert mask_cards("1234/" * 1600)
    assert mask_cards("1" * 8000) == "1" * 8000
