"""The page of promotions says what the code does."""

from __future__ import annotations

from pathlib import Path

from engine.carts.policy import PromotionsPolicy
from engine.carts.promotions import MOST_AUTOMATIC
from engine.checks.promotions import RULES

PAGE = (Path(__file__).parents[3] / "docs" / "domains" / "promotions.md").read_text()


def test_policy_limits_and_rules_are_told() -> None:
    for name, value in PromotionsPolicy().model_dump().items():
        assert f"| `{name}` | {value} |" in PAGE
    assert f"{MOST_AUTOMATIC} automatic promotions" in PAGE
    assert all(f"- {rule.name}\n" in PAGE for rule in RULES)
