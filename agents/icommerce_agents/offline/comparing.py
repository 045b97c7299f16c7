"""Which of the compared products is the lightest, the warmest, the biggest: read off a comparison's numbers."""

from __future__ import annotations

import re
from decimal import Decimal

from icommerce_agents.offline import lexicon
from icommerce_agents.offline.dialogue import Result

_LEAST = re.compile(r"\b(lightest|lighter|smallest|smaller|shortest|shorter|lowest|thinnest|coldest|warmest|warmer)\b")
"""Words for the lowest number; a sleeping bag is the warmer the lower its temperature."""


def fact_asked(plain: str) -> str | None:
    """The fact a word like ``lightest`` is about."""
    if "battery" in plain and re.search(r"\b\w+est\b|\bmost\b|\bbest\b", plain):
        return "battery"
    return next((fact for word, fact in lexicon.table("facts").items() if re.search(rf"\b{word}\b", plain)), None)


def first_by_fact(comparison: Result, plain: str) -> tuple[int, str, str] | None:
    """Place of the winner, its value and the word asked with; ``None`` unless every product gives a number."""
    fact = fact_asked(plain)
    rows = comparison.value.get("rows") or ()
    row = next((row for row in rows if fact and fact in str(row.get("name", "")).lower()), None)
    values = [str(value).replace(",", "") for value in (row or {}).get("values") or ()]
    numbers = [Decimal(found.group()) for value in values if (found := re.search(r"-?\d+(?:\.\d+)?", value))]
    word = re.search(r"\b\w+(?:est|er)\b", plain)
    if row is None or word is None or not numbers or len(numbers) != len(values):
        return None
    best = numbers.index(min(numbers) if _LEAST.search(plain) else max(numbers))
    return best, str(row["values"][best]), word.group()
