"""What may strike: each kind of fault, at each system that it can befall, and how."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from engine.sync.sandbox.faults import WEBHOOK, Kind, Rule
from engine.workflows.rehearsal import When

SYSTEMS: Final = ("shopify", "netsuite", "dcl")
PLACES: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.THROTTLED_POINTS: ("shopify",),
    Kind.CONCURRENCY_EXCEEDED: ("netsuite",),
    Kind.PARTIAL_BATCH: ("dcl",),
    Kind.CLOCK_SKEW: ("netsuite",),  # the only one that judges a signature by its clock
} | dict.fromkeys(WEBHOOK, ("shopify",))
"""Where a kind can strike; the others everywhere."""
PARAMS: Final[dict[Kind, tuple[dict[str, Any], ...]]] = {
    Kind.SLOW: ({"ms": 200},),
    Kind.SCHEMA_DRIFT: (
        {"op": "add", "path": "new_field"},
        {"op": "null", "path": "**.sku"},
        {"op": "remove", "path": "**.quantity"},
    ),
    Kind.CURRENCY_MISMATCH: ({"currency": "XXX"},),
    Kind.HTTP_429: ({"retry_after": 20},),
    Kind.WEBHOOK_DUPLICATE: ({"n": 3},),
    Kind.WEBHOOK_DELAY: ({"seconds": 5_400},),
    Kind.WEBHOOK_OUT_OF_ORDER: ({"seconds": 600},),
    Kind.CLOCK_SKEW: ({"seconds": 600}, {"seconds": -600}),
}
"""By turns, from seed to seed."""
SECRETS: Final[dict[str, tuple[dict[str, Any], ...]]] = {
    "shopify": ({"what": "access_token"}, {"what": "client_secret"}),
    "netsuite": ({"what": "certificates"},),
    "dcl": ({},),
}
"""What is rotated where."""
SELDOM: Final = {Kind.SECRET_ROTATED: 4, Kind.CLOCK_SKEW: 4}
"""These last, so they strike so often at most. A person puts right what they did."""
OFTEN: Final[dict[Kind, float]] = {Kind.PARTIAL_BATCH: 0.8} | dict.fromkeys(WEBHOOK, 0.5)


@dataclass(frozen=True)
class Storm:
    """``system`` is struck by ``kind``; of each run of ``dies`` a worker dies up to three times."""

    kind: Kind | None = None
    system: str = "netsuite"
    params: dict[str, Any] = field(default_factory=dict)
    dies: tuple[str, ...] | None = None
    """Nothing: all workflows."""
    whens: tuple[When, ...] = tuple(When)
    seed: int = 1
    stock: bool = False
    """With what goes through all stock in each of its slots, which takes longest; without, in some."""

    def __str__(self) -> str:
        how = "".join(f" {value}" for value in self.params.values())
        return f"{self.kind or 'fair weather'} {self.system}{how} seed={self.seed}"

    def rule(self) -> Rule | None:
        if self.kind is None:
            return None
        fault = {
            "id": "storm",
            "system": self.system,
            "kind": self.kind,
            "times": SELDOM.get(self.kind, 1_000_000),
            "probability": OFTEN.get(self.kind, 0.25),
            "params": self.params,
        }
        return Rule.model_validate(fault)


def storms(seed: int) -> Iterator[Storm]:
    """All there are. Each has a seed of its own, by its number."""
    number = seed * 1_000
    for kind in Kind:
        if kind is Kind.PROCESS_KILL:  # of real processes: ``tests.chaos.killing``
            continue
        for system in PLACES.get(kind, SYSTEMS):
            number += 1
            ways = SECRETS[system] if kind is Kind.SECRET_ROTATED else PARAMS.get(kind, ({},))
            yield Storm(kind, system, ways[(seed + number) % len(ways)], seed=number)
