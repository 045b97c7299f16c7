"""The rules of the benchmark's shop: policies of a tenant, data and no code."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from engine.kit.policies import read_policy
from engine.policies import policy_kind
from evals.tau2.rows import CURRENCY


@cache
def policies() -> dict[str, Any]:
    """The shop's rules by section, each checked. Raises ``PolicyBroken`` for one that cannot be."""
    said: dict[str, Any] = json.loads(resources.files("evals.tau2").joinpath("policies.json").read_text("utf-8"))
    for section in said:
        read_policy({"policies": said}, policy_kind(section), home=CURRENCY)
    return said
