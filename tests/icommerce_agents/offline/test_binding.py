"""Tools are known by what they say: as they are, under other names, and where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from evals.offline.world import Names, read
from icommerce_agents.offline.assigning import best_pairs
from icommerce_agents.offline.binding import bind, choices
from icommerce_agents.offline.dialogue import read as read_messages
from tools.spec import AgentName, tools_for


@pytest.mark.parametrize("agent", list(AgentName))
def test_every_tool_of_the_house_is_the_ability_of_its_name(agent):
    binding = bind(Names().tools(agent))
    assert {tool: bound.ability for tool, bound in binding.by_tool.items()} == {
        tool["function"]["name"]: tool["function"]["name"] for tool in Names().tools(agent)
    }
    for spec in tools_for(agent):
        slots = binding.by_tool[spec.name].slots
        assert {name: slot.to.name for name, slot in slots.items()} == {name: name for name in slots}
        assert set(spec.schema().get("required", ())) <= set(slots)


@pytest.mark.parametrize("agent", list(AgentName))
def test_most_tools_are_known_under_other_names(agent):
    own = {row["name"]: name for name, row in read("renamed").items()}
    tools = Names(renamed=True).tools(agent)
    binding = bind(tools)
    known = [t["function"]["name"] for t in tools]
    right = [n for n in known if n in binding.by_tool and binding.by_tool[n].ability == own[n]]
    assert len(right) >= 0.9 * len(known), sorted(set(known) - set(right))


def test_a_tool_like_no_ability_is_left_alone():
    tool = {"name": "feed_the_fish", "description": "Drops food into the aquarium of the office.", "parameters": {}}
    binding = bind([tool])
    assert not binding.by_tool
    assert [loose.tool for loose in binding.loose] == ["feed_the_fish"]


def test_calls_are_heard_and_spoken_in_the_tools_own_names():
    binding = bind(Names(renamed=True).tools("customer_service"))
    given = {"purchase": "SP-1", "rows": [{"row_ref": "orl_1", "pieces": 2}]}
    meant = {"order": "SP-1", "lines": [{"line_id": "orl_1", "quantity": 2}]}
    assert binding.heard("purchase_withdraw", given) == ("quote_cancel", meant)
    assert binding.spoken("quote_cancel", meant) == ("purchase_withdraw", given)


def test_a_result_of_a_tool_that_is_not_listed_is_known_by_its_shape():
    call = {"id": "c", "type": "function", "function": {"name": "what_lies_there", "arguments": "{}"}}
    said = '{"ok": true, "result": {"lines": [], "item_count": 0, "total": "$0.00"}}'
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": said},
    ]
    [result] = read_messages(messages).turn
    assert result.call.name == "view_cart"


def test_codes_are_read_from_the_schema_or_its_description():
    known = bind(Names().tools("customer_service")).by_ability
    assert choices(known["quote_return"].slots["refund_to"].to) == ["original", "store_credit"]
    assert choices(known["quote_cancel"].slots["reason"].to)[:2] == ["no_longer_needed", "ordered_by_mistake"]


def test_pairs_have_the_greatest_sum():
    assert best_pairs(np.array([[1.0, 0.9], [0.9, 0.1]])) == [(0, 1), (1, 0)]
    assert best_pairs(np.array([[0.2, 0.9, 0.1], [0.1, 0.8, 0.7]])) == [(0, 1), (1, 2)]
    assert best_pairs(np.array([[0.1], [0.5]])) == [(1, 0)]
    assert best_pairs(np.zeros((0, 3))) == []
