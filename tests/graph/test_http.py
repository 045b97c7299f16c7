"""A model behind real HTTP: what streams, what breaks, and what the shopper gets then."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import litellm
import pytest

from engine.kit.identity import Actor, Identity, Scope
from icommerce_agents import attempts
from icommerce_agents.arguments import LIMIT
from prompts import phrase
from tests.graph.conftest import Running, Talk
from tests.llm_server import KEY, LlmServer, Raw, Reset, Stall, Status, Tokens
from tests.scripted import Call, Say

FAILED = "The assistant could not answer just now. Please try again."


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited between attempts; nobody really does."""
    made: list[float] = []

    async def wait(seconds: float) -> None:
        made.append(seconds)

    monkeypatch.setattr(attempts, "wait", wait)
    return made


def _go(talk: Talk, running: Running, *messages: str) -> list[Any]:
    async def go() -> list[Any]:
        async with running(talk):
            return [await talk.say(message) for message in messages]

    return asyncio.run(go())


def _staff(talk: Talk) -> Identity:
    return Identity(talk.shop.tenant.id, Actor.API_KEY, "key_staff", scopes=frozenset({Scope.OPS}))


def _by_model(talk: Talk, run_id: str) -> list[tuple[str, str, int]]:
    """Part, model and requests, as staff see a run's account."""
    from engine.conversations import service

    with talk.shop.uow() as session:
        usage = service.run_view(session, _staff(talk), talk.thread_id, run_id).usage
    return [(entry["part"], entry["model"], entry["requests"]) for entry in usage["models"]]


def _errors(talk: Talk) -> list[tuple[str, str]]:
    return [(event["code"], event["message"]) for event in talk.events() if event["type"] == "RUN_ERROR"]


def test_words_and_calls_come_over_the_wire_as_from_any_model(distant: Talk, llm: LlmServer, running: Running) -> None:
    variant = distant.shop.add("LAMP", search_strong="lamp")
    llm.add(
        [Say("Let me look."), Call("search_products", {"query": "lamp", "limit": 5}), Call("list_categories")],
        Call("add_to_cart", {"item_id": variant, "quantity": 2}),
        Say("Two lamps are in your cart."),
    )
    [view] = _go(distant, running, "two lamps please")
    assert (view.status, view.agent_path) == ("completed", ["commerce"])
    assert [call["name"] for call in view.tool_calls] == ["search_products", "list_categories", "add_to_cart"]
    assert distant.texts() == ["Let me look.", "Two lamps are in your cart."]
    assert [line.quantity for line in distant.snapshot().cart.lines] == [2]
    assert [body["stream"] for body in llm.asked] == [True] * 3
    assert {headers["authorization"] for headers in llm.headers} == {f"Bearer {KEY}"}


