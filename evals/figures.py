"""Trials put into figures: scores, pass^k, times and tokens, by suite and in all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

from evals.runner import GRADERS, Trial


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one suite, or of all. Shares are 0 to 1, times milliseconds."""

    name: str
    scenarios: int
    trials: int
    scores: Mapping[str, float]
    """Grader → the share of trials with full marks."""
    reward: float
    passed: tuple[float, ...]
    """pass^1, pass^2, … (Yao et al. 2024): the chance that so many trials of a scenario all pass."""
    first_words_p50_ms: float
    first_words_p95_ms: float
    turn_p50_ms: float
    turn_p95_ms: float
    input_tokens: int
    output_tokens: int
    cost_micros: int | None

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {"passed": list(self.passed)}


def figures(name: str, trials: Sequence[Trial]) -> Figures:
    """What the trials come to. Raises ``ValueError`` for none."""
    if not trials:
        raise ValueError(f"{name}: nothing was played")
    by_scenario: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        by_scenario[f"{trial.suite}/{trial.scenario.name}"].append(trial)
    turns = [heard for trial in trials for heard in trial.heard if heard.turn_ms]
    firsts = [heard.first_words_ms for heard in turns if heard.first_words_ms is not None]
    costs = [heard.usage["cost_micros"] for heard in turns if "cost_micros" in heard.usage]
    return Figures(
        name=name,
        scenarios=len(by_scenario),
        trials=len(trials),
        scores={grader: _mean(trial.score(grader) for trial in trials) for grader in GRADERS},
        reward=_mean(trial.reward for trial in trials),
        passed=pass_k([(sum(trial.reward for trial in own), len(own)) for own in by_scenario.values()]),
        first_words_p50_ms=percentile(firsts, 50),
        first_words_p95_ms=percentile(firsts, 95),
        turn_p50_ms=percentile([heard.turn_ms for heard in turns], 50),
        turn_p95_ms=percentile([heard.turn_ms for heard in turns], 95),
        input_tokens=sum(heard.usage.get("input_tokens", 0) for heard in turns),
        output_tokens=sum(heard.usage.get("output_tokens", 0) for heard in turns),
        cost_micros=sum(costs) if costs else None,
    )


def by_suite(trials: Sequence[Trial]) -> list[Figures]:
    """Each suite's figures, and those of all when there are several."""
    suites: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        suites[trial.suite].append(trial)
    found = [figures(name, own) for name, own in suites.items()]
    return [*found, figures("all", trials)] if len(found) > 1 else found


def percentile(values: Sequence[float], share: int) -> float:
    """The ``share``-th percentile (nearest rank), to a tenth; 0 of nothing."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, len(ordered) * share // 100)], 1) if ordered else 0.0


def pass_k(counts: Sequence[tuple[int, int]]) -> tuple[float, ...]:
    """pass^k for each k up to the number of trials: C(passes, k) / C(trials, k), meaned over the scenarios.

    ``counts`` are the passes and trials of each scenario.
    """
    most = min(trials for _, trials in counts)
    return tuple(_mean(comb(passes, k) / comb(of, k) for passes, of in counts) for k in range(1, most + 1))


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)
