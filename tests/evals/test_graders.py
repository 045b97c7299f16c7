"""Each kind of expectation can be met, and can fail."""

from __future__ import annotations

from typing import Any

import pytest

from evals.figures import by_suite, figures
from evals.graders import Miss, fits, grade_calls, grade_failures, grade_state, grade_words
from evals.runner import Trial
from evals.suite import Calls, CallWanted, Scenario, Turn, Words
from evals.talking import Call, Heard

CHANGES: dict[str, tuple[Any, Any]] = {
    "carts.guest.TENT": (None, 2),
    "orders.jacket.status": ("open", "canceled"),
    "stock.TENT.EAST.reserved": (3, 2),
    "orders.jacket.lines.JACKET.canceled": (None, 1),
}
ALL = {
    "orders": {"jacket": {"status": "canceled", "lines": {"JACKET": {"canceled": 1}}}},
    "stock": {"TENT": {"EAST": {"reserved": "-1"}}},
}


def _whats(misses: list[Miss]) -> list[str]:
    return [miss.what for miss in misses]


def test_a_state_that_is_as_expected() -> None:
    assert grade_state(ALL, CHANGES) == []
    assert grade_state(ALL | {"carts": {"guest": {"TENT": 2}}}, CHANGES, exact=["carts"]) == []


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("carts.guest.TENT", 3, "2 (before: not there)"),
        ("carts.guest.TENT", "gone", "2 (before: not there)"),
        ("carts.guest.TENT", "+1", "2 (before: not there)"),
        ("carts.guest.LAMP", 1, "unchanged"),
        ("carts.guest.LAMP", "any", "unchanged"),
        ("cases.new.reason", "~comp", "unchanged"),
    ],
)
def test_a_change_that_did_not_happen_as_expected(path: str, value: Any, found: str) -> None:
    [miss] = grade_state(ALL | {path: value}, CHANGES)
    assert (miss.grader, miss.what, miss.expected, miss.found) == ("state", path, str(value), found)


def test_values_that_are_loose() -> None:
    changes = {"cases.new.reason": (None, "complaint"), "carts.guest.TENT": (2, None)}
    loose = {"cases": {"new": {"reason": "~^compl"}}, "carts": {"guest": {"TENT": "gone"}}}
    assert grade_state(loose, changes, exact=["cases", "carts"]) == []
    assert _whats(grade_state({"cases": {"new": {"reason": "~^refund"}}}, changes)) == ["cases.new.reason"]


@pytest.mark.parametrize("left_out", ["orders.jacket.status", "stock.TENT.EAST.reserved"])
def test_money_and_goods_move_by_no_change_that_was_not_expected(left_out: str) -> None:
    changed = {path: after for path, (_, after) in CHANGES.items() if path != left_out}
    assert _whats(grade_state(changed, CHANGES)) == [left_out]


def test_other_things_may_change_unless_exactness_is_asked_for() -> None:
    assert grade_state(ALL, CHANGES) == []
    assert _whats(grade_state(ALL, CHANGES, exact=["carts"])) == ["carts.guest.TENT"]


FOUND = Call("search", {"query": "red Tents", "options": {"color": "red", "size": "M"}}, {"ok": True, "result": {}})
REFUSED = Call("add", {"item": "var_1", "lines": [{"id": 1, "n": 2}]}, {"ok": False, "error": {"code": "no"}})
GARBLED = Call("add", "{not json", {"ok": False, "error": {"code": "invalid_arguments"}})


@pytest.mark.parametrize(
    ("wanted", "call", "right"),
    [
        (CallWanted(tool="search"), FOUND, True),
        (CallWanted(tool="add"), FOUND, False),
        (CallWanted(tool="search", args={"query": "~TENT"}), FOUND, True),
        (CallWanted(tool="search", args={"query": "tent"}), FOUND, False),
        (CallWanted(tool="search", args={"options": {"color": "red"}}), FOUND, True),
        (CallWanted(tool="search", args={"options": {"color": "blue"}}), FOUND, False),
        (CallWanted(tool="search", args={"limit": 5}), FOUND, False),
        (CallWanted(tool="search", ok=False), FOUND, False),
        (CallWanted(tool="add", ok=False), REFUSED, True),
        (CallWanted(tool="add", ok=True), REFUSED, False),
        (CallWanted(tool="add", args={"lines": [{"n": 2}]}), REFUSED, True),
        (CallWanted(tool="add", args={"lines": [{"n": 3}]}), REFUSED, False),
        (CallWanted(tool="add", args={"item": "var_1"}), GARBLED, False),
        (CallWanted(tool="add", ok=False), GARBLED, True),
    ],
)
def test_a_call_fits_or_does_not(wanted: CallWanted, call: Call, right: bool) -> None:
    assert fits(wanted, call) is right


