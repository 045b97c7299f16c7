"""Our engine against the published cases, the recorded calls, and the model of the rules; the whole files by path."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.runtime import Runtime
from evals.tau2 import fuzzing, gold, replay
from evals.tau2.adapter import Adapter
from evals.tau2.cases import Shop, read_conversations, read_db, read_gold
from evals.tau2.run import HERE, LEAST_IDENTICAL

SEED = 20_261
WHOLE = os.environ.get("TAU2_DATA")
patient = pytest.mark.timeout(480)
whole = pytest.mark.skipif(not WHOLE, reason="TAU2_DATA names no folder with the benchmark's whole files")


@pytest.fixture
def adapter(runtime: Runtime) -> Iterator[Adapter]:
    with Adapter(runtime) as opened:
        yield opened


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop(read_db(HERE / "db.json"))


@pytest.fixture(scope="module")
def data() -> Path:
    return Path(WHOLE or "")


@patient
def test_published_cases_of_every_kind_end_as_they_must(adapter: Adapter, shop: Shop) -> None:
    cases = read_gold(sorted(HERE.glob("gold*.jsonl")))
    chosen = sorted(cases, key=lambda case: -len({call.name for call in case.calls}))[:8]
    found = gold.measure(adapter, shop, chosen).as_json()
    assert found["failed"] == []
    assert found["errors_agree"] == found["actions"] == sum(len(case.calls) for case in chosen)


@patient
def test_recorded_calls_do_again_what_they_did(adapter: Adapter, shop: Shop) -> None:
    talks = read_conversations([HERE / "conversations"])
    chosen = sorted(talks, key=lambda talk: -sum(call.error is not None for call in talk.calls))[:8]
    found = replay.measure(adapter, shop, chosen).as_json()
    assert found["first_differences"] == []
    assert found["calls_identical"] == found["calls"]


@patient
def test_engine_and_model_do_the_same(adapter: Adapter, shop: Shop) -> None:
    found = fuzzing.run(adapter, shop, sequences=16, seed=SEED)
    assert [failure.as_json() for failure in found.failures] == []
    assert found.calls > 60


@whole
@pytest.mark.timeout(7_200)
def test_all_published_cases(adapter: Adapter, data: Path) -> None:
    found = gold.measure(
        adapter, Shop(read_db(data / "db.json")), read_gold(sorted(data.glob("gold*.jsonl")))
    ).as_json()
    assert (found["failed"], found["passed"]) == ([], found["cases"])


@whole
@pytest.mark.timeout(7_200)
def test_all_recorded_calls(adapter: Adapter, data: Path) -> None:
    talks = read_conversations([data / "conversations"])
    found = replay.measure(adapter, Shop(read_db(data / "db.json")), talks)
    figures = found.as_json()
    assert figures["calls_identical"] >= LEAST_IDENTICAL * (figures["calls"] - found.named.total())


@whole
@pytest.mark.timeout(7_200)
def test_two_thousand_sequences(adapter: Adapter, data: Path) -> None:
    found = fuzzing.run(adapter, Shop(read_db(data / "db.json")), sequences=2_000, seed=SEED)
    assert [failure.as_json() for failure in found.failures] == []
