"""Goals as coroutines: a goal yields the call it needs and is sent the result.

Nothing is remembered between two model calls: every call replays the goals from the start and feeds them the results
that the turn already has, so a goal goes on exactly where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from icommerce_agents.offline import lexicon
from icommerce_agents.offline.abilities import TRANSFER, Argument, abilities, name_words
from icommerce_agents.offline.asks import READS, Ask
from icommerce_agents.offline.binding import Binding, Slot, choices
from icommerce_agents.offline.dialogue import Call, Json, Result
from icommerce_agents.offline.scene import Scene
from icommerce_agents.offline.semantics import likeness

Script = Generator[Call, Result, str]
Goal = Callable[[Ask, Scene], Script]
MOST_CALLS = 12
"""Results in one turn after which the model only talks."""


@dataclass(slots=True)
class Toolbox:
    """The tools of this request, by the abilities they are matched to."""

    binding: Binding
    visited: frozenset[str] = frozenset()
    """Agents that this turn was already handed to."""

    def has(self, name: str) -> bool:
        return self.binding.has(name)

    def fit(self, call: Call) -> Call | None:
        """The call with only arguments the tool takes, or ``None`` when a required one is missing."""
        bound, known = self.binding.by_ability[call.name], abilities()[call.name].arguments
        kept = {}
        for name, value in call.arguments.items():
            slot = bound.slots.get(name)
            if slot is None or value is None:
                continue
            fitted = fitting(value, slot, known[name])
            if fitted is not None:
                kept[name] = fitted
        given = {bound.slots[name].to.name for name in kept}
        lacking = [one for one in bound.properties if one.required and one.name not in given]
        return None if lacking else Call(call.name, kept)

    def transfer_for(self, tool: str) -> Call | None:
        """The hand-over to the agent that has ``tool``."""
        agent = specialist(tool)
        name = f"{TRANSFER}{agent}"
        if not self.has(name) or agent in self.visited:
            return None
        return Call(name, {"reason": f"The shopper needs {tool.replace('_', ' ')}."})


def fitting(value: Any, slot: Slot, known: Argument) -> Any:
    """The value as the given argument takes it; ``None`` when it does not."""
    if isinstance(value, list) and slot.fields:
        return [_row(row, slot, known) for row in value if isinstance(row, dict)]
    offered = choices(slot.to)
    if known.coded and offered and value not in offered:
        return nearest(str(value), offered)
    return value if not slot.to.schema.get("enum") or value in slot.to.schema["enum"] else None


def _row(row: Json, slot: Slot, known: Argument) -> Json:
    kept = {
        name: fitting(value, slot.fields[name], known.fields[name])
        for name, value in row.items()
        if name in slot.fields
    }
    return {name: value for name, value in kept.items() if value is not None}


def nearest(words: str, codes: Sequence[str], texts: Sequence[str] = ()) -> str:
    """The code that means what the words say; one for "other" where none does."""
    near = likeness([words], [name_words(text) for text in texts or codes])[0]
    best = int(near.argmax())
    rest = [code for code in codes if code in {"other", "something_else", "none"}]
    return rest[0] if rest and near[best] < _ALIKE else codes[best]


_ALIKE: Final = 0.3


def specialist(ability: str) -> str:
    """The agent whose work an ability is."""
    found = lexicon.table("specialists")
    return next((agent for agent, names in found.items() if ability in names), "commerce")


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
