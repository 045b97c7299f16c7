"""Who and where: names, e-mails, telephone numbers and addresses in a message, and what is left without them."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass, field

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from icommerce_agents.offline import addresses, lexicon

_EMAIL = re.compile(r"[A-Za-z0-9._%+'-]+\s?@\s?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_EMAIL_LEAD = lexicon.pattern("email_lead", re.IGNORECASE)
_PHONE_LEAD = lexicon.pattern("phone_lead", re.IGNORECASE)
_SAID_NAME = lexicon.pattern("said_name")
_LOW_NAME = lexicon.pattern("low_name")
_I_AM = lexicon.pattern("i_am")
_NOT_NAMES = lexicon.words("not_names")
_LEAD_IN = lexicon.pattern("address_lead", re.IGNORECASE)


@dataclass(slots=True)
class Contact:
    """``fields`` as update_checkout names them; ``rest`` is the message without what was understood."""

    fields: dict[str, str] = field(default_factory=dict)
    rest: str = ""


def extract(text: str, *, expects_name: bool = False, expects_address: bool = False) -> Contact:
    """Take the contact details out of a message. ``expects_…`` when the shopper was just asked for it."""
    found = Contact(rest=" ".join(text.replace("\n", ", ").split()))
    _take_email(found)
    _take_phone(found)
    _take_said_name(found)
    _take_address(found, expects_address=expects_address)
    if "name" not in found.fields and expects_name:
        _take_bare_name(found)
    if not found.fields:
        return Contact(rest=" ".join(text.split()))
    found.rest = re.sub(
        r"^(?:\s*(?:,|;|\.|and\b|is\b))+|(?:[\s,;:]|\band|\bto|\bat|\bis|\bfor)+$",
        "",
        found.rest.strip(),
        flags=re.IGNORECASE,
    ).strip()
    return found


def email_in(text: str) -> str | None:
    """The first valid e-mail address, its domain in lower case."""
    for match in _EMAIL.finditer(text):
        try:
            return validate_email(
                match.group().replace(" ", "").rstrip("."), check_deliverability=False, test_environment=True
            ).normalized
        except EmailNotValidError:
            continue
    return None


def _take_email(found: Contact) -> None:
    match, email = _EMAIL.search(found.rest), email_in(found.rest)
    if match and email:
        found.fields["email"] = email
        before = _EMAIL_LEAD.sub("", found.rest[: match.start()])
        found.rest = f"{before} , {found.rest[match.end() :].lstrip(' .,;')}".strip(" ,")


def _take_phone(found: Contact) -> None:
    for match in phonenumbers.PhoneNumberMatcher(found.rest, "US"):
        number = phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164)
        found.fields["phone"] = number
        before = _PHONE_LEAD.sub("", found.rest[: match.start])
        found.rest = f"{before} , {found.rest[match.end :].lstrip(' .,;')}".strip(" ,")
        return


def _take_said_name(found: Contact) -> None:
    for pattern in (_SAID_NAME, _LOW_NAME, _I_AM):
        match = pattern.search(found.rest)
        if match and _is_name(match.group(1), single=pattern is not _I_AM):
            found.fields["name"] = _cased(match.group(1))
            found.rest = (
                f"{found.rest[: match.start()].rstrip(' ,')} , {found.rest[match.end() :].lstrip(' .,;')}".strip(" ,")
            )
            return


def _take_address(found: Contact, *, expects_address: bool) -> None:
    address = addresses.find(found.rest)
    if address is None or (not address.line_one and not expects_address and not (address.city and address.postal_code)):
        return
    keys = ("line_one", "line_two", "city", "state", "postal_code", "country")
    found.fields |= {key: _capitalized(getattr(address, key)) for key in keys if getattr(address, key)}
    before, after = found.rest[: address.start].rstrip(" ,"), found.rest[address.end :].lstrip(" ,.;")
    if "name" not in found.fields:
        before = _take_name_before(found, before)
    before = _LEAD_IN.sub("", f"{before} ").strip(" ,")
    found.rest = f"{before}, {after}".strip(" ,")


def _take_name_before(found: Contact, before: str) -> str:
    """``ship it to Maria Lopez at`` → the name, and what stood before it."""
    match = lexicon.pattern("name_before_address").search(before)
    low = re.match(r"^([a-z]+(?:\s+[a-z]+){1,2})\s*,?\s*$", before)
    match = match or low
    if match is None or not _is_name(match.group(1), single=False):
        return re.sub(r"\b(?:at|to|in)\s*$", "", before).strip(" ,")
    found.fields["name"] = _cased(match.group(1))
    return before[: match.start(1)].rstrip(" ,:")


def _take_bare_name(found: Contact) -> None:
    for part in re.split(r"[,;]|\s+and\s+", found.rest):
        words = part.strip(" .!").removeprefix("it's ").removeprefix("It's ")
        if (
            1 <= len(words.split()) <= 4
            and _is_name(words, single=len(found.rest.split()) <= 2)
            and words.replace(" ", "").replace("-", "").replace("'", "").replace(".", "").isalpha()
        ):
            found.fields["name"] = _cased(words)
            found.rest = found.rest.replace(part, " ", 1).strip(" ,")
            return


def _is_name(words: str, *, single: bool) -> bool:
    parts = [word.strip(".").lower() for word in words.split()]
    things = lexicon.words("nouns") | lexicon.words("colors")
    known = _NOT_NAMES if words.istitle() else _NOT_NAMES | things
    return bool(parts) and (single or len(parts) > 1) and not any(part in known for part in parts)


def _capitalized(part: str) -> str:
    return string.capwords(part) if part.islower() else part


def _cased(name: str) -> str:
    name = " ".join(name.strip(" .,").split())
    return name.title() if name.islower() else name
