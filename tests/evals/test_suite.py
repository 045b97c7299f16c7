"""A suite file is closed: what is misspelled or contradicts itself is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals.suite import SuiteInvalid, read_suite, read_suites
from tools.spec import load

TURN = "turns: [{say: hello}]"


def _suite(tmp_path: Path, scenario: str, head: str = "suite: s\nbar: 0.5\n") -> Path:
    file = tmp_path / "s.yaml"
    file.write_text(f"{head}scenarios:\n  - {{name: a, {scenario}}}\n")
    return file


def test_what_is_left_out_is_nothing(tmp_path: Path) -> None:
    [scenario] = read_suite(_suite(tmp_path, TURN)).scenarios
    assert (scenario.speaker, scenario.turns[0].say, scenario.expect.state, scenario.cassette) == (
        "guest", "hello", {}, None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        ("turns: []", "scenarios[0].turns: List should have at least 1 item"),
        ("turns: [{sey: hello}]", "scenarios[0].turns[0].sey: Extra inputs are not permitted"),
        ("turns: [{say: a, wait: {days: 1}}]", "scenarios[0].turns[0]: Value error, give exactly one of say, press"),
        ("turns: [{press: maybe}]", "scenarios[0].turns[0].press"),
        ("turns: [{action: {name: pay}}]", "scenarios[0].turns[0].action.name"),
        ("turns: [{action: {name: add_to_cart, args: {}}}]", "add_to_cart does not take these arguments: variant_id"),
        ("turns: [{staff: {}}]", "give exactly one of reply, take, resolve; here: none"),
        (f"{TURN}, world: {{orders: {{o: {{of: ada, lines: {{}}}}}}}}", "scenarios[0].world.orders.o.lines"),
        (
            f"{TURN}, world: {{orders: {{o: {{of: ada, lines: {{A: 1}}, delivered_days_ago: 1}}}}}}",
            "delivered_days_ago goes with state delivered",
        ),
        (
            f"{TURN}, world: {{orders: {{o: {{of: a, lines: {{A: 1}}, state: delivered, delivered_days_ago: 3}}}}}}",
            "an order is delivered after it was paid",
        ),
        (f"{TURN}, expect: {{calls: {{required: [{{tol: x}}]}}}}", "scenarios[0].expect.calls.required[0]"),
        (f"{TURN}, expect: {{exact: [cart]}}", "scenarios[0].expect.exact[0]"),
    ],
)
def test_a_fault_is_told_with_its_place(tmp_path: Path, scenario: str, words: str) -> None:
    with pytest.raises(SuiteInvalid) as fault:
        read_suite(_suite(tmp_path, scenario))
    assert words in str(fault.value)
    assert str(tmp_path / "s.yaml") in str(fault.value)


def test_a_bar_is_a_share_and_names_are_used_once(tmp_path: Path) -> None:
    with pytest.raises(SuiteInvalid, match="bar: Input should be less than or equal to 1"):
        read_suite(_suite(tmp_path, TURN, "suite: s\nbar: 90\n"))
    file = tmp_path / "twice.yaml"
    file.write_text(f"suite: s\nbar: 1\nscenarios: [{{name: a, {TURN}}}, {{name: a, {TURN}}}]\n")
    with pytest.raises(SuiteInvalid, match="named twice: a"):
        read_suite(file)


def test_what_is_no_yaml_and_what_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("suite: [")
    with pytest.raises(SuiteInvalid, match=r"s\.yaml"):
        read_suite(file)
    with pytest.raises(SuiteInvalid, match="no suite 'none'; there are: s"):
        read_suites(["none"], tmp_path)


def test_the_shipped_suites_are_sound() -> None:
    """A tool that nobody has is never called: to forbid it proves nothing."""
    scenarios = [(suite.suite, one) for suite in read_suites() for one in suite.scenarios]
    names = [f"{suite}/{one.name}" for suite, one in scenarios]
    assert len(names) == len(set(names))
    parts = [part for _, one in scenarios for part in (one.expect, *(turn.expect for turn in one.turns))]
    calls = [call for part in parts for call in (*part.calls.required, *part.calls.forbidden)]
    assert {call if isinstance(call, str) else call.tool for call in calls} <= load().keys()
