"""The page of the domain says what the code does."""

from __future__ import annotations

from pathlib import Path

from engine.catalog.policy import CatalogPolicy
from engine.catalog.price_list import PriceStatus
from engine.checks.catalog import RULES

PAGE = (Path(__file__).parents[3] / "docs" / "domains" / "catalog.md").read_text()


def test_policies_have_their_defaults() -> None:
    for name, value in CatalogPolicy().model_dump().items():
        assert f"| `{name}` | {value} |" in PAGE


def test_every_status_is_explained() -> None:
    assert all(f"| `{status}` |" in PAGE for status in PriceStatus)


def test_every_invariant_is_named() -> None:
    assert all(f"- {rule.name}" in PAGE for rule in RULES)
