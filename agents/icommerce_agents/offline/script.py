"""Goals as coroutines: a goal yields the call it needs and is sent the result.

Nothing is remembered between two model calls: every call replays the goals from the start and feeds them the results
that the turn already has, so a goal goes on exactly where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from icommerce_agents.offline.asks import READS, Ask
from icommerce_agents.offline.dialogue import Call, Json, Result
from icommerce_agents.offline.scene import Scene

Script = Generator[Call, Result, str]
Goal = Callable[[Ask, Scene], Script]
MOST_CALLS = 12
"""Results in one turn after which the model only talks."""
_SPECIALISTS: Mapping[str, str] = {
    "stock_by_location": "operations",
    "list_orders": "customer_service",
    "get_order": "customer_service",
    "find_order_status": "customer_service",
}


@dataclass(slots=True)
class Toolbox:
    """The tools of this request: name → JSON schema of the arguments."""

    schemas: dict[str, Json]
    visited: frozenset[str] = frozenset()
    """Agents that this turn was already handed to."""

    def has(self, name: str) -> bool:
        return name in self.schemas

    def fit(self, call: Call) -> Call | None:
        """The call with only arguments the tool takes, or ``None`` when a required one is missing."""
        schema = self.schemas[call.name]
        known: Json = schema.get("properties") or {}
        kept = {k: v for k, v in call.arguments.items() if k in known and v is not None and _allowed(known[k], v)}
        return None if set(schema.get("required") or ()) - kept.keys() - _nullable(known) else Call(call.name, kept)

    def transfer_for(self, tool: str) -> Call | None:
        """The hand-over to the agent that has ``tool``."""
        agent = _SPECIALISTS.get(tool, "commerce")
        name = f"transfer_to_{agent}"
        if name not in self.schemas or agent in self.visited:
            return None
        return Call(name, {"reason": f"The shopper needs {tool.replace('_', ' ')}."})


def _allowed(schema: Json, value: object) -> bool:
    choices = schema.get("enum")
    return choices is None or value in choices


def _nullable(known: Json) -> set[str]:
    """Required only because a strict schema lists every argument."""
    return {
        name
        for name, schema in known.items()
        if any(s.get("type") == "null" for s in schema.get("anyOf") or ()) or "default" in schema
    }


@dataclass(slots=True)
class Tape:
    """The results of this turn that no goal has taken yet."""

    left: list[Result]

    def take(self, call: Call) -> Result | None:
        same = [r for r in self.left if r.call.name == call.name]
        exact = [r for r in same if _plain(r.call.arguments) == _plain(call.arguments)]
        for result in exact or same:
            self.left.remove(result)
            return result
        return None


def _plain(arguments: Json) -> Json:
    return {key: value for key, value in arguments.items() if value is not None}


@dataclass(slots=True)
class Progress:
    """How far the goals came: calls to make now, or the words to say."""

    calls: list[Call] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    transfer: Call | None = None
    unread: list[Result] = field(default_factory=list)


def play(
    asks: Sequence[Ask], goals: Mapping[str, Goal], scene: Scene, toolbox: Toolbox, *, cannot: Callable[[str], str]
) -> Progress:
    """Run the goals over what this turn has already answered."""
    tape, progress = Tape([r for r in scene.dialogue.turn if not r.call.name.startswith("transfer_to_")]), Progress()
    full = len(scene.dialogue.turn) >= MOST_CALLS
    for ask in asks:
        if progress.calls and ask.intent not in READS:
            continue
        before = len(tape.left)
        outcome = _advance(goals[ask.intent](ask, scene), scene, tape)
        if isinstance(outcome, str):
            if outcome and (len(tape.left) < before or not tape.left or ask.intent in READS):
                progress.lines.append(outcome)
        elif toolbox.has(outcome.name):
            fitted = None if full else toolbox.fit(outcome)
            if fitted:
                progress.calls.append(fitted)
            else:
                progress.lines.append(cannot(outcome.name))
        elif (transfer := toolbox.transfer_for(outcome.name)) is not None:
            progress.transfer = progress.transfer or transfer
        else:
            progress.lines.append(cannot(outcome.name))
    progress.unread = tape.left
    return progress


def in_turn(scripts: Iterable[Script]) -> Generator[Call, Result, list[str]]:
    """Several scripts, one after the other; what each said."""
    told = []
    for script in scripts:
        told.append((yield from script))  # noqa: PERF401 (a comprehension cannot yield)
    return told


def _advance(script: Script, scene: Scene, tape: Tape) -> str | Call:
    """The goal's words when it is through, or the call it waits for."""
    try:
        call = next(script)
        while True:
            result = tape.take(call)
            if result is None:
                script.close()
                return call
            scene.learn(result)
            call = script.send(result)
    except StopIteration as done:
        return str(done.value or "")
