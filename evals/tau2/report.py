"""What was measured, in lines for a person: the figures, then each failure with where it differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from evals.tau2.run import Measured
from evals.tau2.shapes import Difference

_SHOWN: Final = 12


def lines(measured: Measured) -> Iterator[str]:
    """The figures."""
    found = measured.as_json()
    if measured.gold:
        one = found["gold"]
        agree = f"errors agree in {one['errors_agree']}/{one['actions']} calls"
        yield f"gold           {one['passed']}/{one['cases']} cases, {agree}"
    if measured.conversations:
        one = found["conversations"]
        yield f"conversations  {one['identical']}/{one['n']} identical, {one['calls_identical']}/{one['calls']} calls"
    if measured.graph:
        yield from measured.graph.lines()
    if measured.fuzz:
        one = found["fuzz"]
        yield (
            f"fuzz           {one['sequences']} sequences, {one['calls']} calls ({one['refused']} refused by both), "
            f"{one['differences']} differ (seed {one['seed']})"
        )
    if measured.live:
        one = found["live"]
        shares = ", ".join(f"pass^{k} {share:.1%}" for k, share in enumerate(one["passed"], start=1))
        yield f"live           {one['tasks']} tasks, {one['trials']} trials: {shares}"
        yield f"cost           agents {_dollars(one, 'agents')}, customer {_dollars(one, 'customer')}"
    for gate, count in measured.named_gates.items():
        yield f"named gate     {gate}: {count}"
    if measured.per_second:
        yield f"speed          {measured.per_second:g} calls/s"


def failures(measured: Measured) -> Iterator[str]:
    """Each failure and its differences."""
    for case in measured.gold.failed if measured.gold else ():
        yield from _block(f"case {case.case.task_id}", (*case.state, *case.results), case.faults)
    for talk in measured.conversations.failed if measured.conversations else ():
        yield from _block(f"conversation {talk.recorded.name}", (*talk.first, *talk.state), talk.faults)
    if measured.graph:
        for title, differences, words in measured.graph.failures():
            yield from _block(title, differences, words)
    for trial in measured.live.trials if measured.live else ():
        if not trial.passed:
            untold = [f"not told: {told}" for told in trial.untold]
            broken = [trial.broken] if trial.broken else []
            yield from _block(f"task {trial.case.task_id}, live", trial.state, [*untold, *broken])
    for failure in measured.fuzz.failures if measured.fuzz else ():
        yield from _block(f"sequence {failure.number} of {', '.join(failure.sequence.user_ids)}", failure.differences)
        yield from (f"    {call.name}({_shown(call.arguments)})" for call in failure.sequence.calls)


def _block(title: str, differences: Iterable[Difference], words: Iterable[str] = ()) -> Iterator[str]:
    shown = [*(str(one) for one in differences), *words]
    yield ""
    yield f"{title}:"
    yield from (f"  {line}" for line in shown[:_SHOWN])
    if len(shown) > _SHOWN:
        yield f"  … and {len(shown) - _SHOWN} more"


def _dollars(found: Any, who: str) -> str:
    cost = found["cost_usd"][who]
    return "at no known price" if cost is None else f"{cost:.4f} USD"


def _shown(arguments: object) -> str:
    if not isinstance(arguments, dict):
        return repr(arguments)
    return ", ".join(f"{key}={value!r}" for key, value in arguments.items())
