"""``conversations``: shoppers who talk with the offline model at the same time, in one process, each for themselves.

A shopper reads and types between two turns; what is measured is a turn, from the words to the end of the answer. In
every turn it is looked whether something of another shopper's is in it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from random import Random
from typing import Any, Final

from app.bench_timing import Say, cpu_seconds, figures
from engine.customers import service as customers
from engine.kit import clock
from evals.house import House, Stage, staged, temporary_house
from evals.runner import speaking
from evals.suite import WorldSpec
from evals.talking import Heard, Talk
from evals.world import World, build
from icommerce_agents import models

CONVERSATIONS: Final = "conversations"
PAUSE_SECONDS: Final = (5.0, 15.0)
SIZE: Final = "a turn with the offline model, 5 to 15 s after the last one of its shopper; one process"
_PLENTY: Final = 100_000
_LETTERS: Final = "bcdfghjklmnpqrstvwz"


class Mixed(RuntimeError):
    """Somebody else's words or goods were in a conversation."""


def conversation_rows(
    say: Say, n: int, clients: int, pause: tuple[float, float] = PAUSE_SECONDS
) -> list[dict[str, Any]]:
    """The figures of ``n`` turns by ``clients`` shoppers at once. Raises ``Mixed``, ``RuntimeError``."""
    say(f"{CONVERSATIONS}: opening a house")
    with temporary_house() as house:
        return [conversations_in(house, say, n, clients, pause)]


def conversations_in(house: House, say: Say, n: int, clients: int, pause: tuple[float, float]) -> dict[str, Any]:
    """The same in a house that is open."""
    with clock.own(clock.now()) as hands:
        spec = WorldSpec(stock={"TENT-GRN": {"EAST": _PLENTY}, "BIVY": {"EAST": _PLENTY}})
        world = build(house.runtime, spec, hands, began=clock.now())
    say(f"{CONVERSATIONS}: {n} turns by {clients} shoppers")
    with speaking(models.OFFLINE):
        times, wall, cpu = asyncio.run(_talk(house, world, n, clients, pause))
    return {**figures(times, wall, cpu, clients=clients), "name": CONVERSATIONS, "size": SIZE}


async def _talk(
    house: House, world: World, n: int, clients: int, pause: tuple[float, float]
) -> tuple[list[float], float, float]:
    """The seconds of each turn, of all of them, and of CPU."""
    marks = [_mark(number) for number in range(clients)]
    left = iter(range(n))
    async with staged(house) as stage:
        cpu, start = cpu_seconds(house.addresses), time.perf_counter()
        each = await asyncio.gather(*(_shopper(stage, world, marks, place, left, pause) for place in range(clients)))
        wall, used = time.perf_counter() - start, cpu_seconds(house.addresses) - cpu
    return [seconds for times in each for seconds in times], wall, used


async def _shopper(
    stage: Stage, world: World, marks: Sequence[str], place: int, left: Iterator[int], pause: tuple[float, float]
) -> list[float]:
    """One after another of this place's shoppers, until no turns are left."""
    dice = Random(place)  # noqa: S311 (no secret)
    own, others = marks[place], [mark for mark in marks if mark != marks[place]]
    times: list[float] = []
    await asyncio.sleep(dice.uniform(0, pause[1]))
    for number, (words, cart) in enumerate(cycle(_script(own))):
        if next(left, None) is None:
            return times
        if number % len(_script(own)) == 0:
            talk = await _begin(stage, world)
        heard = await talk.say(words)
        times.append(heard.turn_ms / 1000)
        _look(heard, others)
        if cart is not None:
            found = {line.title: line.quantity for line in (await talk.snapshot()).cart.lines}
            if found != cart:
                raise Mixed(f"the cart holds {found}, not {cart}")
        await asyncio.sleep(dice.uniform(*pause))
    return times


def _script(mark: str) -> list[tuple[str, dict[str, int] | None]]:
    """What a shopper says, and what must be in the cart then."""
    tent = {"Solo Bivy Tent": 1}
    return [
        ("hello", {}),
        ("show me a solo bivy tent", {}),
        ("add the first one to my cart", tent),
        ("I want to check out", tent),
        (f"Gil {mark.title()}, {mark}@example.com, 5 Elm St, Portland, OR 97204", tent),
        ("what is in my cart?", tent),
        ("please empty my cart", {}),
    ]


async def _begin(stage: Stage, world: World) -> Talk:
    def make() -> Any:
        with world.uow() as session:
            return customers.new_shopper(session, world.tenant_id)

    talk = Talk(stage, await asyncio.to_thread(make))
    await talk.start()
    return talk


def _look(heard: Heard, others: Sequence[str]) -> None:
    """Raises ``Mixed``, or ``RuntimeError`` for a turn that failed."""
    if heard.error or not heard.words:
        raise RuntimeError(f"the benchmark's turn {heard.said!r} failed: {heard.error or 'no words'}")
    told = f"{heard.words} {heard.cards} {heard.calls}".lower()
    if strange := [mark for mark in others if mark in told]:
        raise Mixed(f"{heard.said!r} was answered with something of {strange[0]}'s")


def _mark(number: int) -> str:
    """A name like no other."""
    dice = Random(f"mark {number}")  # noqa: S311 (no secret)
    return "q" + "".join(dice.choice(_LETTERS) for _ in range(9))
