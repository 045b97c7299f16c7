"""A differential fuzz: calls at random, valid and not, on the target and on the model; both must do the same.

A sequence is made on the model as it goes, so that later calls fit what earlier ones did. What differs is shrunk to the
fewest calls that still differ.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from evals.tau2.cases import Call, Shop
from evals.tau2.chance import Chance
from evals.tau2.gold import outcome_differences
from evals.tau2.model import Model
from evals.tau2.shapes import Difference, Json, differences, in_cents
from evals.tau2.target import Target, faults_in

_LONGEST: Final = 10
_ATTEMPTS: Final = 60
"""How many tries a shrinking may take."""
SHRUNK: Final = 8
"""So many failures are made small; more of them say nothing new."""


@dataclass(frozen=True, slots=True)
class Tried:
    """Customers and what is called."""

    user_ids: tuple[str, ...]
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """A sequence, as short as it could be made, after which target and model differ."""

    number: int
    sequence: Tried
    differences: tuple[Difference, ...]

    def as_json(self) -> Json:
        return {
            "sequence": self.number,
            "customers": list(self.sequence.user_ids),
            "calls": [{"name": call.name, "arguments": call.arguments} for call in self.sequence.calls],
            "differences": [one.as_json() for one in self.differences],
        }


@dataclass(slots=True)
class Fuzz:
    """What a run found."""

    seed: int
    sequences: int = 0
    calls: int = 0
    refused: int = 0
    """Calls that both refuse: a fuzz that is all refusals or none tests little."""
    failures: list[Failure] = field(default_factory=list)

    def as_json(self) -> Json:
        return {
            "seed": self.seed,
            "sequences": self.sequences,
            "calls": self.calls,
            "refused": self.refused,
            "differences": len(self.failures),
            "failures": [one.as_json() for one in self.failures],
        }


def run(target: Target, shop: Shop, *, sequences: int, seed: int, done: Callable[[], None] = lambda: None) -> Fuzz:
    """Try ``sequences`` of them; the same ``seed`` and shop give the same. ``done`` hears of each."""
    fuzz = Fuzz(seed)
    for number in range(sequences):
        sequence = make(shop, seed=seed, number=number)
        found = compare(target, shop, sequence)
        if found:
            shortest = shrunk(target, shop, sequence) if len(fuzz.failures) < SHRUNK else sequence
            fuzz.failures.append(Failure(number, shortest, tuple(compare(target, shop, shortest) or found)))
        fuzz.sequences += 1
        fuzz.calls += len(sequence.calls)
        fuzz.refused += sum(call.error is not None for call in sequence.calls)
        done()
    return fuzz


def make(shop: Shop, *, seed: int, number: int) -> Tried:
    """One customer at random, now and then two, and some calls about what is theirs, or not quite."""
    rng = random.Random(f"{seed}:{number}")  # noqa: S311 (a test's chance, to be repeated)
    chance = Chance(rng, shop)
    users = chance.customers()
    model = Model()
    model.reset(shop.slice_of(users))
    calls = []
    for _ in range(rng.randint(1, _LONGEST)):
        name, arguments = chance.call(model.state, users)
        calls.append(Call(name, arguments, *model.call(name, arguments)))
    return Tried(tuple(users), tuple(calls))


def compare(target: Target, shop: Shop, sequence: Tried) -> list[Difference]:
    """How the target differs from the model: in the first call that does, in the end state, or in its books."""
    db = shop.slice_of(sequence.user_ids)
    model = Model()
    for one in (target, model):
        one.reset(db)
    for place, call in enumerate(sequence.calls):
        expected = Call(call.name, call.arguments, *model.call(call.name, call.arguments))
        outcome = target.call(call.name, call.arguments)
        found = outcome_differences(expected, *outcome, path=f"{place}:{call.name}")
        if found:
            return found
    state = list(differences(in_cents(model.export()), in_cents(target.export())))
    return state + [Difference("books", None, fault) for fault in faults_in(target)]


def shrunk(target: Target, shop: Shop, sequence: Tried) -> Tried:
    """The same with every call and list entry left out that is not needed for a difference."""
    attempts, shortest = 0, sequence
    pending = _shorter(shortest)
    while pending and attempts < _ATTEMPTS:
        attempts += 1
        candidate = pending.pop(0)
        if compare(target, shop, candidate):
            shortest, pending = candidate, _shorter(candidate)
    return shortest


def _shorter(sequence: Tried) -> list[Tried]:
    """Without each call in turn, then without each of a change's lines."""
    calls = sequence.calls
    without = [(*calls[:place], *calls[place + 1 :]) for place in range(len(calls)) if len(calls) > 1]
    thinner = [
        (*calls[:place], Call(call.name, arguments, None, None), *calls[place + 1 :])
        for place, call in enumerate(calls)
        for arguments in _thinner(call.arguments)
    ]
    return [Tried(sequence.user_ids, made) for made in (*without, *thinner)]


def _thinner(arguments: Json) -> list[Json]:
    """The same change with one line fewer."""
    if not isinstance(arguments, dict):
        return []
    lists: dict[str, Sequence[Json]] = {
        key: value for key, value in arguments.items() if isinstance(value, list) and len(value) > 1
    }
    longest = max((len(value) for value in lists.values()), default=0)
    return [
        arguments | {key: [*value[:place], *value[place + 1 :]] for key, value in lists.items()}
        for place in range(longest)
    ]
