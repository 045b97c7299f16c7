"""Addresses as people write them, brought to one spelling; contacts checked for form."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

from engine.customers.errors import AddressIncomplete, ContactInvalid

_STATES_TEXT: Final = (
    "AL Alabama|AK Alaska|AZ Arizona|AR Arkansas|CA California|CO Colorado|CT Connecticut|DE Delaware|"
    "DC District of Columbia|FL Florida|GA Georgia|HI Hawaii|ID Idaho|IL Illinois|IN Indiana|IA Iowa|KS Kansas|"
    "KY Kentucky|LA Louisiana|ME Maine|MD Maryland|MA Massachusetts|MI Michigan|MN Minnesota|MS Mississippi|"
    "MO Missouri|MT Montana|NE Nebraska|NV Nevada|NH New Hampshire|NJ New Jersey|NM New Mexico|NY New York|"
    "NC North Carolina|ND North Dakota|OH Ohio|OK Oklahoma|OR Oregon|PA Pennsylvania|RI Rhode Island|"
    "SC South Carolina|SD South Dakota|TN Tennessee|TX Texas|UT Utah|VT Vermont|VA Virginia|WA Washington|"
    "WV West Virginia|WI Wisconsin|WY Wyoming|PR Puerto Rico|GU Guam|VI U.S. Virgin Islands|AS American Samoa|"
    "MP Northern Mariana Islands|AA Armed Forces Americas|AE Armed Forces Europe|AP Armed Forces Pacific"
)
_PROVINCES_TEXT: Final = (
    "AB Alberta|BC British Columbia|MB Manitoba|NB New Brunswick|NL Newfoundland and Labrador|NS Nova Scotia|"
    "NT Northwest Territories|NU Nunavut|ON Ontario|PE Prince Edward Island|QC Quebec|SK Saskatchewan|YT Yukon"
)


def _table(text: str) -> dict[str, str]:
    return dict(row.split(" ", 1) for row in text.split("|"))


US_STATES: Final = _table(_STATES_TEXT)
CA_PROVINCES: Final = _table(_PROVINCES_TEXT)
_REGIONS: Final = {"US": US_STATES, "CA": CA_PROVINCES}
_COUNTRIES: Final = {
    "USA": "US", "UNITED STATES": "US", "UNITED STATES OF AMERICA": "US", "AMERICA": "US", "CANADA": "CA",
    "UK": "GB", "UNITED KINGDOM": "GB", "GREAT BRITAIN": "GB", "ENGLAND": "GB", "SCOTLAND": "GB", "WALES": "GB",
    "GERMANY": "DE", "DEUTSCHLAND": "DE", "FRANCE": "FR", "NETHERLANDS": "NL", "THE NETHERLANDS": "NL",
}  # fmt: skip
_POSTAL: Final = {
    "US": re.compile(r"\d{5}(-\d{4})?"),
    "CA": re.compile(r"[A-Z]\d[A-Z] ?\d[A-Z]\d"),
    "GB": re.compile(r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}"),
    "DE": re.compile(r"\d{5}"),
    "FR": re.compile(r"\d{5}"),
    "NL": re.compile(r"\d{4} ?[A-Z]{2}"),
}
_EMAIL: Final = re.compile(r"[^@\s\x00-\x1f<>()\",;:]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}")
PARTS: Final = ("name", "line_one", "city", "state", "postal_code", "country")


def country_code(text: str) -> str:
    """``United Kingdom`` → ``GB``. Raises ``AddressIncomplete`` for a country we cannot name."""
    value = text.strip().upper().rstrip(".")
    code = _COUNTRIES.get(value, value)
    if not re.fullmatch(r"[A-Z]{2}", code):
        raise AddressIncomplete("I do not know that country. Its two-letter code would help.", param="country")
    return code


def region_code(text: str, country: str) -> str:
    """``Oregon`` → ``OR``. Raises ``AddressIncomplete`` for a state that does not exist."""
    table = _REGIONS.get(country)
    value = text.strip()
    if table is None:
        return value
    if value.upper().rstrip(".") in table:
        return value.upper().rstrip(".")
    for code, name in table.items():
        if name.lower() == value.lower():
            return code
    raise AddressIncomplete(f"{value!r} is not a state or province I know.", param="state")


def postal_code(text: str, country: str) -> str:
    """``m5v 2t6`` → ``M5V 2T6``. Raises ``AddressIncomplete`` for what has not the form of the country's."""
    value, form = text.upper(), _POSTAL.get(country)
    if form and not form.fullmatch(value):
        raise AddressIncomplete(f"{value!r} is not a postal code of {country}.", param="postal_code")
    return value


def normalize(parts: dict[str, Any], *, as_given: bool = False) -> dict[str, str]:
    """One spelling for an address; parts not given stay empty. ``as_given`` keeps a state and a postal code that we do
    not know in the words they have; taxes, zones and embargoes go by the country, so that has to be one.

    Raises ``AddressIncomplete`` for a part that is given and cannot be right.
    """
    clean = {k: " ".join(str(parts.get(k) or "").split()) for k in (*PARTS, "line_two")}
    if clean["country"] or clean["postal_code"] or as_given:
        clean["country"] = country_code(clean["country"]) if clean["country"] else "US"
    for part, spelled in (("state", region_code), ("postal_code", postal_code)):
        if clean[part]:
            try:
                clean[part] = spelled(clean[part], clean["country"] or "US")
            except AddressIncomplete:
                if not as_given:
                    raise
    return clean


def missing_parts(address: dict[str, Any] | None, *, region_needed: bool = True) -> list[str]:
    """Which parts an address still lacks. Countries without states need none."""
    if not address:
        return list(PARTS)
    needed = [p for p in PARTS if p != "state" or (region_needed and address.get("country", "US") in _REGIONS)]
    return [part for part in needed if not address.get(part)]


def check_email(text: str) -> str:
    """The address in one spelling. Raises ``ContactInvalid``; existence is not checked (no network).

    Letters beyond ASCII have one case: what folds them differs from program to program (``İ`` is ``i`` to some), and
    nobody is to become somebody else by it.
    """
    value = "".join(one if one.isascii() else one.lower() for one in unicodedata.normalize("NFC", text.strip()))
    if len(value) > 254 or not _EMAIL.fullmatch(value) or ".." in value:
        raise ContactInvalid("That e-mail address does not look right.", param="email")
    local, _, domain = value.rpartition("@")
    return f"{local}@{domain.lower()}"