def test_what_a_run_took_is_counted_by_part_and_model(
    distant: Talk, llm: LlmServer, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ICOMMERCE_MODEL_SUPERVISOR", "openai/scripted-mini")
    price = {"input_cost_per_token": 2e-6, "output_cost_per_token": 8e-6, "cache_read_input_token_cost": 1e-6}
    monkeypatch.setitem(litellm.model_cost, "openai/scripted", price | {"litellm_provider": "openai", "mode": "chat"})
    llm.tokens = Tokens(input=1_000, output=100, cached=600)
    llm.add(Call("list_categories"), Say("Nothing yet."))
    [view] = _go(distant, running, "what is there?")
    assert view.usage == {
        "requests": 3, "input_tokens": 3_000, "output_tokens": 300, "cached_tokens": 1_800,
        "cost_micros": 2 * (400 * 2 + 600 * 1 + 100 * 8),
    }  # fmt: skip
    assert _by_model(distant, view.id) == [
        ("supervisor", "openai/scripted-mini", 1), ("commerce", "openai/scripted", 2),
    ]  # fmt: skip
    assert llm.routed[0]["model"] == "scripted-mini"


def test_the_part_of_the_prompt_that_never_changes_stands_first(
    distant: Talk, llm: LlmServer, running: Running
) -> None:
    llm.add(Say("One."), Say("Two."))
    _go(distant, running, "first", "second")
    first, second = llm.asked
    assert first["tools"] == second["tools"]
    assert [tool["function"]["name"] for tool in first["tools"]] == sorted(
        (tool["function"]["name"] for tool in first["tools"]), key=lambda name: (name.startswith("transfer_to"), name)
    )
    roles = [message["role"] for message in second["messages"]]
    assert roles == ["system", "system", "user", "assistant", "system", "user"]
    assert second["messages"][:2] == first["messages"][:2]
    assert "within 30 days" in second["messages"][1]["content"]
    assert second["messages"][4]["content"].startswith("shop:")


@pytest.mark.parametrize("broken", [Status(429, retry_after=3), Status(500), Status(503), Reset()])
def test_what_passes_is_asked_again(
    distant: Talk, llm: LlmServer, running: Running, waits: list[float], broken: Any
) -> None:
    llm.routes = [broken]
    llm.add(broken, Say("Here."))
    [view] = _go(distant, running, "hello")
    assert (view.status, distant.texts(), len(llm.asked), len(llm.routed)) == ("completed", ["Here."], 2, 2)
    expected = [3, 3] if broken == Status(429, retry_after=3) else [pytest.approx(0.5, rel=0.26)] * 2
    assert waits == expected


def test_after_so_many_times_the_run_fails_in_our_words(
    distant: Talk, llm: LlmServer, running: Running, waits: list[float]
) -> None:
    llm.add(*[Status(500, message="sk-secret-0123456789")] * 3, Say("Here."))
    failed, fine = _go(distant, running, "hello", "hello?")
    assert (failed.status, fine.status) == ("failed", "completed")
    assert _errors(distant) == [("model_error", FAILED)]
    assert waits == [pytest.approx(0.5, rel=0.26), pytest.approx(1.0, rel=0.26)]
    assert "sk-secret" not in json.dumps(distant.events(_staff(distant)))


@pytest.mark.parametrize(
    "broken", [Status(401), Status(404), Status(400, message="context too long"), Status(429, retry_after=60), Stall()]
)
def test_what_does_not_pass_is_asked_of_the_next_model_at_once(
    distant: Talk,
    llm: LlmServer,
    running: Running,
    waits: list[float],
    monkeypatch: pytest.MonkeyPatch,
    broken: Any,
) -> None:
    monkeypatch.setenv("ICOMMERCE_MODEL_FALLBACKS", "openai/second, openai/third")
    monkeypatch.setenv("ICOMMERCE_MODEL_TIMEOUT", "2" if isinstance(broken, Stall) else "60")
    llm.routes = [broken]
    llm.add(broken, to="scripted")
    llm.add(Say("Here."), to="second")
    [view] = _go(distant, running, "hello")
    assert (view.status, distant.texts(), waits) == ("completed", ["Here."], [])
    assert [body["model"] for body in llm.asked] == ["scripted", "second"]
    assert _by_model(distant, view.id) == [("supervisor", "openai/second", 1), ("commerce", "openai/second", 1)]


def test_the_offline_model_may_be_the_last_to_ask(
    distant: Talk, llm: LlmServer, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ICOMMERCE_MODEL_FALLBACKS_COMMERCE", "icommerce/offline")
    llm.add(Status(401))
    [view] = _go(distant, running, "hello")
    assert view.status == "completed"
    assert _by_model(distant, view.id)[1] == ("commerce", "icommerce/offline", 1)
    assert len(distant.texts()) == 1


@pytest.mark.parametrize("broken", [Reset("I have found these"), Stall("I have found these")])
def test_what_was_begun_nobody_says_again(
    distant: Talk,
    llm: LlmServer,
    running: Running,
    waits: list[float],
    monkeypatch: pytest.MonkeyPatch,
    broken: Any,
) -> None:
    """The words stay, the run fails in view, and the shopper may have it tried again."""
    monkeypatch.setenv("ICOMMERCE_MODEL_FALLBACKS", "openai/second")
    monkeypatch.setenv("ICOMMERCE_MODEL_TIMEOUT", "1")
    llm.add(broken, Say("Here they are."))

    async def go() -> list[Any]:
        async with running(distant):
            return [await distant.say("lamps"), await distant.press("retry")]

    failed, fine = asyncio.run(go())
    assert (failed.status, fine.status, waits) == ("failed", "completed", [])
    assert distant.texts() == ["I have found these", "Here they are."]
    assert _errors(distant) == [("model_error", FAILED)]
    starts = [event["messageId"] for event in distant.events() if event["type"] == "TEXT_MESSAGE_START"]
    assert starts == [event["messageId"] for event in distant.events() if event["type"] == "TEXT_MESSAGE_END"]


def test_calls_that_broke_off_are_not_run(distant: Talk, llm: LlmServer, running: Running) -> None:
    """A stream that ends in the middle of a call's arguments, without a word before it, is asked again."""
    head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "scripted"}
    call = {"index": 0, "id": "call_x", "type": "function", "function": {"name": "empty_cart", "arguments": "{"}}
    half = head | {"choices": [{"index": 0, "delta": {"role": "assistant", "tool_calls": [call]}}]}
    llm.add(Raw([half, "{broken"]), Say("Still there."))
    distant.shop.add("LAMP")
    distant.shop.fill(distant.identity, "LAMP", 1)
    [view] = _go(distant, running, "hm")
    assert (view.status, view.tool_calls, distant.texts()) == ("completed", [], ["Still there."])
    assert len(distant.snapshot().cart.lines) == 1


def _tool_messages(llm: LlmServer) -> list[str]:
    return [message["content"] for message in llm.asked[-1]["messages"] if message["role"] == "tool"]


def test_slips_in_arguments_are_mended_on_the_way(distant: Talk, llm: LlmServer, running: Running) -> None:
    distant.shop.add("LAMP", search_strong="lamp")
    llm.add(Call("search_products", "```json\n{'query': 'lamp', 'limit': 5,}\n```"), Say("One lamp."))
    [view] = _go(distant, running, "a lamp")
    assert [call["ok"] for call in view.tool_calls] == [True]
    sent = [m["tool_calls"][0]["function"]["arguments"] for m in llm.asked[-1]["messages"] if m.get("tool_calls")]
    assert [json.loads(text) for text in sent] == [{"query": "lamp", "limit": 5}]


@pytest.mark.parametrize(
    ("arguments", "says"), [('{"query": "la', "not a JSON object"), ('{"query": "' + "x" * LIMIT + '"}', "too long")]
)
def test_unreadable_arguments_are_told_once_and_then_the_turn_ends_in_words(
    distant: Talk, llm: LlmServer, running: Running, arguments: str, says: str
) -> None:
    llm.add(Call("search_products", arguments), Call("search_products", arguments))
    [view] = _go(distant, running, "a lamp")
    assert (view.status, [call["ok"] for call in view.tool_calls]) == ("completed", [False, False])
    assert distant.texts() == [phrase("stuck")]
    assert [says in text for text in _tool_messages(llm)] == [True]
    assert len(json.dumps(llm.asked[-1]["messages"])) < LIMIT
    assert all(len(json.dumps(event)) < LIMIT for event in distant.events(_staff(distant)))


def test_one_mistake_is_forgiven(distant: Talk, llm: LlmServer, running: Running) -> None:
    llm.add(Call("search_products", "lamps!"), Call("pay_now", {}), Call("search_products", {}), Say("Nothing there."))
    [view] = _go(distant, running, "a lamp")
    assert [call["ok"] for call in view.tool_calls] == [False, True]
    assert distant.texts() == ["Nothing there."]


def test_tools_that_do_not_exist_end_the_turn(distant: Talk, llm: LlmServer, running: Running) -> None:
    llm.add(Call("approve_refund", {"amount": 100}), [Call("capture"), Call("confirm_payment")])
    [view] = _go(distant, running, "pay me")
    assert (view.status, view.tool_calls, distant.texts()) == ("completed", [], [phrase("stuck")])
    assert len(llm.asked) == 2


def test_the_same_call_for_ever_ends_in_words(distant: Talk, llm: LlmServer, running: Running) -> None:
    llm.add(*[Call("list_categories")] * 4)
    [view] = _go(distant, running, "categories")
    assert [call["ok"] for call in view.tool_calls] == [True, True, False, False]
    assert distant.texts() == [phrase("stuck")]
    assert json.loads(_tool_messages(llm)[-1])["error"]["code"] == "repeated_call"


def test_a_run_has_a_limit_of_tokens(distant: Talk, llm: LlmServer, running: Running) -> None:
    llm.tokens = Tokens(input=200_000, output=1)
    llm.add(Call("list_categories"))
    [view] = _go(distant, running, "categories")
    assert (view.status, distant.texts()) == ("completed", [phrase("too_long")])


@pytest.mark.parametrize("empty", [Say(""), Raw([])])
def test_an_empty_answer_gets_words_of_ours(distant: Talk, llm: LlmServer, running: Running, empty: Any) -> None:
    llm.add(empty)
    [view] = _go(distant, running, "hm")
    assert (view.status, distant.texts()) == ("completed", [phrase("no_answer")])


def test_a_supervisor_that_says_nothing_of_use_keeps_the_agent(distant: Talk, llm: LlmServer, running: Running) -> None:
    llm.routes = [Say(""), '{"agent": 7}', '{"tasks": [{"agent": "commerce"', "x" * 50_000]
    llm.add(*[Say("Here.")] * 4)
    assert [view.agent_path for view in _go(distant, running, "1", "2", "3", "4")] == [["commerce"]] * 4
