"""The list of prices."""

from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule
from engine.kit.money import CURRENCIES

_KNOWN: Final = ", ".join(f"'{code}'" for code in sorted(CURRENCIES))

RULES: Final = (
    Rule(
        "a price is in a currency there is",
        "SELECT count(*) FROM app.prices",
        f"SELECT id, 'is in ' || currency FROM app.prices WHERE currency NOT IN ({_KNOWN})",  # noqa: S608 (ours)
    ),
)
