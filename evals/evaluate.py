"""From the names of suites to their figures, in a house of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evals.figures import Figures, by_suite
from evals.house import House, staged, temporary_house
from evals.runner import Trial, play_all, speaking
from evals.suite import Scenario, Suite, SuiteInvalid, read_suites
from icommerce_agents import models

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What to play. ``model`` is a LiteLLM name; the configured one for ``None``."""

    suites: tuple[str, ...] = ()
    k: int = 1
    model: str | None = None
    tags: frozenset[str] = frozenset()
    only: frozenset[str] = frozenset()

    def wants(self, scenario: Scenario) -> bool:
        named = not self.only or scenario.name in self.only
        return named and (not self.tags or bool(self.tags & set(scenario.tags)))


@dataclass(frozen=True, slots=True)
class Evaluated:
    model: str
    rows: Sequence[Figures]
    trials: Sequence[Trial]
    below: Sequence[str]
    """Which suites are below their bar, in words."""


def evaluate(asked: Asked, *, say: Say) -> Evaluated:
    """Play what is asked for in a temporary house. Raises ``SuiteInvalid``."""
    suites = read_suites(asked.suites)
    say("Opening a house to play in")
    with temporary_house() as house:
        return evaluate_in(house, suites, asked, say=say)


def evaluate_in(house: House, suites: Sequence[Suite], asked: Asked, *, say: Say) -> Evaluated:
    """The same in a house that is open."""
    with speaking(asked.model):
        model = models.model_name("commerce")
        trials = asyncio.run(_play(house, suites, asked, say=say))
    if not trials:
        raise SuiteInvalid("No scenario is called for by that.")
    rows = by_suite(trials)
    return Evaluated(model, rows, trials, _below(suites, rows))


async def _play(house: House, suites: Sequence[Suite], asked: Asked, *, say: Say) -> list[Trial]:
    def told(trial: Trial) -> None:
        say(f"{'ok  ' if trial.reward else 'FAIL'}  {trial.suite}/{trial.scenario.name}")

    async with staged(house) as stage:
        return await play_all(stage, suites, k=asked.k, wanted=asked.wants, done=told)


def _below(suites: Sequence[Suite], rows: Sequence[Figures]) -> list[str]:
    bars = {suite.suite: suite.bar for suite in suites}
    return [
        f"{row.name}: {row.reward:.0%} passed; its bar is {bars[row.name]:.0%}"
        for row in rows
        if row.name in bars and row.reward < bars[row.name]
    ]
