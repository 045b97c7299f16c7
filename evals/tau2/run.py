"""All measures that are asked for, on one target, and what they say together."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from evals.tau2 import fuzzing, gold, replay
from evals.tau2.cases import Case, DataInvalid, Shop, read_conversations, read_db, read_gold
from evals.tau2.shapes import Json
from evals.tau2.target import Target

if TYPE_CHECKING:
    from evals.tau2 import graphs, live

HERE: Final = Path(__file__).parent / "data"
"""The slice that comes with the program."""
LEAST_IDENTICAL: Final = 0.995
"""Of the recorded calls that no named gate answers."""
LEAST_CARDS: Final = 0.99
"""Of the writes, that have raised exactly one card."""
Begin = Callable[[str, int], Callable[[], None]]
"""Told a measure's name and size; gives what is called after each of it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be measured, on which files."""

    db: Path = HERE / "db.json"
    gold: tuple[Path, ...] = ()
    conversations: tuple[Path, ...] = ()
    graph: bool = False
    fuzz: int = 0
    seed: int = 0
    only: str | None = None
    target: str = "engine"
    model: str | None = None
    """With ``user_model``: only the scenarios are played, live, ``trials`` times each."""
    user_model: str | None = None
    trials: int = 1

    @classmethod
    def of(cls, **given: Json) -> Asked:
        """The same; where nothing is named to be measured, what lies beside ``db`` is."""
        asked = cls(**given)
        beside = asked.db.parent
        talks = (beside / "conversations",) if (beside / "conversations").is_dir() else ()
        if not asked.gold and not asked.conversations and not asked.fuzz:
            return replace(asked, gold=tuple(sorted(beside.glob("gold*.jsonl"))), conversations=talks)
        return replace(asked, conversations=talks) if asked.graph and not asked.conversations else asked


@dataclass(slots=True)
class Measured:
    """What was found."""

    gold: gold.Gold | None = None
    conversations: replay.Replay | None = None
    graph: graphs.Graph | None = None
    fuzz: fuzzing.Fuzz | None = None
    live: live.Live | None = None

    @property
    def named_gates(self) -> Counter[str]:
        """Differences on purpose, by what makes them."""
        parts = [part.named for part in (self.conversations, self.graph) if part is not None]
        return sum(parts, Counter())

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
            *(self.graph.below(LEAST_CARDS) if self.graph else ()),
            *([f"fuzz: {len(self.fuzz.failures)} sequences differ"] if self.fuzz and self.fuzz.failures else ()),
        ]

    def as_json(self) -> Json:
        parts = {name: getattr(self, name) for name in self.__dataclass_fields__}
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
    from evals.tau2.adapter import Adapter

    with Adapter() as adapter:
        gc.collect()
        gc.freeze()  # as the serving process does: what was imported stays for good
        gc.set_threshold(10_000, 20, 20)
        yield adapter


def measure(asked: Asked, *, begin: Begin) -> Measured:
    """Raises ``DataInvalid`` for files that cannot be read, or hold nothing that is asked for."""
    shop = Shop(read_db(asked.db))
    cases = [case for case in read_gold(asked.gold) if asked.only in (None, case.task_id)]
    talks = [talk for talk in read_conversations(asked.conversations) if asked.only in (None, talk.task_id)]
    if not cases and not talks and not asked.fuzz:
        raise DataInvalid("There is nothing to measure: no case and no conversation is what was asked for.")
    if asked.user_model:
        return Measured(live=_play(asked, shop, cases, begin("live", len(cases) * asked.trials)))
    measured = Measured()
    with opened(asked.target) as target:
        if asked.gold:
            measured.gold = gold.measure(target, shop, cases, done=begin("gold", len(cases)))
        if asked.conversations:
            measured.conversations = replay.measure(target, shop, talks, done=begin("conversations", len(talks)))
        if asked.fuzz:
            step = begin("fuzz", asked.fuzz)
            measured.fuzz = fuzzing.run(target, shop, sequences=asked.fuzz, seed=asked.seed, done=step)
    if asked.graph:
        from evals.tau2 import graphs

        measured.graph = graphs.measure(shop, talks, done=begin("graph", len(talks)))
    return measured


def _play(asked: Asked, shop: Shop, cases: Sequence[Case], step: Callable[[], None]) -> live.Live:
    from evals.house import temporary_house
    from evals.tau2 import live
    from evals.tau2.scene import gateways
    from icommerce_agents.models import model_name

    who = live.Models(asked.model or model_name("customer_service"), asked.user_model or "")
    if missing := live.missing_keys(who):
        raise DataInvalid(f"These models cannot be asked without {', '.join(missing)} in the environment.")
    with temporary_house(gateways) as house:
        return live.measure(house, shop, cases, who=who, trials=asked.trials, done=step)


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
