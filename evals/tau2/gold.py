"""The first measure: the calls that solve a task leave the shop as the task expects it, to the cent."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from evals.tau2.cases import Call, Case, Shop, changed
from evals.tau2.reasons import reason_of
from evals.tau2.shapes import Difference, Json, comparable, differences, in_cents
from evals.tau2.target import Target, faults_in


@dataclass(slots=True)
class Played:
    """What came of one case."""

    case: Case
    state: list[Difference] = field(default_factory=list)
    """Where the end state is not the expected one."""
    results: list[Difference] = field(default_factory=list)
    """Where a call's outcome or result is not the recorded one."""
    errors_agree: int = 0
    faults: list[str] = field(default_factory=list)
    """Invariants of the target's books that do not hold afterwards."""
    seconds: float = 0.0
    """Spent in calls."""

    @property
    def passed(self) -> bool:
        return not self.state and not self.faults and self.errors_agree == len(self.case.calls)

    def as_json(self) -> Json:
        rows = [one.as_json() for one in (*self.state, *self.results)]
        return {"task_id": self.case.task_id, "differences": rows, "faults": self.faults}


@dataclass(slots=True)
class Gold:
    """All cases."""

    played: list[Played] = field(default_factory=list)

    @property
    def failed(self) -> list[Played]:
        return [one for one in self.played if not one.passed]

    def as_json(self) -> Json:
        return {
            "cases": len(self.played),
            "passed": len(self.played) - len(self.failed),
            "actions": sum(len(one.case.calls) for one in self.played),
            "errors_agree": sum(one.errors_agree for one in self.played),
            "failed": [one.as_json() for one in self.failed],
        }


def measure(target: Target, shop: Shop, cases: Sequence[Case], *, done: Callable[[], None] = lambda: None) -> Gold:
    """Play every case from the untouched shop. ``done`` hears of each at its end."""
    gold = Gold()
    for case in cases:
        gold.played.append(_play(target, shop, case))
        done()
    return gold


def _play(target: Target, shop: Shop, case: Case) -> Played:
    played = Played(case)
    db = shop.slice_for(case.calls, [change["path"] for change in case.changes])
    target.reset(db)
    for place, call in enumerate(case.calls):
        began = time.perf_counter()
        result, error = target.call(call.name, call.arguments)
        played.seconds += time.perf_counter() - began
        found = outcome_differences(call, result, error, path=f"{place}:{call.name}")
        played.results += found
        played.errors_agree += not any(one.path.endswith("/error") for one in found)
    played.state = list(differences(changed(db, case.changes), in_cents(target.export())))
    played.faults = faults_in(target)
    return played


def outcome_differences(call: Call, result: Json, error: str | None, *, path: str) -> list[Difference]:
    """How an outcome differs from the recorded one: error or none, its reason, and the result where it was kept."""
    expected, found = _reason(call.error), _reason(error)
    if expected != found:
        return [Difference(f"{path}/error", call.error, error if error is None else f"{error} ({result})")]
    if expected or call.result is None:
        return []
    return list(differences(comparable(call.result), comparable(result), path))


def _reason(error: str | None) -> str | None:
    return None if error is None else reason_of(error)
