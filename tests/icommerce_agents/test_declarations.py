"""The agents as declared, and the rules no model decides."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from icommerce_agents.adapter import RESULT_LIMIT, card_message_id, fence
from icommerce_agents.models import model_name
from icommerce_agents.registry import AGENTS, allowed
from prompts import phrase, prompt
from tools.spec import AgentName, Card

FORBIDDEN = re.compile(r"approve|confirm(?!ation)|capture|charge|pay_|complete", re.IGNORECASE)


def test_every_agent_is_registered_and_has_a_prompt() -> None:
    assert set(AGENTS) == set(AgentName)
    for spec in AGENTS.values():
        assert spec.prompt.version >= 1
        assert spec.tools
        assert spec.name not in spec.transfers


@pytest.mark.parametrize("agent", list(AgentName))
def test_no_agent_holds_a_tool_that_confirms_or_captures(agent: AgentName) -> None:
    assert [tool.name for tool in AGENTS[agent].tools if FORBIDDEN.search(tool.name)] == []


def test_operations_is_for_staff() -> None:
    assert [name for name in AgentName if allowed(name, staff=False)] == [
        AgentName.COMMERCE,
        AgentName.CUSTOMER_SERVICE,
    ]
    assert all(allowed(name, staff=True) for name in AgentName)


def test_prompts_carry_their_policies() -> None:
    assert "Only the shopper's press on a card pays," in prompt("commerce").text
    with pytest.raises(FileNotFoundError):
        prompt("nobody")
    with pytest.raises(KeyError):
        phrase("nothing")


def test_a_model_may_be_named_for_all_or_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ICOMMERCE_MODEL", raising=False)
    assert model_name("commerce") == "icommerce/offline"
    monkeypatch.setenv("ICOMMERCE_MODEL", "openai/gpt-x")
    monkeypatch.setenv("ICOMMERCE_MODEL_SUPERVISOR", "openai/gpt-x-mini")
    assert (model_name("commerce"), model_name("supervisor")) == ("openai/gpt-x", "openai/gpt-x-mini")


def test_long_results_are_cut_and_stay_json() -> None:
    answer = {"ok": True, "result": {"items": [{"id": number, "text": "x" * 900} for number in range(50)]}}
    text = fence(answer)
    assert len(text) <= RESULT_LIMIT
    assert [item["id"] for item in json.loads(text)["result"]["items"]] == list(range(8))
    assert json.loads(fence({"ok": True, "result": {"text": "x" * 20_000}}))["result"]["note"]


def test_card_messages_are_one_per_key_and_run_but_payment_cards_are_one_for_all() -> None:
    run = "run_06gzrj3de0tnh3vtk19gppxj4x"
    assert card_message_id(Card("cart", {}, key="cart"), run) == "cart-06gzrj3de0tnh3vtk19gppxj4x"
    assert card_message_id(Card("confirmation", {}, key="cnf_1"), run) == "cnf_1"
    assert card_message_id(Card("products", {}), run) != card_message_id(Card("products", {}), run)
    longest = card_message_id(Card("order_timeline", {}, key="ord_06gzrj3de0tnh3vtk19gppxj4x"), run)
    assert len(longest) <= 60


def test_engine_and_tools_import_no_model() -> None:
    code = (
        "import sys, tools.spec; tools.spec.load(); import engine.conversations.deliver, icommerce_agents.registry;"
        "print([m for m in ('litellm', 'agents', 'langgraph', 'openai') if m in sys.modules])"
    )
    root = Path(__file__).parents[2]
    env = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{root / 'agents'}"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.strip() == "[]"
