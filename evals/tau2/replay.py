"""The second measure: calls that models really made, one by one: the same outcome, its reason, and the same result."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from evals.tau2.cases import Call, Recorded, Shop
from evals.tau2.gold import outcome_differences
from evals.tau2.model import Model
from evals.tau2.quirks import EACH_ITS_OWN_PRICE, Faithful
from evals.tau2.shapes import Difference, Json, Outcome, differences, in_cents
from evals.tau2.target import Target, faults_in

_SHOWN: Final = 20


@dataclass(slots=True)
class Replayed:
    """What came of one conversation's calls."""

    recorded: Recorded
    identical: int = 0
    named: Counter[str] = field(default_factory=Counter)
    """Calls that differ on purpose, by the gate that makes them."""
    first: list[Difference] = field(default_factory=list)
    """Where the first call that differs without a name does."""
    unexplained: int = 0
    state: list[Difference] = field(default_factory=list)
    """Where the end state is not the honest model's."""
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def same(self) -> bool:
        return not self.unexplained and not self.state and not self.faults

    def as_json(self) -> Json:
        return {
            "conversation": self.recorded.name,
            "task_id": self.recorded.task_id,
            "differences": [one.as_json() for one in (*self.first, *self.state)][:_SHOWN],
            "faults": self.faults,
        }


@dataclass(slots=True)
class Replay:
    """All conversations."""

    replayed: list[Replayed] = field(default_factory=list)

    @property
    def failed(self) -> list[Replayed]:
        return [one for one in self.replayed if not one.same]

    @property
    def named(self) -> Counter[str]:
        return sum((one.named for one in self.replayed), Counter())

    def as_json(self) -> Json:
        return {
            "n": len(self.replayed),
            "identical": len(self.replayed) - len(self.failed),
            "calls": sum(len(one.recorded.calls) for one in self.replayed),
            "calls_identical": sum(one.identical for one in self.replayed),
            "named_gates": dict(self.named),
            "first_differences": [one.as_json() for one in self.failed],
        }


def measure(
    target: Target, shop: Shop, conversations: Sequence[Recorded], *, done: Callable[[], None] = lambda: None
) -> Replay:
    """Replay every conversation from the untouched shop. ``done`` hears of each at its end."""
    replay = Replay()
    for recorded in conversations:
        replay.replayed.append(_replay(target, shop, recorded))
        done()
    return replay


def _replay(target: Target, shop: Shop, recorded: Recorded) -> Replayed:
    replayed, honest, faithful = Replayed(recorded), Model(), Faithful()
    db = shop.slice_for(recorded.calls)
    for one in (target, honest, faithful):
        one.reset(db)
    for place, call in enumerate(recorded.calls):
        began = time.perf_counter()
        outcome = target.call(call.name, call.arguments)
        replayed.seconds += time.perf_counter() - began
        others = [one.call(call.name, call.arguments) for one in (honest, faithful)]
        _note(replayed, call, outcome, *others, path=f"{place}:{call.name}")
    replayed.state = list(differences(in_cents(honest.export()), in_cents(target.export())))
    replayed.faults = faults_in(target)
    return replayed


def _note(replayed: Replayed, call: Call, outcome: Outcome, honest: Outcome, faithful: Outcome, *, path: str) -> None:
    found = outcome_differences(call, *outcome, path=path)
    if not found:
        replayed.identical += 1
    elif _explained(call, outcome, honest, faithful):
        replayed.named[EACH_ITS_OWN_PRICE] += 1
    else:
        replayed.unexplained += 1
        replayed.first = replayed.first or found


def _explained(call: Call, outcome: Outcome, honest: Outcome, faithful: Outcome) -> bool:
    """Whether the benchmark's own faults make all of the difference."""
    as_call = Call(call.name, call.arguments, *honest)
    return not outcome_differences(call, *faithful, path="") and not outcome_differences(as_call, *outcome, path="")
