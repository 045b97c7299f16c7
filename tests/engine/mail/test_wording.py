"""Every letter can be written, and a shop's own words can do nothing but say, choose and repeat."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from engine.mail import rendering, wording
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
