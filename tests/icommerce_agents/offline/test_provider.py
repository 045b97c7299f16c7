"""The offline model through LiteLLM and through the agents SDK, streamed and not, with real tool loops."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.icommerce_agents.offline.fake_shop import FakeShop, tools_of

MODEL = "icommerce/offline"
TENTS = [{"role": "user", "content": "I'm looking for a tent under $300"}]


@pytest.fixture(scope="module")
def litellm() -> Any:
    from icommerce_agents.offline import provider

    provider.register()
    provider.register()
    import litellm as module

    return module


def test_register_is_idempotent(litellm):
    assert [item["provider"] for item in litellm.custom_provider_map].count("icommerce") == 1


def test_completion_calls_a_tool(litellm):
    response = litellm.completion(model=MODEL, messages=TENTS, tools=tools_of("commerce"))
    choice = response.choices[0]
    assert choice.finish_reason == "tool_calls"
    call = choice.message.tool_calls[0]
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "search_products",
        {"query": "tent", "max_price": 300},
    )
    assert response.usage.prompt_tokens > 50
    assert response.usage.total_tokens == response.usage.prompt_tokens + response.usage.completion_tokens


def test_async_completion_says_words(litellm):
    response = asyncio.run(litellm.acompletion(model=MODEL, messages=[{"role": "user", "content": "hello"}]))
    assert response.choices[0].finish_reason == "stop"
    assert "looking for" in response.choices[0].message.content
    assert response.choices[0].message.tool_calls is None


def test_routing_answers_json(litellm):
    schema = {
        "type": "object",
        "properties": {
            "agent": {"type": "string", "enum": ["commerce", "customer_service", "operations", "none"]},
            "reason": {"type": "string"},
        },
        "required": ["agent", "reason"],
    }
    response = litellm.completion(
        model=MODEL,
        messages=[{"role": "user", "content": "where is my order?"}],
        response_format={"type": "json_schema", "json_schema": {"name": "route", "schema": schema}},
    )
    assert json.loads(response.choices[0].message.content)["agent"] == "customer_service"


def test_streaming_comes_in_small_pieces_with_usage(litellm):
    stream = litellm.completion(
        model=MODEL,
        messages=[{"role": "user", "content": "what can you do?"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    texts = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    whole = (
        litellm.completion(model=MODEL, messages=[{"role": "user", "content": "what can you do?"}])
        .choices[0]
        .message.content
    )
    assert len(texts) > 4
    assert [len(text.split()) for text in texts[:2]] == [3, 8]
    assert "".join(texts) == whole
    assert any(getattr(c, "usage", None) and c.usage.completion_tokens > 10 for c in chunks)


def test_parallel_calls_stream_with_their_own_index(litellm):
    messages = [{"role": "user", "content": "do you have tents and what's your return policy?"}]

    async def collect() -> list[Any]:
        stream = await litellm.acompletion(model=MODEL, messages=messages, tools=tools_of("commerce"), stream=True)
        return [chunk async for chunk in stream]

    chunks = asyncio.run(collect())
    calls = [call for c in chunks for call in (c.choices[0].delta.tool_calls or [])]
    assert [(call.index, call.function.name) for call in calls] == [(0, "search_products"), (1, "get_shop_info")]
    assert len({call.id for call in calls}) == 2
    assert [c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason] == ["tool_calls"]


def _agent(shop: FakeShop, ran: list[str]) -> Any:
    from agents import Agent, FunctionTool, ModelSettings
    from agents.extensions.models.litellm_model import LitellmModel

    def make(schema: dict[str, Any]) -> FunctionTool:
        function = schema["function"]

        async def invoke(_context: Any, raw: str) -> str:
            ran.append(function["name"])
            return shop.run(function["name"], json.loads(raw or "{}"))

        return FunctionTool(
            name=function["name"],
            description=function["description"],
            params_json_schema=function["parameters"],
            on_invoke_tool=invoke,
            strict_json_schema=False,
        )

    tools = [
        make(schema) for schema in tools_of("commerce") if not schema["function"]["name"].startswith("transfer_to_")
    ]
    return Agent(
        name="commerce",
        instructions="Sell.",
        model=LitellmModel(MODEL),
        model_settings=ModelSettings(include_usage=True),
        tools=tools,
    )


def test_agent_run_streamed_from_search_to_card(litellm):
    from agents import Runner, set_tracing_disabled

    set_tracing_disabled(disabled=True)
    shop, ran = FakeShop(), []
    agent = _agent(shop, ran)

    async def talk(items: list[Any], text: str) -> tuple[list[Any], str, int]:
        result = Runner.run_streamed(agent, [*items, {"role": "user", "content": text}])
        deltas = 0
        async for event in result.stream_events():
            deltas += event.type == "raw_response_event" and event.data.type == "response.output_text.delta"
        assert result.context_wrapper.usage.total_tokens > 0
        return result.to_input_list(), str(result.final_output), deltas

    async def story() -> tuple[str, int]:
        items: list[Any] = []
        for text in (
            "show me tents",
            "add the second one and tell me your return policy",
            "check out: Jane Doe, jane@example.com, 12 Pine St, Portland, OR 97204",
        ):
            items, answer, deltas = await talk(items, text)
        return answer, deltas

    answer, deltas = asyncio.run(story())
    assert ran[:3] == ["search_products", "add_to_cart", "get_shop_info"]
    assert ran[-1] == "request_confirmation"
    assert shop.card
    assert "press" in answer.lower()
    assert deltas > 5
