"""Who and where: names, e-mails, telephone numbers and addresses in a message, and what is left without them."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass, field

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from icommerce_agents.offline import addresses, lexicon

_EMAIL = re.compile(r"[A-Za-z0-9._%+'-]+\s?@\s?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_EMAIL_LEAD = re.compile(
    r"(?:,?\s*(?:and|or)?\s*(?:my|the|send (?:the receipt|it) to)?\s*(?:e-?mail|mail)(?:\s+(?:address|adress))?\s*(?:is|:|to|should be|would be|=)?|[,;]?\s*receipt (?:to|at)|,)\s*$",
    re.IGNORECASE,
)
_PHONE_LEAD = re.compile(
    r"(?:,?\s*(?:and)?\s*(?:my|the)?\s*(?:phone|mobile|cell|tel(?:ephone)?|number)(?:\s+number)?\s*(?:is|:)?|,|\bcall me at|\bcall)\s*$",
    re.IGNORECASE,
)
_WORD = r"(?:[A-ZÀ-Þ][\w'’.-]*|de|la|van|von|der|den|di|da|bin|al|O'[A-Z]\w+)"
_NAME = rf"{_WORD}(?:\s+{_WORD}){{0,3}}"
_SAID_NAME = re.compile(
    rf"(?:\b(?i:(?:change|update|set|correct) (?:my |the )?(?:full |recipient )?name (?:to|is)|my (?:full )?name is|my name's|name's|(?:the |full )?name\s*(?:is|:)?|i am called|call me|recipient(?: is|:)?|under the name(?: of)?|it is for|it's for|addressed to|attn:?|c/o))\s+({_NAME})(?=$|[\s,.;!])"
)
_LOW_NAME = re.compile(
    r"\b(?:my (?:full )?name is|my name's|(?:the )?name\s*(?:is|:))\s+([a-z][\w'’-]+(?:\s+[a-z][\w'’-]+){0,2}?)(?=$|[,.;!]|\s+and\b|\s+my\b|\s+i\b|\s+email\b)"
)
_I_AM = re.compile(rf"\b(?i:i am|i'm|this is|it is|it's)\s+({_WORD}\s+{_WORD}(?:\s+{_WORD})?)(?=$|\s*[,.;!]|\s+and\b)")
_TO_NAME = re.compile(rf"\b(?:to|for|at)\s+({_WORD}(?:\s+{_WORD}){{1,3}})\s*(?:,|\bat\b|$)")
_NOT_NAMES = frozenset(
    "the a an my me it this that please yes no ok okay thanks hi hello hey not just looking ready done good fine sure sorry "
    "interested wondering trying here back new ship send deliver change update use cheapest fastest express expedited standard "
    "shipping address order cart pay card visa also and but wait actually make add remove street home work check out".split()
)
_LEAD_IN = re.compile(
    r"\b(?:please\s+)?(?:can you\s+|could you\s+)?(?:(?:ship|send|deliver|mail|post)(?:\s+(?:it|them|this|that|everything|the order|my order))?(?:\s+(?:to|at|over to))?|"
    r"(?:change|update|set|correct)\s+(?:my|the)?\s*(?:shipping|delivery)?\s*(?:address|name|e-?mail)\s*(?:to|is)?|"
    r"(?:my|the)?\s*(?:shipping|delivery|home|new)?\s*(?:address|adress)\s*(?:is|:|should be|would be)?|it goes to|it should go to|i live (?:at|in)|here (?:is|are) my (?:details|address|info)\w*:?|my details(?: are)?:?|here you go:?|here's my (?:details|address|info)\w*:?)\s*(?:to|at|is)?\s*:?\s*$",
    re.IGNORECASE,
)


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
    match = re.search(
        rf"(?:^|[,:;.]\s*|\bto\s+|\bfor\s+|\bis\s+)({_WORD}(?:\s+{_WORD}){{1,3}})\s*(?:,|:|\bat\b|\bin\b|\bof\b)?\s*$",
        before,
    )
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
