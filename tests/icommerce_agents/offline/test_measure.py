"""The offline model over its test set: tools as they are, and with every name and the whole catalog swapped."""

from __future__ import annotations

from evals.offline.measure import fits, measure
from evals.offline.world import read

LEAST = {"intent": 0.9, "slots": 0.82, "first_call": 0.85}
MOST_LOST = 0.05


def test_the_sets_are_large_enough_and_apart():
    train = {row for rows in read("train")["utterances"].values() for row in rows}
    test = [words for _, words, *_ in read("test")["cases"]]
    said = {words if isinstance(words, str) else words[-1] for words in test}
    assert len(train) >= 250
    assert len(test) >= 200
    assert len(said & train) <= 2


def test_other_names_and_another_catalog_cost_little():
    own, other = measure(), measure(renamed=True, catalog="kitchen")
    for name, least in LEAST.items():
        assert getattr(own, name) >= least, own.missed
    assert own.slots - other.slots <= MOST_LOST, other.missed
    assert own.first_call - other.first_call <= MOST_LOST, other.missed


def test_what_is_expected_must_be_there():
    assert fits({"lines": [{"line_id": "a"}]}, {"lines": [{"line_id": "A", "quantity": 1}], "order": "x"})
    assert not fits({"lines": [{"line_id": "a"}]}, {"lines": []})
    assert not fits({"order": "a"}, {})
