"""The worked cases of ``cases.yaml``: what was derived by hand is what the engine says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.tax.policy import TaxPolicy
from engine.tax.service import Bill, Item, Rules, rules

FILE = yaml.safe_load((Path(__file__).parent / "cases.yaml").read_text(encoding="utf-8"))
CASES: list[dict[str, Any]] = FILE["cases"]


def ppm(percent: float | str) -> int:
    whole, _, part = str(percent).partition(".")
    return int(whole) * 10_000 + int(part.ljust(4, "0") or 0)


def row(name: str) -> dict[str, Any]:
    """A rate of the file, as the table has it."""
    said = FILE["rates"][name]
    return {
        "name": name,
        "country": said["country"],
        "region": said.get("region", ""),
        "level": said["level"],
        "rate_ppm": ppm(said["rate"]),
        "category_ppm": {category: ppm(percent) for category, percent in said.get("categories", {}).items()},
        "thresholds": said.get("thresholds", {}),
        "taxes_shipping": said.get("shipping", False) or said.get("as_goods", False),
        "shipping_as_goods": said.get("as_goods", False),
        "replaces_wider": said.get("replaces", False),
        "valid_from": "2020-01-01",
    }


def worked(case: dict[str, Any]) -> tuple[Rules, Bill, list[int], int]:
    """The rules, the bill, each item's unit price, and what is paid in all."""
    country, _, region = case["to"].partition("-")
    found = rules(
        TaxPolicy(**case.get("policy", {})),
        [row(name) for name in case["at"]],
        [case["exempt"]] if "exempt" in case else [],
        home=case.get("home", "US"),
        country=country,
        region=region,
        currency=case.get("currency", "USD"),
    )
    prices = [found.unit_price(category, price) for category, price, *_ in case["items"]]
    items = [
        Item(category, price * quantity - sum(off), quantity)
        for (category, _, quantity, *off), price in zip(case["items"], prices, strict=True)
    ]
    bill = found.bill(items, shipping=case.get("shipping", 0))
    paid = sum(item.amount for item in items) + case.get("shipping", 0) + (0 if found.included else bill.total)
    return found, bill, prices, paid


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_worked(case: dict[str, Any]) -> None:
    found, bill, prices, paid = worked(case)
    assert [one.amount for one in bill.items] == case["lines"]
    assert bill.shipping.amount == case.get("shipping_tax", 0)
    assert paid == case["pay"]
    assert prices == case.get("prices", [price for _, price, *_ in case["items"]])
    if "parts" in case:
        assert {one["jurisdiction"]: one["amount"] for one in bill.by_jurisdiction() if one["amount"]} == case["parts"]
    if "notice" in case:
        assert bool(found.notice) == case["notice"]


def test_there_are_enough_and_each_is_itself() -> None:
    assert len(CASES) >= 60
    assert len({case["id"] for case in CASES}) == len(CASES)
    assert all(len(case["why"]) > 5 for case in CASES)
