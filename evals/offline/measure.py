"""How good the offline model is by the test set: intents, slots and first calls; with tools as they are or renamed.

python -m evals.offline.measure
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evals.offline.world import Json, Names, World, read, scene
from icommerce_agents.offline import dialogue
from icommerce_agents.offline import scene as scenes
from icommerce_agents.offline.asks import understand
from icommerce_agents.offline.binding import bind

_LIKE = {"order_cancel": "cancel_order", "buy": "add"}


@dataclass(slots=True)
class Measured:
    """Shares from 0 to 1 over the test set; ``missed`` says what went wrong with whose words."""

    cases: int = 0
    intent: float = 0.0
    slots: float = 0.0
    """Of the cases with arguments, in how many the expected call had all of them."""
    first_call: float = 0.0
    """The right tool with the right arguments first, or no call where none is right."""
    missed: list[str] = field(default_factory=list)


def measure(*, renamed: bool = False, catalog: str = "outdoor", file: str = "test") -> Measured:
    """Play every case of ``file`` and count."""
    world, names, found = World(catalog), Names(renamed), Measured()
    right = {"intent": 0, "slots": 0, "slotted": 0, "first": 0}
    for place, words, intents, call, arguments in read(file)["cases"]:
        outcome = _play(world, names, place, world.filled(words), call, world.filled(arguments))
        known = set(intents) <= outcome["intents"]
        right["intent"] += known
        right["slotted"] += bool(arguments)
        right["slots"] += bool(arguments) and outcome["slots"]
        right["first"] += outcome["first"]
        if not (known and outcome["first"]):
            found.missed.append(f"{place}: {world.filled(words)} -> {sorted(outcome['intents'])} {outcome['calls']}")
    found.cases = len(read(file)["cases"])
    found.intent = right["intent"] / found.cases
    found.slots = right["slots"] / max(1, right["slotted"])
    found.first_call = right["first"] / found.cases
    return found


def _play(world: World, names: Names, place: str, words: Any, call: Any, arguments: Json) -> Mapping[str, Any]:
    talk = scene(place, world, names)
    turns = [words] if isinstance(words, str) else list(words)
    for text in turns[:-1]:
        talk.say(text)
    asked = [*talk.messages, {"role": "user", "content": turns[-1]}]
    heard = dialogue.read(asked, bind(names.tools(talk.agent)))
    intents = {_LIKE.get(ask.intent, ask.intent) for ask in understand(scenes.build(heard))}
    talk.say(turns[-1])
    made = talk.calls
    expected = [call] if isinstance(call, str) else list(call)
    if len(expected) > 1:
        return {"intents": intents, "first": set(expected) <= {n for n, _ in made}, "slots": False, "calls": made}
    called = next((given for name, given in made if name == expected[0]), None)
    slots = called is not None and fits(arguments, called)
    first = not made if not expected[0] else bool(made) and made[0][0] == expected[0] and fits(arguments, made[0][1])
    return {"intents": intents, "first": first, "slots": slots, "calls": made}


def fits(expected: Any, given: Any) -> bool:
    """Whether everything expected is in what was given; words without regard to case."""
    if isinstance(expected, dict):
        return isinstance(given, dict) and all(key in given and fits(one, given[key]) for key, one in expected.items())
    if isinstance(expected, list):
        same = isinstance(given, list) and len(given) == len(expected)
        return same and all(fits(one, other) for one, other in zip(expected, given, strict=True))
    return str(expected).lower() == str(given).lower()


def main() -> None:
    shown = "-v" in sys.argv
    for renamed, catalog in ((False, "outdoor"), (True, "kitchen")):
        found = measure(renamed=renamed, catalog=catalog)
        kind = "renamed tools, other catalog" if renamed else "tools as they are"
        print(
            f"{kind}: {found.cases} cases, intent {found.intent:.1%}, slots {found.slots:.1%}, "
            f"first call {found.first_call:.1%}"
        )
        if shown:
            print("\n".join(found.missed))


if __name__ == "__main__":
    main()
