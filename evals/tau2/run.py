"""All measures that are asked for, on one target, and what they say together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from evals.tau2 import fuzzing, gold, replay
from evals.tau2.cases import DataInvalid, Shop, read_conversations, read_db, read_gold
from evals.tau2.shapes import Json
from evals.tau2.target import Target

HERE: Final = Path(__file__).parent / "data"
"""The slice that comes with the program."""
LEAST_IDENTICAL: Final = 0.995
"""Of the recorded calls that no named gate answers."""
Begin = Callable[[str, int], Callable[[], None]]
"""Told a measure's name and size; gives what is called after each of it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be measured, on which files."""

    db: Path = HERE / "db.json"
    gold: tuple[Path, ...] = ()
    conversations: tuple[Path, ...] = ()
    fuzz: int = 0
    seed: int = 0
    only: str | None = None
    target: str = "engine"

    @classmethod
    def of(cls, **given: Json) -> Asked:
        """The same; where nothing is named to be measured, what lies beside ``db`` is."""
        asked = cls(**given)
        if asked.gold or asked.conversations or asked.fuzz:
            return asked
        beside = asked.db.parent
        talks = (beside / "conversations",) if (beside / "conversations").is_dir() else ()
        return cls(**given | {"gold": tuple(sorted(beside.glob("gold*.jsonl"))), "conversations": talks})


@dataclass(slots=True)
class Measured:
    """What was found."""

    gold: gold.Gold | None = None
    conversations: replay.Replay | None = None
    fuzz: fuzzing.Fuzz | None = None

    @property
    def named_gates(self) -> Counter[str]:
        """Differences on purpose, by what makes them."""
        return self.conversations.named if self.conversations else Counter()

    @property
    def per_second(self) -> float:
        """Calls of the first two measures in a second of the target's time."""
        played = [
            *(self.gold.played if self.gold else ()),
            *(self.conversations.replayed if self.conversations else ()),
        ]
        seconds = sum(one.seconds for one in played)
        calls = sum(len((one.case if isinstance(one, gold.Played) else one.recorded).calls) for one in played)
        return round(calls / seconds, 1) if seconds else 0.0

    @property
    def below(self) -> list[str]:
        """What is not as it must be, in sentences; nothing when all is well."""
        return [
            *(_gold_below(self.gold) if self.gold else ()),
            *(_replay_below(self.conversations) if self.conversations else ()),
            *([f"fuzz: {len(self.fuzz.failures)} sequences differ"] if self.fuzz and self.fuzz.failures else ()),
        ]

    def as_json(self) -> Json:
        parts = {"gold": self.gold, "conversations": self.conversations, "fuzz": self.fuzz}
        found = {name: part.as_json() for name, part in parts.items() if part is not None}
        return found | {"named_gates": dict(self.named_gates), "per_second": self.per_second, "ok": not self.below}


@contextmanager
def opened(target: str) -> Iterator[Target]:
    """The target by its name: ``engine``, our shop with our agents' tools, or ``model``, the rules alone."""
    if target == "model":
        from evals.tau2.model import Model

        with Model() as model:
            yield model
        return
    from importlib import import_module

    with import_module("evals.tau2.adapter").Adapter() as adapter:
        yield adapter


def measure(asked: Asked, *, begin: Begin) -> Measured:
    """Raises ``DataInvalid`` for files that cannot be read, or hold nothing that is asked for."""
    shop = Shop(read_db(asked.db))
    cases = [case for case in read_gold(asked.gold) if asked.only in (None, case.task_id)]
    talks = [talk for talk in read_conversations(asked.conversations) if asked.only in (None, talk.task_id)]
    if not cases and not talks and not asked.fuzz:
        raise DataInvalid("There is nothing to measure: no case and no conversation is what was asked for.")
    measured = Measured()
    with opened(asked.target) as target:
        if asked.gold:
            measured.gold = gold.measure(target, shop, cases, done=begin("gold", len(cases)))
        if asked.conversations:
            measured.conversations = replay.measure(target, shop, talks, done=begin("conversations", len(talks)))
        if asked.fuzz:
            step = begin("fuzz", asked.fuzz)
            measured.fuzz = fuzzing.run(target, shop, sequences=asked.fuzz, seed=asked.seed, done=step)
    return measured


def _gold_below(found: gold.Gold) -> Iterator[str]:
    if found.failed:
        yield f"gold: {len(found.failed)} of {len(found.played)} cases do not end as they must"


def _replay_below(found: replay.Replay) -> Iterator[str]:
    figures = found.as_json()
    counted = figures["calls"] - found.named.total()
    if figures["calls_identical"] < LEAST_IDENTICAL * counted:
        yield f"conversations: {figures['calls_identical']} of {counted} calls are identical"
    broken = [one for one in found.replayed if one.faults or one.state]
    if broken:
        yield f"conversations: {len(broken)} leave a state or books that are not right"
