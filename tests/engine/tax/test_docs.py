"""The pages say what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.checks import tax
from engine.compliance.policy import DEFAULTS, CompliancePolicy
from engine.kit.policies import Policy
from engine.shipping.policy import ShippingPolicy
from engine.tax.desk import EXEMPTION
from engine.tax.policy import TaxPolicy

PAGES = {
    name: (Path(__file__).parents[3] / f"docs/domains/{name}.md").read_text(encoding="utf-8")
    for name in ("tax", "shipping", "compliance")
}


def test_the_life_of_a_certificate() -> None:
    assert EXEMPTION.diagram() in PAGES["tax"]


@pytest.mark.parametrize("kind", [TaxPolicy, ShippingPolicy, CompliancePolicy])
def test_every_policy_is_named(kind: type[Policy]) -> None:
    named = set(kind.model_fields) - {"rules", "off"}
    assert [name for name in named if f"`{name}`" not in PAGES[kind.section]] == []


def test_every_rule_and_check_is_named() -> None:
    assert [rule.code for rule in DEFAULTS if rule.code not in PAGES["compliance"]] == []
    assert all(f"- {rule.name.split(' of a line')[0]}" in PAGES["tax"] for rule in tax.RULES[2:])
