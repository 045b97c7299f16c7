"""Prefixed, time-ordered identifiers: ``ord_01j…``. The prefix says what it names, the order keeps indexes compact."""

from __future__ import annotations

import re
import secrets
import time
from datetime import UTC, datetime
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base32, lower case
_PAIRS: Final = [one + two for one in _ALPHABET for two in _ALPHABET]
_SHIFTS: Final = tuple(range(120, -1, -10))
PREFIXES: Final = {
    "tenant": "tnt",
    "key": "key",
    "agent_platform": "agp",
    "shopper": "shp",
    "customer": "cus",
    "gateway_customer": "gcu",
    "address": "adr",
    "payment_method": "pm",
    "product": "prd",
    "variant": "var",
    "price": "prc",
    "location": "loc",
    "reservation": "rsv",
    "movement": "mov",
    "cart": "crt",
    "checkout": "cs",
    "consent": "cnf",
    "act": "act",
    "payment": "pay",
    "refund": "rfd",
    "order": "ord",
    "order_line": "oli",
    "shipment": "shi",
    "entry": "je",
    "thread": "thr",
    "run": "run",
    "message": "msg",
    "case": "cas",
    "alert": "alr",
    "zone": "zon",
    "rate": "rat",
    "tax": "tax",
    "tax_exemption": "txe",
    "tax_filing": "txf",
    "tax_question": "txq",
    "discount": "dsc",
    "import": "imp",
    "audit": "aud",
    "card": "card",
    "challenge": "chl",
    "capture": "cap",
    "dispute": "dsp",
    "stored_value": "sva",
    "payout": "pyt",
    "gateway_event": "gev",
    "change": "chg",
    "note": "nte",
    "adjustment": "adj",
    "inbound": "inb",
    "count": "cnt",
    "backorder": "bko",
    "fulfillment": "ful",
    "label": "lbl",
    "backup": "bak",
    "mail": "eml",
    "invoice": "inv",
    "macro": "mac",
    "approval": "apv",
    "email_code": "ecd",
    "customer_link": "cln",
    "contact_consent": "ccn",
    "points": "lye",
    "merge": "mrg",
    "erasure": "ers",
    "return": "ret",
    "return_line": "rtl",
    "return_event": "rte",
    "warranty": "wty",
    "claim": "clm",
    "claim_event": "cle",
    "evidence": "evd",
    "webhook_event": "whe",
    "product_feed": "fed",
    "member": "stf",
    "staff_code": "stc",
    "digital_code": "dgc",
    "digital_delivery": "dgd",
    "connection": "con",
    "permit": "prm",
    "mapping": "mpg",
    "delivery": "dlv",
    "exception": "exc",
    "pipeline": "ppl",
    "post": "pst",
}
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,39}")
_DIGITS: Final = re.compile(r"\d(?:[./_-]?\d){10}")
ID: Final = re.compile(r"\b(?:" + "|".join(sorted(PREFIXES.values(), key=len, reverse=True)) + r")_[0-9a-z]{26}\b")


def new_id(kind: str) -> str:
    """A new id of ``kind`` (a key of ``PREFIXES``): 48 bits of milliseconds, then 82 random bits."""
    value = (int(time.time() * 1000) << 82) | secrets.randbits(82)
    return f"{PREFIXES[kind]}_{''.join([_PAIRS[(value >> shift) & 1023] for shift in _SHIFTS])}"


def is_id(value: str, kind: str | None = None) -> bool:
    """Whether ``value`` has the form of an id (of ``kind``)."""
    found = ID.fullmatch(value)
    return bool(found) and (kind is None or value.startswith(f"{PREFIXES[kind]}_"))


def echo(value: str, otherwise: str) -> str:
    """A name somebody sent, to be shown to them again: only one that looks like an id, a SKU or a code. Anything else
    (a card number, a script, a novel) is ``otherwise``.
    """
    return value if _PLAIN.fullmatch(value) and not _DIGITS.search(value) else otherwise


def made_at(value: str) -> datetime:
    """When an id was made, to the second."""
    number = 0
    for letter in value.rpartition("_")[2]:
        number = number << 5 | _ALPHABET.index(letter)
    return datetime.fromtimestamp((number >> 82) // 1000, tz=UTC)


def ids_in(text: str) -> set[str]:
    """Every id that occurs in a text."""
    return set(ID.findall(text))
