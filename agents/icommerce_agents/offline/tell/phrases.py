"""Wording: one of a reply's variants, in turn, and small pieces of grammar."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from icommerce_agents.offline import lexicon
from icommerce_agents.offline.dialogue import Result


def say(key: str, seed: int, **values: object) -> str:
    """A variant of reply ``key``; the same seed always gives the same one."""
    variants: list[str] = lexicon.load("replies")[key]
    return variants[(seed + zlib.crc32(key.encode())) % len(variants)].format(**values).strip()


def listed(names: Iterable[object], last: str = "and") -> str:
    """``a, b and c``."""
    items = [str(name) for name in names if str(name)]
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def joined(*sentences: str) -> str:
    """Sentences with one space between them."""
    return " ".join(sentence for sentence in sentences if sentence)


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    text = text.strip()
    return text if not text else text[0].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")


def failure(result: Result, seed: int) -> str:
    """What went wrong, in the shop's own words."""
    if not result.message:
        return say("cannot_read" if result.code == "unreadable" else "failed_silently", seed)
    return say("failed", seed, message=sentence(result.message))


def days(text: object) -> str:
    """``3-5`` → ``3-5 days``, ``1-1`` → ``1 day``; nothing for nothing."""
    first, _, last = str(text or "").partition("-")
    if not first:
        return ""
    return plural(int(first), "day") if first.isdigit() and last in {"", first} else f"{text} days"


def plural(count: int, noun: str) -> str:
    """``1 item``, ``2 items``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
