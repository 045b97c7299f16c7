"""The supervisor's routing question, answered as JSON for its schema."""

from __future__ import annotations

import json

import pytest

from icommerce_agents.offline.brain import reply

SCHEMA = {
    "type": "object",
    "properties": {
        "agent": {"type": "string", "enum": ["commerce", "customer_service", "operations", "none"]},
        "reason": {"type": "string"},
    },
    "required": ["agent", "reason"],
    "additionalProperties": False,
}


def route(words, *, active="none", staff=False, schema=SCHEMA, said=None):
    state = {"role": "system", "content": f"active_agent: {active}\nstaff: {'true' if staff else 'false'}"}
    before = [{"role": "assistant", "content": said}] if said else []
    messages = [state, *before, {"role": "user", "content": words}]
    answer = reply(messages, [], {"type": "json_schema", "json_schema": {"name": "route", "schema": schema}})
    assert answer.tool_calls == ()
    return json.loads(answer.text)


@pytest.mark.parametrize(
    ("words", "active", "staff", "agent"),
    [
        ("show me tents", "none", False, "commerce"),
        ("where is my order?", "none", False, "customer_service"),
        ("where is my order?", "commerce", False, "customer_service"),
        ("add it to my cart", "customer_service", False, "commerce"),
        ("I want to return my boots", "commerce", False, "customer_service"),
        ("let me talk to a person", "commerce", False, "customer_service"),
        ("hello", "none", False, "commerce"),
        ("thanks", "customer_service", False, "customer_service"),
        ("yes", "customer_service", False, "customer_service"),
        ("yes", "commerce", False, "commerce"),
        ("the second one", "commerce", False, "commerce"),
        ("what's your return policy?", "customer_service", False, "customer_service"),
        ("stock by location for the Ridgeline tent", "none", True, "operations"),
        ("stock by location for the Ridgeline tent", "none", False, "commerce"),
        ("Jane Doe, 12 Pine St, Portland, OR 97204", "commerce", False, "commerce"),
        ("pay now", "commerce", False, "commerce"),
    ],
)
def test_route(words, active, staff, agent):
    assert route(words, active=active, staff=staff)["agent"] == agent


def test_an_order_number_answers_who_asked():
    assert (
        route("jane@example.com", active="customer_service", said="What e-mail was used for that order number?")[
            "agent"
        ]
        == "customer_service"
    )


def test_answers_have_what_the_schema_requires_and_no_more():
    assert set(route("hi")) == {"agent", "reason"}
    wide = SCHEMA | {
        "properties": SCHEMA["properties"] | {"confidence": {"type": "number"}},
        "required": ["agent", "reason", "confidence"],
    }
    assert 0 < route("hi", schema=wide)["confidence"] <= 1


def test_a_choice_outside_the_schema_is_not_given():
    narrow = SCHEMA | {"properties": {"agent": {"enum": ["commerce"]}, "reason": {"type": "string"}}}
    assert route("where is my order?", schema=narrow)["agent"] == "commerce"
