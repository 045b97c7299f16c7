"""What agents are told of a shop's rules is what the engine goes by."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from engine.conversations.masking import mask_cards
from engine.policies import policy_kind
from icommerce_agents.registry import AGENTS
from prompts import prompt, rules

FOLDER = Path(__file__).parents[2] / "prompts" / "policies"
NAMES = [path.stem for path in sorted(FOLDER.glob("*.md")) if "section:" in path.read_text(encoding="utf-8")]


def _text(name: str, **values: Any) -> str:
    kind = policy_kind(rules(name).section)
    return rules(name).text(kind.model_validate(values, context={"home": "USD"}).model_dump(mode="json"))


def test_there_are_rules_and_each_is_told_to_somebody() -> None:
    assert {"orders", "returns", "voice", "warranties"} == set(NAMES)
    assert {name for spec in AGENTS.values() for name in spec.prompt.rules} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_rules_name_only_what_the_policy_has_and_hold_no_figure_of_their_own(name: str) -> None:
    told = rules(name)
    known = set(policy_kind(told.section).model_fields)
    for conditions, line in told.lines:
        assert {condition.removeprefix("!") for condition in conditions} <= known
        assert set(re.findall(r"\{(\w+)\}", line)) <= known
        assert not re.search(r"\d", line)
    assert "{" not in _text(name)


def test_a_shops_own_values_are_what_is_said() -> None:
    assert "within 30 days" in _text("returns")
    assert "within 14 days" in _text("returns", window_days=14)
    assert "at any time" in _text("returns", window_days=None)
    assert "fee of 15%" in _text("returns", restocking_fee_percent=15)
    assert _text("returns", enabled=False).splitlines() == [
        "## This shop's returns", "- The shop takes no returns.",
    ]  # fmt: skip
    assert "cancel, address" in _text("orders", allowed_changes=["cancel", "address"])
    assert "for 60 minutes" in _text("orders", cancel_window_minutes=60)
    assert "within 48 hours" in _text("warranties", review_hours=48)


def test_fixed_policies_hold_no_figure_that_a_shop_may_set() -> None:
    for path in FOLDER.glob("*.md"):
        body = path.read_text(encoding="utf-8").split("---\n", 2)[2]
        assert not re.search(r"\d", body), path.name
        assert mask_cards(body) == body


def test_a_prompts_digest_changes_with_its_words() -> None:
    assert len({prompt(name).digest for name in ("commerce", "customer_service", "operations", "supervisor")}) == 4
    assert re.fullmatch(r"[0-9a-f]{8}", prompt("commerce").digest)
