"""Our tools as the SDK calls them: checked arguments, provenance, a thread, a fence, and never an exception."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import psycopg
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from engine.conversations import events, references
from engine.conversations.errors import LeaseLost
from engine.conversations.events import Emitted
from engine.conversations.masking import mask_cards
from engine.conversations.models import Audience
from engine.kit.errors import DomainError, Forbidden
from engine.kit.ids import ids_in
from engine.kit.passing import patiently
from icommerce_agents.arguments import InvalidArguments, call_arguments, read_arguments
from icommerce_agents.context import MAX_TOOL_CALLS, CallRecord, TurnContext
from icommerce_agents.guardrails.evidence import Source
from icommerce_agents.threads import in_thread
from tools import gate, refusals
from tools.spec import Access, Card, Outcome, ToolContext, ToolSpec

RESULT_LIMIT: Final = 12_000
_OWN_KEY: Final = frozenset(
    {
        "confirmation",
        "change",
        "claim_choice",
        "return_cancel",
        "default_address",
        "receipt",
        "payment_problem",
        "change_problem",
        "staff_act",
        "handoff",
    }
)
"""Cards whose key is their message id everywhere; other keyed cards are one per run."""
_STAFF_CARDS: Final = frozenset({"stock", "staff_act"})
_NO_STORE: Final = {
    Access.READ: "The shop's store did not answer. Ask once more; if that does not help, say so.",
    Access.WRITE: "The shop's store did not answer: this may or may not have been done. Look at how things are now"
    " before doing it again.",
}
log = logging.getLogger(__name__)


class UnknownReference(Forbidden):
    """A write tool named an id that nothing in this conversation returned (trust rule 5)."""

    code = "unknown_reference"


async def call_tool(
    spec: ToolSpec, context: TurnContext, call_id: str, raw: str, *, provenance: bool = True
) -> dict[str, Any]:
    """Run one tool call and show it in the log.

    Returns ``{"ok": true, "result": …}`` or ``{"ok": false, "error": {code, message}}``: what the model reads.
    ``provenance`` is off for what the shopper pressed on a card themselves.
    """
    began = time.perf_counter()
    shown_id = logged_call_id(call_id, context.tools.run_id)
    context.sink.emit(events.tool_started(shown_id, spec.name), events.tool_arguments(shown_id, mask_cards(raw)))
    answer, shown = await _answer(spec, context, raw, provenance=provenance)
    read = fence(answer)
    context.evidence.add(Source.RESULT, read)
    took = round((time.perf_counter() - began) * 1000)
    context.calls.append(CallRecord(spec.name, spec.access, ok=answer["ok"], duration_ms=took))
    context.sink.emit(events.tool_ended(shown_id), events.tool_result(shown_id, read))
    context.show(shown)
    return answer


def logged_call_id(call_id: str, run_id: str) -> str:
    """The call's id in the log, unlike any other run's."""
    return f"{call_id}.{run_id[-8:]}"


def model_call_id(logged_id: str) -> str:
    """The id by which the model knows the call."""
    return logged_id.rpartition(".")[0]


def fence(answer: dict[str, Any]) -> str:
    """The answer as JSON text of bounded size: to the model, tool text is data inside it."""
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    if len(text) <= RESULT_LIMIT:
        return text
    for shorter in _shortened(answer):
        text = json.dumps(shorter, ensure_ascii=False, separators=(",", ":"))
        if len(text) <= RESULT_LIMIT:
            return text
    return json.dumps({"ok": answer["ok"], "result": {"note": "Too much to show: ask for less."}})


async def _answer(
    spec: ToolSpec, context: TurnContext, raw: str, *, provenance: bool
) -> tuple[dict[str, Any], list[Emitted]]:
    if len(context.calls) >= MAX_TOOL_CALLS:
        return _refusal("too_many_calls", "No more tool calls in this turn. Answer the shopper now."), []
    try:
        gate.check_person(spec, context.tools.identity)
        arguments = _arguments(spec, context, raw)
        call = f"{spec.name} {arguments.model_dump_json()}"
        if provenance and not context.patience.may_call(call):
            return _refusal("repeated_call", "You have asked exactly this before: use that answer."), []
        if spec.access is Access.WRITE:
            await context.sink.flush()  # so that a restart knows it was begun
        outcome = await in_thread(_run, spec, context.tools, arguments, provenance=provenance)
    except LeaseLost:
        raise
    except DomainError as error:
        return {"ok": False, "error": refusals.told(error)}, []
    except (SQLAlchemyError, psycopg.Error):
        log.exception("the store did not answer tool %s", spec.name)
        return _refusal("service_unavailable", _NO_STORE[spec.access]), []
    except Exception:
        log.exception("tool %s failed", spec.name)
        return _refusal("internal", "The shop could not do that just now."), []
    if spec.access is Access.WRITE:
        context.patience.changed(call)
    return {"ok": True, "result": outcome.result}, cards_of(outcome, context.tools.run_id)


def _arguments(spec: ToolSpec, context: TurnContext, raw: str) -> BaseModel:
    try:
        return read_arguments(spec, raw)
    except InvalidArguments:
        context.patience.mistake(spec.name)
        raise


def _run(spec: ToolSpec, context: ToolContext, arguments: BaseModel, *, provenance: bool) -> Outcome:
    if provenance and spec.access is Access.WRITE:
        _check_provenance(spec, context, arguments.model_dump(mode="json"))
    gate.admit(spec, context)
    call = partial(spec.function, context, **call_arguments(arguments))
    outcome = patiently(call) if spec.access is Access.READ else call()
    _note_references(spec, context, outcome)
    return outcome


def _note_references(spec: ToolSpec, context: ToolContext, outcome: Outcome) -> None:
    """What was done is done: an id that could not be noted is one that has to be looked up again."""
    seen = ids_in(json.dumps(outcome.result))
    if not seen:
        return
    tenant_id = context.identity.tenant_id
    try:
        context.runtime.store.ask(tenant_id, references.recording(tenant_id, context.thread_id, seen))
    except (SQLAlchemyError, psycopg.Error):
        log.exception("ids that tool %s returned were not noted", spec.name)


def _check_provenance(spec: ToolSpec, context: ToolContext, values: dict[str, Any]) -> None:
    named = {found for name in spec.refs for found in ids_in(json.dumps(values[name]))}
    if not named:
        return
    unknown = references.missing(context.runtime, context.identity, context.thread_id, named)
    if unknown:
        raise UnknownReference(
            f"{', '.join(sorted(unknown))} did not come from a result in this conversation. Search or look it up first."
        )


def cards_of(outcome: Outcome, run_id: str) -> list[Emitted]:
    """The outcome's cards as events, and the cart's new state if it changed."""
    shown = []
    for card in outcome.cards:
        audience = Audience.STAFF if card.activity_type in _STAFF_CARDS else Audience.SHOPPER
        message_id = card_message_id(card, run_id)
        shown.append(events.activity(message_id, card.activity_type, card.data, audience=audience))
        if outcome.cart_changed and card.activity_type == "cart":
            shown.append(events.cart_changed(card.data))
    return shown


def card_message_id(card: Card, run_id: str) -> str:
    """The message a card is shown in: its own key, one per key and run, or a new one."""
    if card.key is None:
        return events.new_message_id()
    if card.activity_type in _OWN_KEY:
        return card.key
    return f"{card.key}-{run_id.removeprefix('run_')}"


def _refusal(code: str, message: str) -> dict[str, Any]:
    return {"ok": False, "error": {"code": code, "message": message}}


def _shortened(answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The answer with its lists cut ever shorter."""
    for keep in (8, 5, 3, 1):
        yield {name: _cut(value, keep) for name, value in answer.items()}


def _cut(value: Any, keep: int) -> Any:
    if isinstance(value, dict):
        return {name: _cut(item, keep) for name, item in value.items()}
    if isinstance(value, list):
        return [_cut(item, keep) for item in value[:keep]]
    return value
