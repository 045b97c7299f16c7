"""The fuzz: the same each time, of use, and able to find a fault and make it small."""

from __future__ import annotations

from collections import Counter

import pytest

from evals.tau2 import fuzzing
from evals.tau2.cases import Shop, read_db
from evals.tau2.model import Model
from evals.tau2.quirks import Faithful
from evals.tau2.reasons import Reason
from evals.tau2.run import HERE
from evals.tau2.shapes import TOOLS, WRITES

SEED = 20_261


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop(read_db(HERE / "db.json"))


def test_the_same_seed_gives_the_same_sequences(shop: Shop) -> None:
    again = [fuzzing.make(shop, seed=SEED, number=7) for _ in range(2)]
    assert again[0] == again[1]
    assert again[0] != fuzzing.make(shop, seed=SEED, number=8)


def test_every_tool_does_its_work_and_is_refused_for_every_reason(shop: Shop) -> None:
    seen = Counter(
        (call.name, call.error) for number in range(400) for call in fuzzing.make(shop, seed=SEED, number=number).calls
    )
    assert {name for name, error in seen if error is None} == set(TOOLS)
    assert {name for name, error in seen if name in WRITES and error} == set(WRITES)
    assert {error for _, error in seen if error} == set(Reason) - {Reason.UNAUTHENTICATED}


def test_the_model_does_not_differ_from_itself(shop: Shop) -> None:
    found = fuzzing.run(Model(), shop, sequences=30, seed=SEED)
    assert (found.sequences, found.failures) == (30, [])
    assert 0.2 < found.refused / found.calls < 0.8


def test_a_fault_is_found_and_made_small(shop: Shop) -> None:
    found = fuzzing.run(Faithful(), shop, sequences=60, seed=SEED)
    assert found.failures
    for failure in found.failures[: fuzzing.SHRUNK]:
        assert failure.differences
        assert len(failure.sequence.calls) <= 3
        assert all(len(call.arguments.get("item_ids", [])) <= 3 for call in failure.sequence.calls)
