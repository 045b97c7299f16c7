"""Every letter can be written, and a shop's own words can do nothing but say, choose and repeat."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from engine.mail import rendering, tongues, wording
from engine.mail.policy import MailPolicy
from engine.mail.samples import SAMPLES

SHOP = {"shop": {"name": "Shop", "legal_name": "Shop Ltd", "address": ["1 Road"], "email": "help@shop.example"}}


def draw(name: str, facts: dict[str, object] | None = None, **own: str) -> rendering.Rendered:
    return rendering.render(name, SAMPLES[name] | SHOP | (facts or {}), own=own, footer=["Shop Ltd"], lang="en")


@pytest.mark.parametrize("name", wording.NAMES)
def test_every_letter_has_words_for_its_facts(name: str) -> None:
    made = draw(name)
    assert made.subject
    assert made.text.endswith("\n\n-- \nShop Ltd\n")
    assert "{{" not in made.text
    assert "\ue000" not in made.text + made.html
    assert "\n\n\n" not in made.text


def test_every_template_has_a_sample_and_the_other_way_round() -> None:
    files = {file.stem for file in wording.FOLDER.glob("*.txt")}
    assert files == set(SAMPLES)


OF_THE_SHOPS = {"staff_code", "staff_invite", "sync_alert"}
"""Letters to the shop's own people."""
WITHOUT_A_CONVERSATION = {"gift_card"}
OTHERS = [tag for tag in tongues.languages() if tag != wording.DEFAULT]


def test_letters_are_kept_in_the_languages_of_the_pages() -> None:
    assert tongues.languages() == ("en", "ar", "es")


@pytest.mark.parametrize("language", OTHERS)
def test_every_letter_to_a_shopper_is_written_in_every_language(language: str) -> None:
    files = {file.stem for file in (wording.FOLDER / language).glob("*.txt")}
    assert files == set(SAMPLES) - OF_THE_SHOPS - WITHOUT_A_CONVERSATION
    assert set(wording.phrases(language)) == set(wording.phrases("es"))
    for name in files:
        ours = (wording.FOLDER / f"{name}.txt").read_text(encoding="utf-8")
        theirs = (wording.FOLDER / language / f"{name}.txt").read_text(encoding="utf-8")
        assert _marks(ours) == _marks(theirs), name
        facts = SAMPLES[name] | SHOP
        made = rendering.render(name, facts, own=None, footer=["Shop Ltd"], lang="en-US", language=language)
        assert made.subject != draw(name).subject
        assert f'lang="{language}"' in made.html
        assert ('dir="rtl"' in made.html) is (language == "ar")
        assert "Quantity" not in made.html


def _marks(source: str) -> list[str]:
    return sorted(re.findall(r"\{[{%].*?[}%]\}", source))


def test_what_a_shop_wrote_itself_is_what_it_says_in_any_language() -> None:
    facts = SAMPLES["refund"] | SHOP
    made = rendering.render("refund", facts, own={"body": "Ours."}, footer=[], lang="en", language="es")
    assert made.text.startswith("Ours.")
    assert made.subject.startswith("Su reembolso")


def test_between_a_shops_own_words_nothing_is_in_another_language() -> None:
    facts = SAMPLES["order_confirmation"] | SHOP
    own = {"body": "Thank you.\n\n{{ items }}"}
    made = rendering.render("order_confirmation", facts, own=own, footer=[], lang="en-US", language="ar")
    assert "Quantity" in made.html
    assert '<html lang="en-US">' in made.html


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("{{ ''.__class__ }}", "unsafe"),
        ("{{ order.nothing }}", "no attribute 'nothing'"),
        ("{{ secret_key }}", "'secret_key' is undefined"),
        (
            "{% for a in 'a' %}{% for b in 'a' %}{% for c in 'a' %}x{% endfor %}{% endfor %}{% endfor %}",
            "loops in loops",
        ),
        ("{% set x = 'a' %}{{ x }}", "assign is not allowed"),
        ("{{ 'a' * 100000000 }}", "mul is not allowed"),
        ("{{ order.number.upper() }}", "call is not allowed"),
        ("{{ order.number|center(100000000) }}", "there is no filter 'center'"),
        ("{% include 'layout.html' %}", "include is not allowed"),
        ("{% macro x() %}{% endmacro %}", "macro is not allowed"),
        ("{{ order.number", "unexpected end of template"),
    ],
)
def test_words_that_would_do_more_are_refused(body: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        MailPolicy(templates={"order_confirmation": {"body": body}})


def test_a_letter_that_does_not_exist_or_must_be_written_is_refused() -> None:
    with pytest.raises(ValidationError, match="there is no letter 'spam'"):
        MailPolicy(disabled=("spam",))
    with pytest.raises(ValidationError, match="email_code cannot be left out"):
        MailPolicy(disabled=("email_code",))
    with pytest.raises(ValidationError, match="one line"):
        MailPolicy(from_name="Shop\r\nBcc: all@example.com")
    with pytest.raises(ValidationError, match="from_address"):
        MailPolicy(from_address="shop@shop.example\nBcc: x@y.example")


def test_a_title_can_break_neither_a_header_nor_the_page() -> None:
    rows = [["<script>alert(1)</script>\r\nBcc: x\ue000totals\ue001", "1", "$1.00"]]
    facts = {"tables": {"items": {"head": ["Item", "Quantity", "Price"], "rows": rows}}}
    order = {"order": SAMPLES["order_confirmation"]["order"] | {"number": "1\r\nBcc: x@example.com"}}
    made = draw("order_changed", facts | order)
    assert "\n" not in made.subject
    assert made.subject == "Changed: your order 1Bcc: x@example.com"
    assert "<script" not in made.html
    assert "&lt;script&gt;" in made.html
    assert "1 x <script>alert(1)</script>Bcc: xtotals: $1.00" in made.text
