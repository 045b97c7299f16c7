"""The pages say what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from engine.checks import sync
from engine.sync import alerts, errors, mapping
from engine.sync.errors import SyncError
from engine.sync.policy import AlertsPolicy, SyncPolicy
from engine.sync.states import BREAKER, CONNECTION, DELIVERY, EXCEPTION
from engine.sync.transforms import TRANSFORMS
from tests.engine.sync.targets import SPEC, SalesOrder

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "domains/sync.md").read_text(encoding="utf-8")
HOWTO = (DOCS / "howto/change-a-mapping.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("machine", [CONNECTION, BREAKER, DELIVERY, EXCEPTION], ids=lambda one: one.name)
def test_the_states_are_the_tables(machine) -> None:
    assert machine.diagram() in PAGE


def test_every_check_policy_and_class_is_named() -> None:
    assert [rule.name for rule in sync.RULES if f"- {rule.name}\n" not in PAGE] == []
    assert [name for name in SyncPolicy.model_fields if f"`{name}`" not in PAGE] == []
    assert [name for name in AlertsPolicy.model_fields if f"| `{name}` |" not in PAGE] == []
    assert [kind for kind in alerts.KINDS if f"| `{kind}` |" not in PAGE] == []
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, SyncError)]
    for kind in kinds:
        if kind not in {SyncError, errors.NotNow}:
            row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{kind.__name__}` |"))
            assert f"`{kind.code}`" in row
            assert row.endswith("| counts |") is kind.counts_for_breaker


def test_every_transform_is_named_and_the_example_fits() -> None:
    assert [name for name in TRANSFORMS if f"`{name}`" not in HOWTO] == []
    (example,) = re.findall(r"```json\n(.*?)```", HOWTO, re.DOTALL)
    told = json.loads(example)
    told["fields"] |= {name: rule for name, rule in SPEC["fields"].items() if name.startswith("shippingAddress")}
    mapping.compile(told, SalesOrder)
