"""The words of the pages: whole in every language, none left in a script, and the right one chosen."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request, Response

from app import wording
from app.wording import chosen, languages, locale, offered, remember, words
from engine.payments.gateway import DECLINES

STATIC = Path(wording.__file__).parent / "static"
PLURALS = {"zero", "one", "two", "few", "many", "other"}
NEEDED = {"en": {"one", "other"}, "es": {"one", "many", "other"}, "ar": PLURALS}
"""The plural categories of Unicode CLDR by language."""
WORDLESS = {
    "WebSocket",
    "Content-Type",
    "Idempotency-Key",
    "Retry-After",
    "Wi-Fi",
    "ERROR",
    "USB-C",
    "Test Shopper",
    "Wh",
    "Hz",
}


def flat(node: Any, path: str = "") -> dict[str, Any]:
    if isinstance(node, dict) and not (set(node) <= PLURALS and "other" in node):
        return {key: leaf for name, value in node.items() for key, leaf in flat(value, f"{path}.{name}").items()}
    return {path.lstrip("."): node}


def placeholders(leaf: Any) -> set[str]:
    text = leaf["other"] if isinstance(leaf, dict) else leaf
    return set(re.findall(r"\{(\w+)\}", text))


def request(query: str = "", **headers: str) -> Request:
    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": "/", "scheme": "http", "server": ("shop", 80)}
    return Request(scope | {"query_string": query.encode(), "headers": sent})


def test_there_are_words_in_english_spanish_and_arabic() -> None:
    assert languages() == ("en", "ar", "es")
    assert [(words(tag).name, words(tag).direction) for tag in languages()] == [
        ("English", "ltr"),
        ("العربية", "rtl"),
        ("Español", "ltr"),
    ]


@pytest.mark.parametrize("language", ["es", "ar"])
def test_a_language_says_all_that_the_default_says(language: str) -> None:
    default, other = flat(dict(words("en").words)), flat(dict(words(language).words))
    assert sorted(other) == sorted(default)
    assert {key for key, leaf in default.items() if placeholders(leaf) != placeholders(other[key])} == set()
    assert {key for key, leaf in default.items() if isinstance(leaf, dict) != isinstance(other[key], dict)} == set()


@pytest.mark.parametrize("language", ["en", "es", "ar"])
def test_no_words_are_empty_and_each_plural_has_its_forms(language: str) -> None:
    leaves = flat(dict(words(language).words))
    forms = {key: leaf for key, leaf in leaves.items() if isinstance(leaf, dict)}
    assert {key for key, leaf in forms.items() if set(leaf) != NEEDED[language]} == set()
    texts = [text for leaf in leaves.values() for text in (leaf.values() if isinstance(leaf, dict) else [leaf])]
    assert [text for text in texts if not text.strip()] == []


def test_a_translation_is_one() -> None:
    """Few words are the same in two languages; the rest was translated."""
    default = flat(dict(words("en").words))
    alike = {
        "es": {"page.demo", "page.subtotal", "cards.no", "cards.totals.subtotal", "hosted.dates.moment"},
        "ar": {"hosted.dates.dayFirst"},
    }
    for language, same in alike.items():
        other = flat(dict(words(language).words))
        equal = {key for key, leaf in default.items() if leaf == other[key]}
        assert equal - {"language.dir"} - same - {"cards.totals.total"} == set()


def test_every_word_that_a_script_asks_for_is_there() -> None:
    page = words("en").page(assistant_speaks=["en"]) | {"assistantSpeaks": ""}
    for script in (STATIC / "ui").rglob("*.js"):
        for path in re.findall(r"\btexts\.(?!js\b)([a-zA-Z]\w*(?:\.[a-zA-Z]\w*)?)", script.read_text()):
            name, _, inner = path.partition(".")
            assert name in page, (script.name, path)
            if inner and isinstance(page[name], dict):
                assert inner in page[name], (script.name, path)


def test_every_key_that_a_template_asks_for_is_there() -> None:
    for template in (STATIC.parent / "templates").glob("*.html"):
        for call in re.findall(r"\{\{[^}]*\bt\((.+?)\)", template.read_text()):
            for key in re.findall(r'"((?:hosted|page|cards)\.[\w.]+)"', call):
                node: Any = words("en").words
                for part in key.split("."):
                    node = node[part]
                assert isinstance(node, str), key


def scripts() -> list[Path]:
    return [
        *sorted((STATIC / "ui").rglob("*.js")),
        *sorted((STATIC / "psp").glob("*.js")),
        STATIC / "confirm/confirm.js",
    ]


@pytest.mark.parametrize("script", scripts(), ids=lambda path: path.name)
def test_no_words_stand_in_a_script(script: Path) -> None:
    assert left_words(script.read_text()) == []


def test_the_scanner_finds_words() -> None:
    assert left_words("const a = 'Add to cart';") == ["Add to cart"]
    assert left_words("html`<p class=${x}>Sold out</p>`") == ["Sold out"]
    assert left_words('html`<p aria-label="Close me">${x}</p>`') == ["Close me"]
    assert left_words("// Just a remark\nload('add_to_cart');") == []


def left_words(source: str) -> list[str]:
    """What looks like words people read: quoted or between tags, begun with a capital, or two words and more."""
    code = re.sub(r"^\s*(//|\*|/\*).*$|\s// .*$|/\*\*.*?\*/", "", source, flags=re.MULTILINE)
    quoted = re.findall(r"'([A-Z][a-z]+(?:[ ,.…][^'\n]*)?)'", code)
    between = re.findall(r">\s*([A-Za-z][A-Za-z]+(?: [a-z]+)*[.!?…]?)\s*(?=<|\$\{)", code)
    labels = re.findall(r'(?:aria-label|title|placeholder|alt)="([A-Za-z][^"$]*)"', code)
    return [text for text in [*quoted, *between, *labels] if text not in WORDLESS and not re.search(IDENTIFIER, text)]


IDENTIFIER = r"^(NumberFormat|DateTimeFormat|PluralRules|Enter|Date|GET|POST|DELETE)$"


def test_the_address_then_the_memory_then_the_browser_choose() -> None:
    browser = {"accept_language": "ar-EG,ar;q=0.9,en;q=0.5"}
    assert chosen(request("lang=es", cookie="ic_lang=en", **browser)).language == "es"
    assert chosen(request(cookie="ic_lang=es", **browser)).language == "es"
    assert chosen(request(**browser)).language == "ar"
    assert chosen(request("lang=xx", accept_language="de, fr;q=0.9")).language == "en"
    assert chosen(request(accept_language="en;q=0.2, es;q=x, ar;q=0.4")).language == "ar"


def test_a_shop_speaks_the_languages_it_offers() -> None:
    spanish = {"locale": "es-MX", "policies": {"languages": {"offered": ["en", "es", "xx"]}}}
    assert offered(spanish) == ("es", "en")
    assert offered({"locale": "en-US"}) == ("en", "ar", "es")
    assert chosen(request("lang=ar", accept_language="ar"), spanish).language == "es"


def test_a_choice_is_remembered_and_nothing_else() -> None:
    answer = Response()
    remember(request("lang=es"), answer, words("es"))
    assert answer.headers["set-cookie"] == "ic_lang=es; Max-Age=31536000; Path=/; SameSite=lax"
    for asked in (request(), request("lang=es", cookie="ic_lang=es"), request("lang=xx")):
        untouched = Response()
        remember(asked, untouched, words("es"))
        assert "set-cookie" not in untouched.headers


@pytest.mark.parametrize(
    ("home", "language", "expected"),
    [
        ("en-US", "en", "en-US"),
        ("en_GB", "en", "en-GB"),
        ("en-US", "es", "es-US-u-nu-latn"),
        ("en-US", "ar", "ar-US-u-nu-latn"),
        ("'", "ar", "ar-u-nu-latn"),
        ("", "en", "en"),
    ],
)
def test_numbers_are_written_as_where_the_shop_is(home: str, language: str, expected: str) -> None:
    assert locale(home, language) == expected


@pytest.mark.parametrize(
    ("language", "where", "day", "moment"),
    [
        ("en", "en-US", "November 6, 2026", "November 6, 2026, 14:05"),
        ("en", "en-GB", "6 November 2026", "6 November 2026, 14:05"),
        ("es", "es-US-u-nu-latn", "6 de noviembre de 2026", "6 de noviembre de 2026, 14:05"),
        ("ar", "ar-US-u-nu-latn", "6 نوفمبر 2026", "6 نوفمبر 2026، 14:05"),
    ],
)
def test_days_are_written_as_the_visitor_reads_them(language: str, where: str, day: str, moment: str) -> None:
    assert words(language).day("2026-11-06T14:05:09+00:00", where) == day
    assert words(language).day(date(2026, 11, 6), where) == day
    assert words(language).moment("2026-11-06T14:05:09+00:00", where) == moment


def test_what_went_wrong_is_said_in_the_visitors_language() -> None:
    exactly = "Only 3 of Thing A are left."
    assert words("en").problem("out_of_stock", exactly) == exactly
    assert words("es").problem("out_of_stock", exactly) == "No hay suficientes unidades disponibles."
    assert words("es").problem("nobody_knows", exactly) == words("es").say("hosted.problems.other")
    assert words("ar").problem("out_of_stock", "") == ""
    assert words("en").page()["problems"] == {}
    assert words("es").page()["problems"]["timeout"] == "Ha tardado demasiado. Inténtelo de nuevo."


@pytest.mark.parametrize("code", sorted(DECLINES))
def test_a_decline_never_tells_a_foreign_language_alone(code: str) -> None:
    assert words("es").problem(code, DECLINES[code]) != DECLINES[code]


def test_what_is_said_to_an_assistant_is_in_a_language_it_knows() -> None:
    spoken = words("es").page(assistant_speaks=("en",))
    assert (spoken["said"]["checkout"], spoken["cart"]) == ("I would like to check out.", "Su carrito")
    assert "inglés" in spoken["assistantSpeaks"]
    free = words("es").page()
    assert (free["said"]["checkout"], "assistantSpeaks" in free) == ("Quisiera finalizar la compra.", False)


def test_values_are_woven_in() -> None:
    assert words("es").say("hosted.confirm.pay", total="$5.00") == "Pagar $5.00"
    with pytest.raises(KeyError):
        words("es").say("hosted.confirm")
