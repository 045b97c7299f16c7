"""The supervisor's question: which agent takes this message. Answered as JSON for the schema it came with."""

from __future__ import annotations

from typing import Any

from icommerce_agents.offline import lexicon, scene
from icommerce_agents.offline.asks import Ask, understand
from icommerce_agents.offline.dialogue import Dialogue, Json

_COMMERCE = "commerce"
_SERVICE = "customer_service"
_OPERATIONS = "operations"


def schema_of(response_format: dict[str, Any] | None) -> Json | None:
    """The JSON schema of a structured answer, in whichever shape it was asked for."""
    if not response_format or response_format.get("type") not in {"json_schema", "json_object"}:
        return None
    wrapped = response_format.get("json_schema") or {}
    found = wrapped.get("schema") or response_format.get("schema") or wrapped
    return (
        dict(found)
        if found.get("properties")
        else {"properties": {"agent": {}, "reason": {"type": "string"}}, "required": ["agent", "reason"]}
    )


def decide(heard: Dialogue, schema: Json) -> Json:
    """Agent, reason and whatever else the schema requires."""
    stage = scene.build(heard)
    asks = understand(stage) if heard.text else []
    active = next(iter(heard.briefing.get("active_agent", ())), "").strip().lower()
    agent, sure, why = _agent(asks, active, staff=stage.staff)
    allowed = _choices(schema)
    if allowed and agent not in allowed:
        agent = active if active in allowed else _COMMERCE if _COMMERCE in allowed else allowed[0]
    answer: Json = {"agent": agent, "reason": why, "confidence": 0.9 if sure else 0.5}
    known: Json = schema.get("properties") or {}
    if "tasks" in known:
        answer["tasks"] = [{"agent": agent, "about": heard.text}]
    kept = {key: value for key, value in answer.items() if key in known}
    return kept | {key: _blank(known.get(key) or {}) for key in schema.get("required") or () if key not in kept}


def _agent(asks: list[Ask], active: str, *, staff: bool) -> tuple[str, bool, str]:
    sticky = active if active in {_COMMERCE, _SERVICE} or (active == _OPERATIONS and staff) else _COMMERCE
    if not asks:
        return "none", False, "there is no message"
    for ask in asks:
        agent = _home(ask.intent)
        if agent == _OPERATIONS and not staff:
            continue
        if agent and (ask.sure or not active):
            return agent, ask.sure, f"the message is about {ask.intent.replace('_', ' ')}"
    return sticky, False, f"{asks[0].intent.replace('_', ' ')}: stays where the conversation is"


def _home(intent: str) -> str | None:
    """The agent whose work an intent is; ``None`` for what any agent can answer."""
    return next((agent for agent, intents in lexicon.table("agents").items() if intent in intents), None)


def _choices(schema: Json) -> list[str]:
    known = schema.get("properties") or {}
    each = ((known.get("tasks") or {}).get("items") or {}).get("properties") or {}
    field = known.get("agent") or each.get("agent") or {}
    if "$ref" in field:
        field = (schema.get("$defs") or {}).get(str(field["$ref"]).rsplit("/", 1)[-1]) or {}
    return [str(choice) for choice in field.get("enum") or ()]


def _blank(field: Json) -> object:
    if field.get("enum"):
        return field["enum"][0]
    blanks: dict[str, object] = {"string": "", "number": 0.5, "integer": 0, "boolean": False, "array": [], "object": {}}
    return blanks.get(str(field.get("type")))
