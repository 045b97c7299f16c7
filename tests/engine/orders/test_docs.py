"""The page of the domain says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.orders.policy import OrdersPolicy
from engine.orders.shares import share
from engine.orders.states import CHANGE, ORDER

PAGE = (Path(__file__).parents[3] / "docs/domains/orders.md").read_text()


@pytest.mark.parametrize("machine", [ORDER, CHANGE])
def test_the_page_shows_the_table(machine) -> None:
    assert machine.diagram() in PAGE
    states = list(machine.table)
    for old in states:
        for new in states:
            assert (f"    {old} --> {new}\n" in PAGE + "\n") >= machine.allows(old, new)


@pytest.mark.parametrize("name", list(OrdersPolicy.model_fields))
def test_the_page_names_every_policy(name: str) -> None:
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("amount", [0, 1, 7, 1000, 99_999])
@pytest.mark.parametrize("units", [1, 2, 3, 7, 12])
def test_shares_add_up_and_differ_by_a_cent_at_most(amount: int, units: int) -> None:
    parts = [share(amount, units, at, at + 1) for at in range(units)]
    assert sum(parts) == amount
    assert max(parts) - min(parts) <= 1
    for cut in range(units + 1):
        assert share(amount, units, 0, cut) + share(amount, units, cut, units) == amount
