"""Playing scenarios: many at once on one stage, each in a shop and a time of its own, and what each is worth."""

from __future__ import annotations

import asyncio
import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from engine.kit import clock
from engine.kit.errors import DomainError
from evals import events, graders, picture
from evals.cassette import Player, playing, read_cassette
from evals.graders import Miss
from evals.house import Stage
from evals.picture import Picture
from evals.references import resolved
from evals.suite import Calls, NotThere, Scenario, Suite, SuiteInvalid, Turn, Words
from evals.talking import Heard, Talk, TurnLost
from evals.world import NOW, World, build

AT_ONCE: Final = 6
_MODEL: Final = "ICOMMERCE_MODEL"
GRADERS: Final = ("state", "calls", "words")
Wanted = TypeVar("Wanted", Calls, Words)


@dataclass(slots=True)
class Trial:
    """One time that a scenario was played."""

    suite: str
    scenario: Scenario
    heard: list[Heard] = field(default_factory=list)
    changes: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    misses: list[Miss] = field(default_factory=list)
    broken: str | None = None
    """Why it could not be played to its end."""

    def score(self, grader: str) -> int:
        return int(self.broken is None and all(miss.grader != grader for miss in self.misses))

    @property
    def reward(self) -> int:
        """The product of the three scores."""
        return self.score("state") * self.score("calls") * self.score("words")


@contextmanager
def speaking(model: str | None) -> Iterator[None]:
    """Every part of the house speaks through ``model`` (a LiteLLM name) meanwhile; as configured for ``None``."""
    before = {name: value for name, value in os.environ.items() if name.startswith(_MODEL)}
    if model is not None:
        for name in before:
            del os.environ[name]
        os.environ[_MODEL] = model
    try:
        yield
    finally:
        os.environ.pop(_MODEL, None)
        os.environ.update(before)


async def play_all(
    stage: Stage,
    suites: Sequence[Suite],
    *,
    k: int = 1,
    at_once: int = AT_ONCE,
    wanted: Callable[[Scenario], bool] = lambda _: True,
    done: Callable[[Trial], None] = lambda _: None,
) -> list[Trial]:
    """Play each wanted scenario ``k`` times; the trials in the suites' order. ``done`` hears of each at its end."""
    slots = asyncio.Semaphore(at_once)

    async def one(suite: Suite, scenario: Scenario) -> Trial:
        async with slots:
            trial = await play(stage, suite.suite, scenario)
        done(trial)
        return trial

    chosen = [(suite, scenario) for suite in suites for scenario in suite.scenarios if wanted(scenario)]
    return list(await asyncio.gather(*(one(*each) for each in chosen for _ in range(k))))


async def play(stage: Stage, suite: str, scenario: Scenario) -> Trial:
    """Play a scenario in a fresh shop and grade it. What breaks is part of the trial; it raises nothing."""
    trial = Trial(suite, scenario)
    with clock.own(NOW) as hands:
        try:
            world = await asyncio.to_thread(build, stage.runtime, scenario.world, hands)
            player = await asyncio.to_thread(_player, world, scenario)
            with playing(player):
                await _play(stage, world, trial)
            trial.misses += _unlike(player) if player else []
        except (SuiteInvalid, DomainError, TurnLost) as error:
            trial.broken = f"{type(error).__name__}: {error}"
        except Exception:  # noqa: BLE001 (one scenario's fault is shown in its own row)
            trial.broken = traceback.format_exc(limit=-6)
    return trial


def _player(world: World, scenario: Scenario) -> Player | None:
    """Raises ``SuiteInvalid`` for a cassette that cannot be read."""
    if scenario.cassette is None:
        return None
    speaker = world.person(scenario.speaker)
    return Player(read_cassette(Path(scenario.cassette)), lambda value: resolved(value, world, speaker))


def _unlike(player: Player) -> list[Miss]:
    """Where the replay went another way than its cassette."""
    faults = [*player.faults, *([f"{player.left} answers were not asked for"] if player.left else [])]
    return [Miss("calls", "the cassette", "every answer, each in its place", fault) for fault in faults]


