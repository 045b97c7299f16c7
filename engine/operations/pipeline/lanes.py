"""Where the steps of runs and their requests stand in a picture: columns from left to right, a lane for each system.

Columns are in the order of events, not in their distance in time: between two attempts lie milliseconds or a day.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from engine.operations.pipeline.runs import CallLine, RunInFull, StepView
from engine.sync.models import System

ENGINE: Final = "engine"
TITLES: Final = {
    System.SHOPIFY: "Shopify",
    System.WOOCOMMERCE: "WooCommerce",
    System.NETSUITE: "NetSuite",
    System.DCL: "DCL",
    System.TRACKER: "Carrier",
    System.SLACK: "Slack",
    System.GORGIAS: "Gorgias",
    System.RECHARGE: "Recharge",
}
_ORDER: Final = (System.SHOPIFY, System.WOOCOMMERCE, System.RECHARGE, ENGINE, *TITLES)
"""From where orders come from to where goods leave."""
_UNDER_WAY: Final = "under_way"


@dataclass(frozen=True, slots=True)
class Lane:
    """``key``: ``engine`` or a connection."""

    key: str
    title: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A step (in the engine's lane) or a request (in its system's). ``state`` done, failed, waiting or running."""

    lane: int
    column: int
    columns: int
    state: str
    label: str
    words: str
    """In full, for who does not see it."""
    at: datetime
    run: int
    """Which run, counted from 0."""
    step: str
    """The anchor of its step's row in the table."""
    call_id: int | None = None
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Span:
    """The columns of one run."""

    column: int
    columns: int
    run: int
    title: str
    at: datetime
    status: str


@dataclass(slots=True)
class Picture:
    lanes: list[Lane]
    marks: list[Mark] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    columns: int = 0

    @property
    def failed(self) -> Mark | None:
        """The step that is to be looked at first: the last that failed, else that is tried again."""
        steps = [one for one in self.marks if one.call_id is None]
        for state in ("failed", "waiting"):
            if found := [one for one in steps if one.state == state]:
                return found[-1]
        return None

    @property
    def about(self) -> str:
        """What the picture shows, in a sentence."""
        steps = [one for one in self.marks if one.call_id is None]
        bad = sum(one.state == "failed" for one in steps)
        waits = sum(one.state == "waiting" for one in steps)
        calls = len(self.marks) - len(steps)
        said = [_many(len(self.spans), "run"), _many(len(steps), "step"), _many(calls, "request")]
        said += [f"{_many(bad, 'step')} failed"] if bad else []
        said += [f"{_many(waits, 'step')} to be tried again"] if waits else []
        return ", ".join(said) + "."


def picture(runs: Sequence[RunInFull]) -> Picture:
    """All of these runs, one after the other."""
    lanes = _lanes(runs)
    places = {lane.key: number for number, lane in enumerate(lanes)}
    made = Picture(lanes)
    for number, run in enumerate(runs):
        begin = made.columns
        for step, calls in _steps(run):
            _draw(made, places, number, step, calls)
        made.columns = max(made.columns, begin + 1)
        made.spans.append(Span(begin, made.columns - begin, number, run.workflow, run.created_at, run.status))
    return made


def _many(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def anchor(run: int, step: StepView | None) -> str:
    """The name of a step's row."""
    return f"s-{run}-{step.turn}-{step.place}" if step else f"s-{run}-0"


def _lanes(runs: Sequence[RunInFull]) -> list[Lane]:
    found: dict[str, tuple[str, str]] = {ENGINE: (ENGINE, "iCommerce")}
    for run in runs:
        for call in run.calls:
            found[call.connection_id] = (call.system, run.connections[call.connection_id])
    systems = [system for system, _ in found.values()]
    order = {name: number for number, name in enumerate(dict.fromkeys(map(str, _ORDER)))}
    keys = sorted(found, key=lambda key: (order.get(found[key][0], len(order)), found[key][1]))
    return [Lane(key, _title(*found[key], alone=systems.count(found[key][0]) == 1)) for key in keys]


def _title(system: str, name: str, *, alone: bool) -> str:
    if system == ENGINE:
        return name
    title = TITLES[System(system)]
    return title if alone else f"{title} {name}"


def _steps(run: RunInFull) -> Iterator[tuple[StepView | None, list[CallLine]]]:
    """Each step with the requests that left while it was under way; what belongs to none comes first."""
    begun = [step.started_at for step in run.steps]
    own: list[list[CallLine]] = [[] for _ in range(len(begun) + 1)]
    for call in run.calls:
        own[bisect_right(begun, call.at)].append(call)
    if own[0]:
        yield None, own[0]
    yield from zip(run.steps, own[1:], strict=True)


def _draw(made: Picture, places: dict[str, int], run: int, step: StepView | None, calls: list[CallLine]) -> None:
    width, name = max(1, len(calls)), anchor(run, step)
    if step:
        made.marks.append(
            Mark(
                lane=places[ENGINE],
                column=made.columns,
                columns=width,
                state=step.status,
                label=step.name,
                words=_step_words(step),
                at=step.started_at,
                run=run,
                step=name,
                attempts=step.attempts,
            )
        )
    for number, call in enumerate(calls):
        made.marks.append(
            Mark(
                lane=places[call.connection_id],
                column=made.columns + number,
                columns=1,
                state=_call_state(call),
                label=call.method,
                words=f"{call.method} {call.path}: {_answer(call)}",
                at=call.at,
                run=run,
                step=name,
                call_id=call.id,
            )
        )
    made.columns += width


def _step_words(step: StepView) -> str:
    said = [f"Step {step.place}, {step.name}: {step.status}"]
    if step.attempts > 1:
        said.append(f"attempt {step.attempts}")
    if step.error:
        said.append(step.error)
    return ", ".join(said)


def _call_state(call: CallLine) -> str:
    if call.outcome == _UNDER_WAY:
        return "running"
    return "failed" if call.outcome else "done"


def _answer(call: CallLine) -> str:
    if call.outcome == _UNDER_WAY:
        return "no answer yet"
    told = [str(call.answer)] if call.answer else []
    return " ".join([*told, *([call.outcome] if call.outcome else [])]) or "done"
