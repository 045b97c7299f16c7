"""Random lives of orders, across every service, in two shops that each sell in two currencies: after each step the
shop's invariants hold, and at the end of a life both shops', with nothing of the money left unknown.

``ICOMMERCE_LIVES=200`` runs so many lives instead of a few, each from fresh dice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from random import Random
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from engine.checks import check_tenant
from engine.kit import clock, faults
from engine.kit.errors import DomainError
from engine.runtime import Runtime
from tests.currencies import price_everything, sell_in
from tests.lives.afterwards import LATER
from tests.lives.breaking import BREAKING
from tests.lives.coming_back import COMING_BACK
from tests.lives.refusals import EXPECTED
from tests.shop import Shop
from tests.storm.actions import ACTIONS
from tests.storm.storm import calm, keep_house
from tests.storm.world import World, make_shop

LIVES: Final = int(os.environ.get("ICOMMERCE_LIVES", "0"))
DAYS: Final = 8
FIRST_ORDERS: Final = 2
EVERYTHING: Final[dict[str, Callable[[World], None]]] = {
    **{name: act for name, (_, act) in ACTIONS.items()},
    **LATER,
    **COMING_BACK,
    **BREAKING,
}
LONG: Final = 64
OFTEN: Final = ("buy", "buy", "buy", "release", "release", "ship", "ship", "carry")
COME_BACK: Final = ("send_back", "exchange", "take_back", "look_over", "complain", "decide_claim")
NAMES: Final = st.sampled_from([*OFTEN, *COME_BACK, *sorted(EVERYTHING)])
SHOPS: Final = st.integers(0, 1)
DICE: Final = st.integers(0, 2**16)
REFUND: Final = tuple(point for point in faults.MOVE_POINTS if point.startswith("refund"))
DISPUTE: Final = tuple(point for point in faults.MOVE_POINTS if point.startswith("dispute"))
DEATHS: Final[dict[str, tuple[str, ...]]] = {
    "buy": faults.POINTS,
    "swap": (*faults.POINTS, *REFUND),
    "cancel_all": (*faults.POINTS[:2], *REFUND),
    "goodwill": REFUND,
    "exchange": faults.POINTS,
    "take_back": REFUND,
    "send_back": REFUND,
    "dispute": DISPUTE,
    "release": faults.FULFILLMENT_POINTS[:2],
    "ship": faults.FULFILLMENT_POINTS[2:],
}
"""What may be cut short, and where."""
A_DEATH: Final = st.sampled_from([(name, point) for name, points in DEATHS.items() for point in points])
A_DAY: Final = st.lists(st.tuples(SHOPS, NAMES, DICE), min_size=5, max_size=8)


class Died(BaseException):
    """The plug was pulled."""


@contextmanager
def death_at(point: str) -> Iterator[None]:
    """Whoever comes to this point goes no further."""

    def hook(name: str) -> None:
        if name == point:
            raise Died

    faults.set_hook(hook)
    try:
        yield
    except Died:
        return
    finally:
        faults.set_hook(None)


class Lives(RuleBasedStateMachine):
    """What happens to two shops in one life of this test."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__()
        self.runtime = runtime
        self.time = ExitStack()
        self.shops: list[Shop] = []
        self.steps = 0

    @initialize()
    def open(self) -> None:
        self.shops = [make_shop(self.runtime, 1), make_shop(self.runtime, 2, currency="EUR")]
        for shop, other in zip(self.shops, ("CAD", "JPY"), strict=True):
            sell_in(shop, other)
            price_everything(shop, other)
        for number in range(FIRST_ORDERS):
            for shop in (0, 1):
                self._try(shop, "buy", number)

    @rule(day=A_DAY)
    def live(self, day: list[tuple[int, str, int]]) -> None:
        for one in day:
            self.act(*one)

    @rule(shop=SHOPS, death=A_DEATH, dice=DICE)
    def die(self, shop: int, death: tuple[str, str], dice: int) -> None:
        """The process ends in the middle; what is left behind breaks no invariant, and housekeeping ends it."""
        name, point = death
        with death_at(point):
            self._try(shop, name, dice)
        if name == "dispute":  # money that the gateway took and could not tell us of: it tells again until we listen
            self._try(shop, "hear", dice)
        self._prove(shop)

    @rule(minutes=st.sampled_from([1, 15, 60 * 24]))
    def wait(self, minutes: int) -> None:
        self.pass_time(minutes)

    def act(self, shop: int, name: str, dice: int) -> None:
        """One thing happens in one of the shops, and nothing is broken by it."""
        self._try(shop, name, dice)
        self._prove(shop)

    def pass_time(self, minutes: int) -> None:
        """Time passes, and whoever keeps house does so."""
        self.time.enter_context(clock.shifted(timedelta(minutes=minutes)))
        for number, shop in enumerate(self.shops):
            keep_house(shop, alone=True)
            self._prove(number)

    def teardown(self) -> None:
        try:
            for number, shop in enumerate(self.shops):
                assert calm(shop) == 0, "a payment stays unknown"
                self._prove(number)
        finally:
            self.time.close()

    def _try(self, shop: int, name: str, dice: int) -> None:
        """Do it. It may be refused as ``EXPECTED`` says, and then leaves no trace; any other refusal is a fault."""
        self.steps += 1
        try:
            EVERYTHING[name](World(self.shops[shop], Random(f"{dice} {self.steps}")))  # noqa: S311 (dice, not secrets)
        except DomainError as refusal:
            if refusal.code not in EXPECTED[name]:
                raise AssertionError(f"{name} was refused: {refusal.code}: {refusal.message}") from refusal

    def _prove(self, shop: int) -> None:
        tenant = self.shops[shop].tenant
        broken = [r for r in check_tenant(self.runtime, tenant.id, tenant.slug) if not r.ok]
        assert broken == []


@pytest.mark.parametrize("seed", range(1, 1 + (LIVES or 2)))
@pytest.mark.timeout(600)
def test_a_long_life_of_many_things(runtime: Runtime, seed: int) -> None:
    """The same from even dice: hypothesis likes short lives, and the first things of a list."""
    dice, life = Random(seed), Lives(runtime)  # noqa: S311 (dice, not secrets)
    names = [*OFTEN, *COME_BACK, *sorted(EVERYTHING)]
    life.open()
    for step in range(LONG):
        life.act(dice.randrange(2), dice.choice(names), dice.randrange(2**16))
        if step % 8 == 7:
            life.pass_time(dice.choice([1, 15, 60 * 24]))
    life.teardown()


@pytest.mark.timeout(600 + 60 * LIVES)
def test_whatever_happens_every_invariant_holds(runtime: Runtime) -> None:
    chosen = settings(
        max_examples=LIVES or 6,
        stateful_step_count=DAYS,
        derandomize=LIVES == 0,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink] if LIVES else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(lambda: Lives(runtime), settings=chosen)
