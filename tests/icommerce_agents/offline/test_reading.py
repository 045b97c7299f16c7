"""Prices, quantities, options, codes, names and addresses out of what people type."""

from __future__ import annotations

import pytest

from icommerce_agents.offline import contact, language, slots


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("under $100", None, 100),
        ("below 1,5k", None, 1500),
        ("less than 100 bucks", None, 100),
        ("max. 1,299", None, 1299),
        ("between 50 and 100", 50, 100),
        ("$50-$100", 50, 100),
        ("over $200", 200, None),
        ("no more than ninety-nine dollars", None, 99),
        ("up to two hundred", None, 200),
        ("150 or less", None, 150),
        ("a budget of 300", None, 300),
        ("a tent for 2 people", None, None),
        ("under 2 kg", None, None),
        ("between 3 and 4 people", None, None),
    ],
)
def test_price_range(text, low, high):
    found = slots.price_range(language.plain(text))
    assert (found.low, found.high) == (low, high)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("make it 3", 3),
        ("add two of those", 2),
        ("a couple of them", 2),
        ("x4", 4),
        ("I'll take five", 5),
        ("change the quantity to six", 6),
        ("just one please", 1),
        ("the second one", None),
        ("number 3", None),
        ("a 4 person tent", None),
        ("add the first two", None),
    ],
)
def test_quantity(text, wanted):
    assert slots.quantity(language.plain(text)) == wanted


@pytest.mark.parametrize(
    ("text", "change"),
    [("one more", 1), ("another one", 1), ("two more please", 2), ("one less", -1), ("make it 3", None)],
)
def test_relative_quantity(text, change):
    assert slots.relative_quantity(language.plain(text)) == change


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("in blue", {"color": "blue"}),
        ("the grey one in size M", {"color": "grey", "size": "M"}),
        ("slate blue, size 9", {"color": "slate blue", "size": "9"}),
        ("make it a large", {"size": "L"}),
        ("XL please", {"size": "XL"}),
        ("for 2 people", {}),
    ],
)
def test_options(text, wanted):
    assert slots.options(language.plain(text)) == wanted


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("use code SAVE10", "SAVE10"),
        ("promo: welcome5", None),
        ("my coupon is WELCOME5", "WELCOME5"),
        ("apply save10 please", "SAVE10"),
        ("any codes?", None),
    ],
)
def test_discount_code(text, code):
    assert slots.discount_code(text) == code


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("where's sp-10023?", "SP-10023"),
        ("order #10023", "10023"),
        ("order number: 10023", "10023"),
        ("12 Pine St 97204", None),
    ],
)
def test_order_number(text, number):
    assert slots.order_number(text) == number


def test_plain_english():
    assert (
        language.plain("What's the COLOUR of teh tnet? I'd like two") == "what is the color of the tent? i would like 2"
    )
    assert language.plain("lightest") == "lightest"
    assert language.plain("one of those") == "1 of those"


@pytest.mark.parametrize(
    ("text", "language_name"),
    [
        ("Hola, busco una tienda", "Spanish"),
        ("où est ma commande", "French"),
        ("テント", ""),
        ("show me tents", None),
        ("Jane Doe", None),
    ],
)
def test_foreign_language(text, language_name):
    assert language.foreign_language(text) == language_name


US = {"line_one": "12 Pine St", "city": "Portland", "state": "OR", "postal_code": "97204", "country": "US"}
ADDRESSES = [
    ("Jane Doe, 12 Pine St Apt 4, Portland, OR 97204", US | {"name": "Jane Doe", "line_two": "Apt 4"}),
    ("12 pine st, portland, oregon 97204", US | {"line_one": "12 Pine St"}),
    (
        "ship it to Maria Lopez at 500 W Madison St, Chicago IL 60661, maria@example.com",
        {
            "name": "Maria Lopez",
            "email": "maria@example.com",
            "line_one": "500 W Madison St",
            "city": "Chicago",
            "state": "IL",
            "postal_code": "60661",
            "country": "US",
        },
    ),
    ("my email is x@y.com", {"email": "x@y.com"}),
    ("123 Main St", {"line_one": "123 Main St"}),
    ("Denver, Colorado 80202", {"city": "Denver", "state": "CO", "postal_code": "80202", "country": "US"}),
    (
        "10 Downing Street, London SW1A 2AA, UK",
        {"line_one": "10 Downing Street", "city": "London", "postal_code": "SW1A 2AA", "country": "GB"},
    ),
    (
        "55 Wellington St, Ottawa, ON K1A 0A9",
        {"line_one": "55 Wellington St", "city": "Ottawa", "state": "ON", "postal_code": "K1A 0A9", "country": "CA"},
    ),
    (
        "PO Box 123, Reno NV 89501",
        {"line_one": "PO Box 123", "city": "Reno", "state": "NV", "postal_code": "89501", "country": "US"},
    ),
    (
        "Hauptstraße 5, 10115 Berlin, Germany",
        {"line_one": "Hauptstraße 5", "city": "Berlin", "postal_code": "10115", "country": "DE"},
    ),
    (
        "flat 2, 10 High Street, Leeds LS1 4AP, England",
        {
            "line_one": "10 High Street",
            "line_two": "Flat 2",
            "city": "Leeds",
            "postal_code": "LS1 4AP",
            "country": "GB",
        },
    ),
    (
        "40 Bank Street, New York, New York 10014",
        {"line_one": "40 Bank Street", "city": "New York", "state": "NY", "postal_code": "10014", "country": "US"},
    ),
    ("I'm Tom Baker, tom@baker.org", {"name": "Tom Baker", "email": "tom@baker.org"}),
    ("call me at 217-555-0142", {"phone": "+12175550142"}),
    ("make it 3", {}),
    ("does the 2 person tent fit 3 people?", {}),
    ("under $100", {}),
]


@pytest.mark.parametrize(("text", "fields"), ADDRESSES)
def test_contact(text, fields):
    found = contact.extract(text).fields
    assert {key: value.lower() for key, value in found.items()} == {key: value.lower() for key, value in fields.items()}


def test_what_is_not_contact_is_left():
    found = contact.extract("I'm Tom Baker, tom@baker.org, 4 Elm Ave, Austin TX 78701, and use express shipping")
    assert found.rest == "use express shipping"