@pytest.mark.parametrize(
    ("expected", "whats"),
    [
        (Calls(required=["search"], forbidden=["pay"], most=2), []),
        (Calls(required=["pay"]), ["pay()"]),
        (Calls(required=[CallWanted(tool="search", times=2)]), ["search()"]),
        (Calls(required=[CallWanted(tool="add", ok=True)]), ["add(), answered"]),
        (Calls(forbidden=["search"]), ["search()"]),
        (Calls(forbidden=[CallWanted(tool="add", args={"item": "var_1"})]), ["add(item='var_1')"]),
        (Calls(forbidden=[CallWanted(tool="add", ok=True)]), []),
        (Calls(most=1), ["all of them"]),
    ],
)
def test_calls_are_required_forbidden_and_counted(expected: Calls, whats: list[str]) -> None:
    misses = grade_calls(expected, [FOUND, REFUSED])
    assert _whats(misses) == whats
    assert {miss.grader for miss in misses} <= {"calls"}


@pytest.mark.parametrize(
    ("expected", "misses"),
    [
        (Words(must=["STORM tent", ["never", "two"]], must_not=["paid"]), 0),
        (Words(must=["storm tents"]), 1),
        (Words(must=[["one", "three"]]), 1),
        (Words(must=[r"~\$240\.00"]), 0),
        (Words(must=[r"~\$250\.00"]), 1),
        (Words(must_not=["storm"]), 1),
        (Words(must_not=["~tents?"]), 1),
        (Words(must=["x"], must_not=["two"]), 2),
    ],
)
def test_words_must_and_must_not_be_said(expected: Words, misses: int) -> None:
    assert len(grade_words(expected, ["Two doors.", "The Storm Tent is $240.00."])) == misses


def test_what_breaks_is_never_right() -> None:
    broke = Call("search", {}, {"ok": False, "error": {"code": "internal"}})
    heard = [Heard("hi", calls=[FOUND, REFUSED]), Heard("ho", calls=[broke], error="timeout")]
    assert [(miss.grader, miss.what) for miss in grade_failures(heard)] == [
        ("words", "the turn 'ho'"),
        ("calls", "search"),
    ]
    assert grade_failures(heard[:1]) == []


def _trial(name: str, *graders: str, broken: str | None = None) -> Trial:
    scenario = Scenario(name=name, turns=[Turn(say="hi")])
    return Trial("s", scenario, misses=[Miss(one, "", "", "") for one in graders], broken=broken)


@pytest.mark.parametrize("grader", ["state", "calls", "words"])
def test_one_bad_score_takes_the_reward(grader: str) -> None:
    assert _trial("a").reward == 1
    trial = _trial("a", grader)
    assert [trial.score(one) for one in ("state", "calls", "words")].count(0) == 1
    assert (trial.score(grader), trial.reward) == (0, 0)


def test_what_could_not_be_played_has_no_marks() -> None:
    assert [_trial("a", broken="lost").score(one) for one in ("state", "calls", "words")] == [0, 0, 0]


def test_pass_k_is_what_all_of_k_tries_pass() -> None:
    steady, shaky = [_trial("a")] * 4, [_trial("b"), _trial("b", "words"), _trial("b"), _trial("b", "state")]
    row = figures("s", [*steady, *shaky])
    assert row.passed == pytest.approx((0.75, (1 + 1 / 6) / 2, 0.5, 0.5))
    assert (row.reward, row.scores) == (0.75, {"state": 0.875, "calls": 1.0, "words": 0.875})
    assert [one.name for one in by_suite([_trial("a")])] == ["s"]
    with pytest.raises(ValueError, match="nothing was played"):
        figures("s", [])
