import asyncio
import copy
from functools import wraps
from types import SimpleNamespace

import pytest
from agents import FunctionTool, ModelSettings, RunContextWrapper
from agents.exceptions import UserError
from agents.models.interface import ModelTracing
from agents.util._json import _to_dump_compatible

from icommerce_agents import lean, models
from icommerce_agents.build import sdk_agent
from icommerce_agents.registry import AGENTS
from tools.spec import AgentName

MESSAGES = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hello"}]


def on_a_loop(test):
    @wraps(test)
    def run(**given):
        asyncio.run(test(**given))

    return run


@pytest.fixture(scope="module")
def litellm():
    return models.ready(models.OFFLINE)


@pytest.fixture(params=list(AGENTS))
def agent(request, litellm):
    return sdk_agent(request.param, models.OFFLINE)


def run_of(*, staff, closed=frozenset()):
    tools = SimpleNamespace(identity=SimpleNamespace(is_staff=staff))
    return RunContextWrapper(SimpleNamespace(tools=tools, closed=closed))


def test_an_agents_signature_is_what_the_sdk_says(agent):
    from agents import run_state

    signature = run_state._agent_identity_signature
    assert [signature(agent), signature(agent)] == [signature.__wrapped__(agent)] * 2


@pytest.mark.parametrize("name", ["get_function_tool_lookup_key_for_tool", "get_function_tool_lookup_keys"])
def test_a_tools_keys_are_what_the_sdk_says(agent, name):
    from agents import _tool_identity

    keys = getattr(_tool_identity, name)
    assert agent.tools
    for tool in agent.tools:
        assert [keys(tool), keys(tool)] == [keys.__wrapped__(tool)] * 2


def test_what_nobody_said_stands_is_looked_at_every_time(agent):
    from agents import _tool_identity, run_state

    another = agent.clone(name="somebody else")
    assert run_state._agent_identity_signature(another) == run_state._agent_identity_signature.__wrapped__(another)
    tool = a_tool("one")
    assert _tool_identity.get_function_tool_lookup_keys(tool) == (("bare", "one"),)
    tool.name = "two"
    assert _tool_identity.get_function_tool_lookup_keys(tool) == (("bare", "two"),)


def test_tools_that_cannot_be_told_apart_are_refused_each_time(litellm):
    from agents import _tool_identity

    one, other = lean.standing(a_tool("same")), lean.standing(a_tool("same"))
    one._tool_namespace = other._tool_namespace = "shop"
    for _ in range(2):
        with pytest.raises(UserError, match="Ambiguous"):
            _tool_identity.validate_function_tool_lookup_configuration([one, other])
        _tool_identity.validate_function_tool_lookup_configuration([one])


@pytest.mark.parametrize("staff", [False, True])
@on_a_loop
async def test_the_tools_of_a_run_are_those_the_sdk_offers(agent, staff):
    from agents import Agent
    from agents.run_internal import tool_execution

    run = run_of(staff=staff, closed=frozenset({AgentName.OPERATIONS}))
    theirs = await Agent.get_all_tools(agent, run)
    assert [tool.name for tool in await agent.get_all_tools(run)] == [tool.name for tool in theirs]
    enabled = tool_execution.resolve_enabled_function_tools
    assert await enabled(agent, run) == await enabled.__wrapped__(agent, run)


def test_a_plain_copy_is_the_sdks_and_shares_nothing():
    given = {"a": [1, 2.5, None, True, "x", {"b": ("c", iter("de"))}], "f": {"g": {}}}
    wanted = {"a": [1, 2.5, None, True, "x", {"b": ["c", ["d", "e"]]}], "f": {"g": {}}}
    assert _to_dump_compatible(copy.deepcopy(given)) == wanted
    made = lean.plain_copy(given)
    assert made == wanted
    made["a"][5]["b"].append("more")
    made["f"]["g"]["h"] = 1
    assert len(given["a"][5]["b"]) == 2
    assert given["f"] == {"g": {}}


def test_the_sdk_copies_with_it(litellm):
    from agents import items
    from agents.extensions.models import litellm_model

    assert litellm_model._to_dump_compatible is lean.plain_copy
    assert items._to_dump_compatible is lean.plain_copy


@on_a_loop
async def test_a_stream_ends_with_its_usage_and_is_closed(litellm):
    events = [event async for event in streamed(models.model(models.OFFLINE))]
    assert events[-1].type == "response.completed"
    assert events[-1].response.usage.input_tokens > 0
    closed = []

    async def chunks():
        try:
            for usage in (None, 7, None):
                yield SimpleNamespace(usage=usage)
        finally:
            closed.append(True)

    assert [chunk.usage async for chunk in lean.until_usage(chunks())] == [None, 7]
    assert closed == [True]


@on_a_loop
async def test_litellm_prices_nothing_while_nobody_listens(litellm, monkeypatch):
    from litellm import cost_calculator

    def never(*_args, **_kwargs):
        raise AssertionError("priced")

    monkeypatch.setattr("litellm.litellm_core_utils.litellm_logging.Logging.response_cost_calculator", never)
    monkeypatch.setattr("litellm.litellm_core_utils.litellm_logging.Logging.async_success_handler", never)
    assert callable(cost_calculator.completion_cost)
    answer = await litellm.acompletion(model=models.OFFLINE, messages=MESSAGES)
    assert answer.choices[0].message.content
    assert [event.type async for event in streamed(models.model(models.OFFLINE))][-1] == "response.completed"


@on_a_loop
async def test_a_listener_hears_of_every_call(litellm, monkeypatch):
    from litellm.integrations.custom_logger import CustomLogger

    heard = asyncio.Queue()

    class Listener(CustomLogger):
        async def async_log_success_event(self, kwargs, **_more):
            if kwargs["messages"][-1]["content"] == "heard here":  # a call of another test may be told late
                await heard.put(kwargs["stream"])

    monkeypatch.setattr(litellm, "callbacks", [Listener()])
    said = [{"role": "user", "content": "heard here"}]
    await litellm.acompletion(model=models.OFFLINE, messages=said)
    assert not await asyncio.wait_for(heard.get(), 60)
    async for _event in streamed(models.model(models.OFFLINE), "heard here"):
        pass
    assert await asyncio.wait_for(heard.get(), 60) is True


def streamed(model, words="hello"):
    asked = ("Be kind.", words, ModelSettings(include_usage=True), [], None, [], ModelTracing.DISABLED)
    return model.stream_response(*asked, previous_response_id=None, conversation_id=None, prompt=None)


def a_tool(name):
    async def invoke(_call, _raw):
        return ""

    return FunctionTool(name=name, description="", params_json_schema={}, on_invoke_tool=invoke)
