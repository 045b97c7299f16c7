"""What comes in and looks like an attempt to command the agents. It is noted for staff, never acted upon: a shopper may
write what they like, and what protects the shop is that words move nothing.
"""

from __future__ import annotations

import re
from typing import Final

_MARKS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (name, re.compile(pattern, re.IGNORECASE | re.MULTILINE))
    for name, pattern in (
        (
            "overrule",
            r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instructions?|rules?|prompts?|polic(?:y|ies))\b",
        ),
        ("role", r"^\s*(?:\[|<\|?|#+\s*)?(?:system|developer|assistant|tool)(?:\]|\|?>)?\s*[:>\]]"),
        ("persona", r"\byou are (?:now|no longer)\b|\b(?:developer|debug|admin|god|dan) mode\b|\bjailbreak\b"),
        (
            "reveal",
            r"\b(?:reveal|print|repeat|show|output)\b.{0,30}\b(?:system prompt|your instructions|your prompt)\b",
        ),
        ("authority", r"\bI(?:'m| am) (?:the|an?|your) (?:admin\w*|owner|developer|manager|staff|employee|engineer)\b"),
        ("tool", r"\b(?:call|invoke|run|execute)\b.{0,20}\b(?:tool|function|api)\b|\"tool_calls\"|<tool_call"),
    )
)


def marks(text: str) -> list[str]:
    """Which marks of an injection a text bears, by name."""
    return [name for name, pattern in _MARKS if pattern.search(text)]
