"""The scenarios with models over real HTTP, scripted: one plays the customer, one speaks for our agents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from engine.lookout import Lookout
from evals.house import House
from evals.tau2 import live
from evals.tau2.cases import Case, Shop, read_db, read_gold
from evals.tau2.run import HERE
from evals.tau2.scene import gateways
from tests.llm_server import LlmServer
from tests.scripted import Call, Say

AGENT = live.Models("openai/agent", "openai/customer")


@pytest.fixture
def llm(monkeypatch: pytest.MonkeyPatch) -> Iterator[LlmServer]:
    with LlmServer(default_route="customer_service") as server:
        for name, value in server.env("agent").items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def shop_house(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """The tests' own, where the benchmark's shop is paid too."""
    monkeypatch.setattr(Lookout, "due", lambda *_, **__: [])
    known = {**house.runtime.gateways, **gateways(house.addresses)}
    return House(replace(house.runtime, gateways=known), house.addresses)


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop(read_db(HERE / "db.json"))


@pytest.fixture(scope="module")
def case() -> Case:
    """One that is solved by canceling one order."""
    found = (case for case in read_gold(sorted(HERE.glob("gold*.jsonl"))) if _cancels(case))
    return replace(next(found), told=("1,234.5",))


def _cancels(case: Case) -> bool:
    writes = [call for call in case.calls if call.name not in ("get_order_details", "get_user_details")]
    return [call.name for call in writes] == ["cancel_pending_order"]


def test_a_trial_that_does_what_the_task_wants_passes(
    llm: LlmServer, shop_house: House, shop: Shop, case: Case
) -> None:
    wanted = next(call.arguments for call in case.calls if call.name == "cancel_pending_order")
    reason = wanted["reason"].replace(" ", "_")
    llm.add(Say(f"Please cancel {wanted['order_id']}."), Say("[yes]"), Say("###STOP###"), to="customer")
    llm.add(
        Call("get_order", {"order": wanted["order_id"]}),
        Call("quote_cancel", {"order": wanted["order_id"], "reason": reason}),
        Say("Please press the button. You asked about 1234.5 once."),
        to="agent",
    )
    found = live.measure(shop_house, shop, [case], who=AGENT, trials=1)
    [trial] = found.trials
    assert (trial.broken, [str(one) for one in trial.state]) == (None, [])
    assert [who for who, _ in trial.said] == ["agent", "customer", "agent", "customer", "agent", "customer"]
    assert "[A card to press yes or no on: " in trial.said[2][1]
    assert (trial.untold, found.as_json()["passed"]) == ([], [1.0])


def test_a_trial_that_leaves_the_shop_as_it_was_does_not(
    llm: LlmServer, shop_house: House, shop: Shop, case: Case
) -> None:
    for _ in range(2):
        llm.add(Say("Hello."), Say("###STOP###"), to="customer")
        llm.add(Say("Hello, what can I do?"), to="agent")
    found = live.measure(shop_house, shop, [case], who=AGENT, trials=2).as_json()
    assert (found["tasks"], found["trials"], found["passed"]) == (1, 2, [0.0, 0.0])
    assert {one["path"].rsplit("/", 1)[1] for one in found["failed"][0]["differences"]} == {
        "status", "payment_history", "cancel_reason"
    }  # fmt: skip


def test_pass_k_and_cost_are_told(case: Case) -> None:
    trials = [live.Trial(case, agent_micros=1_500_000), live.Trial(case, untold=["x"], customer_micros=None)]
    figures = live.Live(AGENT, trials).as_json()
    assert figures["passed"] == [0.5, 0.0]
    assert figures["cost_usd"] == {"agents": 1.5, "customer": None}
