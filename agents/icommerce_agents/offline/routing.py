"""The supervisor's question: which agent takes this message. Answered as JSON for the schema it came with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from icommerce_agents.offline import lexicon, scene
from icommerce_agents.offline.asks import Ask, understand
from icommerce_agents.offline.deciding import ABILITY
from icommerce_agents.offline.dialogue import Dialogue, Json
from icommerce_agents.offline.script import specialist

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
    """Agent, reason and whatever else the schema requires; ``tasks`` has one per agent that is needed."""
    stage = scene.build(heard)
    asks = understand(stage) if heard.text else []
    active = next(iter(heard.briefing.get("active_agent", ())), "").strip().lower()
    known: Json = schema.get("properties") or {}
    inner = _inner(schema)
    parts = _parts(asks, active, staff=stage.staff)
    tasks = [
        {"agent": _allowed(part.agent, active, _choices(inner, schema)), "about": part.about or heard.text[:200]}
        for part in parts
    ]
    agent = _allowed(parts[0].agent, active, _choices(schema, schema))
    answer: Json = {
        "tasks": [{key: task[key] for key in (inner.get("properties") or task) if key in task} for task in tasks],
        "agent": agent,
        "reason": parts[0].why,
        "confidence": 0.9 if parts[0].sure else 0.5,
    }
    kept = {key: value for key, value in answer.items() if key in known}
    return kept | {key: _blank(known.get(key) or {}) for key in schema.get("required") or () if key not in kept}


@dataclass(frozen=True, slots=True)
class Part:
    """What one agent has to do with the message. ``about`` is its clauses, nothing where it is the whole message."""

    agent: str
    sure: bool
    why: str
    about: str = ""


def _parts(asks: list[Ask], active: str, *, staff: bool) -> list[Part]:
    """One part per agent, in the order said; a single one where one agent can answer all."""
    sticky = active if active in {_COMMERCE, _SERVICE} or (active == _OPERATIONS and staff) else _COMMERCE
    if not asks:
        return [Part("none", sure=False, why="there is no message")]
    found: dict[str, list[Ask]] = {}
    for ask in asks:
        agent = _home(ask.intent)
        if agent and (agent != _OPERATIONS or staff) and (ask.sure or not active):
            found.setdefault(agent, []).append(ask)
    if not found:
        why = f"{asks[0].intent.replace('_', ' ')}: stays where the conversation is"
        return [Part(sticky, sure=False, why=why)]
    alone = len(found) == 1
    return [_part(agent, mine, alone=alone) for agent, mine in found.items()]


def _part(agent: str, asks: list[Ask], *, alone: bool) -> Part:
    told = " and ".join(dict.fromkeys(ask.intent.replace("_", " ") for ask in asks))
    about = "" if alone else "; ".join(dict.fromkeys(ask.typed for ask in asks))
    return Part(agent, asks[0].sure, f"the message is about {told}", about[:200])


def _allowed(agent: str, active: str, allowed: list[str]) -> str:
    if not allowed or agent in allowed:
        return agent
    return active if active in allowed else _COMMERCE if _COMMERCE in allowed else allowed[0]


def _home(intent: str) -> str | None:
    """The agent whose work an intent is; ``None`` for what any agent can answer."""
    found = next((agent for agent, intents in lexicon.table("agents").items() if intent in intents), None)
    return found or (specialist(ABILITY[intent]) if intent in ABILITY else None)


def _inner(schema: Json) -> Json:
    """The schema of one task."""
    return _named((schema.get("properties") or {}).get("tasks", {}).get("items") or {}, schema)


def _named(field: Json, whole: Json) -> Json:
    if "$ref" in field:
        found: Json = (whole.get("$defs") or {}).get(str(field["$ref"]).rsplit("/", 1)[-1]) or {}
        return found
    return field


def _choices(schema: Json, whole: Json) -> list[str]:
    field = _named((schema.get("properties") or {}).get("agent") or {}, whole)
    return [str(choice) for choice in field.get("enum") or ()]


def _blank(field: Json) -> object:
    if field.get("enum"):
        return field["enum"][0]
    blanks: dict[str, object] = {"string": "", "number": 0.5, "integer": 0, "boolean": False, "array": [], "object": {}}
    return blanks.get(str(field.get("type")))
