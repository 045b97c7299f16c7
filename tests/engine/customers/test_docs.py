"""The page of the domain says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.checks import customers, privacy
from engine.customers.policy import AddressesPolicy, LoyaltyPolicy
from engine.finance import postings
from engine.kit.policies import Policy

PAGE = (Path(__file__).parents[3] / "docs/domains/customers.md").read_text()


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in (AddressesPolicy, LoyaltyPolicy) for name in kind.model_fields]
)
def test_the_page_names_every_policy_with_its_default(kind: type[Policy], name: str) -> None:
    default = kind.model_fields[name].default
    assert f"| `{name}` | {str(default).lower()} |" in PAGE


@pytest.mark.parametrize("rule", [*customers.RULES, *privacy.RULES], ids=lambda rule: rule.name)
def test_the_page_names_every_invariant(rule) -> None:
    assert f"- {rule.name}\n" in PAGE


def test_the_page_names_the_posting() -> None:
    assert f"`{postings.Kind.STORED_VALUE_ISSUED}`" in PAGE
