"""What the shop's people ask of the exchange with other systems, without a model."""

from __future__ import annotations

import pytest

from evals.offline.world import Names, World, scene
from tests.icommerce_agents.offline.test_routing import route

RUN = "tnt_1:shopifyToNetsuite:1071"


class Exchange(World):
    """An order that waits at the ERP."""

    def _explain_run(self, _given):
        words = ["shopifyToNetsuite waits at its step “sales order”.", "NetSuite answered 503."]
        return {"run_id": RUN, "subject": "order #1071", "words": words, "acts": ["cancel_run"]}


def talk(*turns):
    made = scene("staff", Exchange(), Names())
    for words in turns:
        made.say(words)
    return made.calls, made.said


@pytest.mark.parametrize(
    "words",
    [
        "why is order 1071 stuck at the ERP",
        "Why is order #1071 stuck at the ERP?",
        "why did order 1071 fail in NetSuite?",
    ],
)
def test_why_an_order_is_stuck_at_the_erp(words):
    calls, said = talk(words)
    assert said == "shopifyToNetsuite waits at its step “sales order”. NetSuite answered 503."
    assert [(name, given["about"].lstrip("#")) for name, given in calls] == [("explain_run", "1071")]


def test_retry_it():
    calls, said = talk("why is order 1071 stuck at the ERP", "retry it")
    assert said
    assert calls == [("retry_run", {"about": RUN})]


@pytest.mark.parametrize(
    ("words", "tool"),
    [
        ("retry order 1071", "retry_run"),
        ("which runs stopped?", "list_stopped_runs"),
        ("how do the connections to other systems stand?", "pipeline_state"),
        ("which orders are stuck?", "list_stuck_orders"),
    ],
)
def test_the_rest_of_it(words, tool):
    calls, _ = talk(words)
    assert [name for name, _ in calls] == [tool]


def test_it_is_work_of_operations_and_for_staff_alone():
    asked = "why is order 1071 stuck at the ERP"
    assert route(asked, staff=True)["agent"] == "operations"
    assert route(asked)["agent"] != "operations"
    assert route("retry it", active="operations", staff=True)["agent"] == "operations"