async def _play(stage: Stage, world: World, trial: Trial) -> None:
    scenario = trial.scenario
    speaker = world.person(scenario.speaker)
    talk = Talk(stage, speaker)
    await talk.start()
    names = picture.Names(world.names())
    before = await asyncio.to_thread(_picture, world, names, talk)
    for turn in scenario.turns:
        try:
            heard = await _take(world, talk, turn)
        except NotThere as missing:
            trial.misses.append(Miss("calls", "the conversation", str(missing), "none"))
            break
        trial.heard.append(heard)
        trial.misses += [_at(miss, heard) for miss in _grade_turn(world, talk, turn, heard)]
    after = await asyncio.to_thread(_picture, world, names, talk)
    trial.changes = picture.differences(before, after)
    trial.misses += _grade(world, talk, trial)


async def _take(world: World, talk: Talk, turn: Turn) -> Heard:
    """One turn, whatever it is."""
    if turn.say is not None:
        return await talk.say(await asyncio.to_thread(resolved, turn.say, world, talk.identity))
    if turn.action is not None:
        args = await asyncio.to_thread(resolved, turn.action.args, world, talk.identity)
        return await talk.act(turn.action.name, args)
    if turn.pressed is not None:
        return await _press(talk, turn)
    if turn.wait is not None:
        world.clock.move(timedelta(**turn.wait.model_dump()))
        return Heard(f"[{turn.wait.days} d {turn.wait.hours} h {turn.wait.minutes} min later]")
    said, identity = await asyncio.to_thread(events.happen, world, talk.identity, talk.thread_id, turn)
    talk.identity = identity
    heard = await talk.catch_up()
    heard.said = said
    return heard


async def _press(talk: Talk, turn: Turn) -> Heard:
    """Answer the newest open card (of the kind that is named)."""
    press = turn.pressed
    assert press is not None
    cards = [one for one in (await talk.snapshot()).interrupts if press.card in (None, one.reason)]
    if not cards:
        raise NotThere(f"an open card{f' {press.card!r}' if press.card else ''} to press {press.answer} on")
    return await talk.decide(cards[-1].id, approved=press.answer == "yes")


def _picture(world: World, names: picture.Names, talk: Talk) -> Picture:
    with world.uow() as session:
        return picture.take(session, world.tenant_id, names, thread_id=talk.thread_id)


def _grade_turn(world: World, talk: Talk, turn: Turn, heard: Heard) -> list[Miss]:
    wanted = turn.expect
    shown = [kind for kind, _ in heard.cards]
    return [
        *graders.grade_calls(_resolved(wanted.calls, world, talk), heard.calls),
        *graders.grade_words(_resolved(wanted.words, world, talk), heard.words),
        *graders.grade_words(wanted.cards, shown, what="cards"),
    ]


def _grade(world: World, talk: Talk, trial: Trial) -> list[Miss]:
    wanted = trial.scenario.expect
    calls = [call for heard in trial.heard for call in heard.calls]
    words = [text for heard in trial.heard for text in heard.words]
    shown = [kind for heard in trial.heard for kind, _ in heard.cards]
    return [
        *graders.grade_state(resolved(wanted.state, world, talk.identity), trial.changes, exact=wanted.exact),
        *graders.grade_calls(_resolved(wanted.calls, world, talk), calls),
        *graders.grade_words(_resolved(wanted.words, world, talk), words),
        *graders.grade_words(wanted.cards, shown, what="cards"),
        *graders.grade_failures(trial.heard),
    ]


def _resolved(wanted: Wanted, world: World, talk: Talk) -> Wanted:
    """The same with its references replaced."""
    if wanted == type(wanted)():
        return wanted
    return type(wanted).model_validate(resolved(wanted.model_dump(), world, talk.identity))


def _at(miss: Miss, heard: Heard) -> Miss:
    """The miss, with the turn it is of."""
    return Miss(miss.grader, f"{miss.what}, at {heard.said!r}", miss.expected, miss.found)
