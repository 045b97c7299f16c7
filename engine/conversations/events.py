"""The events of a thread's log: AG-UI 1.0 types as plain camelCase objects, each with who may see it.

``docs/conversation-contract.md`` says which moment has which event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.checkout.schemas import ConsentView
from engine.conversations.models import Audience
from engine.conversations.schemas import OpenCard
from engine.kit import ids

_SHOPPER: Final = Audience.SHOPPER
CONFIRMATION: Final = "confirmation"
CHANGE: Final = "change"
CLAIM_CHOICE: Final = "claim_choice"
RETURN_CANCEL: Final = "return_cancel"
DEFAULT_ADDRESS: Final = "default_address"
CHANGE_PROBLEM: Final = "change_problem"
STAFF_ACT: Final = "staff_act"
SIGN_IN: Final = "sign_in"
"""Activities around what is asked: a card of the first four is a consent, its message id the consent's."""
RESUME_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"approved": {"type": "boolean"}},
    "required": ["approved"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Emitted:
    """An event and its audience; without a word it is for staff."""

    payload: dict[str, Any]
    audience: Audience = Audience.STAFF


def new_message_id() -> str:
    return ids.new_id("message")


def run_started(thread_id: str, run_id: str) -> Emitted:
    return Emitted({"type": "RUN_STARTED", "threadId": thread_id, "runId": run_id}, _SHOPPER)


def run_finished(thread_id: str, run_id: str, open_cards: Sequence[OpenCard] = ()) -> Emitted:
    """The end of a turn; it lists every card that is open then."""
    outcome: dict[str, Any] = {"type": "success"}
    if open_cards:
        outcome = {"type": "interrupt", "interrupts": [interrupt(card) for card in open_cards]}
    return Emitted({"type": "RUN_FINISHED", "threadId": thread_id, "runId": run_id, "outcome": outcome}, _SHOPPER)


def run_error(run_id: str, *, code: str, message: str, retryable: bool) -> Emitted:
    """``message`` is ours and fit to show: never an exception's own text."""
    payload = {"type": "RUN_ERROR", "runId": run_id, "code": code, "message": message, "retryable": retryable}
    return Emitted(payload, _SHOPPER)


def interrupt(card: OpenCard) -> dict[str, Any]:
    return {
        "id": card.id,
        "reason": card.reason,
        "message": card.message,
        "expiresAt": card.expires_at.isoformat(),
        "responseSchema": card.answer,
        "metadata": card.shown,
    }


def step_started(name: str) -> Emitted:
    return Emitted({"type": "STEP_STARTED", "stepName": name})


def step_finished(name: str) -> Emitted:
    return Emitted({"type": "STEP_FINISHED", "stepName": name})


def text(message_id: str, role: str, content: str, *, name: str | None = None) -> list[Emitted]:
    """A whole message at once."""
    return [text_start(message_id, role, name=name), text_content(message_id, content), text_end(message_id)]


def text_start(message_id: str, role: str, *, name: str | None = None) -> Emitted:
    payload = {"type": "TEXT_MESSAGE_START", "messageId": message_id, "role": role}
    return Emitted(payload | ({"name": name} if name else {}), _SHOPPER)


def text_content(message_id: str, delta: str) -> Emitted:
    return Emitted({"type": "TEXT_MESSAGE_CONTENT", "messageId": message_id, "delta": _clean(delta)}, _SHOPPER)


def text_end(message_id: str) -> Emitted:
    return Emitted({"type": "TEXT_MESSAGE_END", "messageId": message_id}, _SHOPPER)


def tool_started(call_id: str, name: str) -> Emitted:
    return Emitted({"type": "TOOL_CALL_START", "toolCallId": call_id, "toolCallName": name}, _SHOPPER)


def tool_arguments(call_id: str, arguments: str) -> Emitted:
    return Emitted({"type": "TOOL_CALL_ARGS", "toolCallId": call_id, "delta": _clean(arguments)})


def tool_ended(call_id: str) -> Emitted:
    return Emitted({"type": "TOOL_CALL_END", "toolCallId": call_id}, _SHOPPER)


def tool_result(call_id: str, content: str) -> Emitted:
    payload = {
        "type": "TOOL_CALL_RESULT",
        "messageId": f"result-{call_id}",
        "toolCallId": call_id,
        "role": "tool",
        "content": _clean(content),
    }
    return Emitted(payload)


def activity(message_id: str, activity_type: str, data: dict[str, Any], *, audience: Audience = _SHOPPER) -> Emitted:
    """A card; the same ``message_id`` again replaces its data."""
    payload = {
        "type": "ACTIVITY_SNAPSHOT",
        "messageId": message_id,
        "activityType": activity_type,
        "content": data,
        "replace": True,
    }
    return Emitted(payload, audience)


def asked(card: OpenCard, *, reason: str | None = None) -> Emitted:
    """A card that asks something, as it is now; ``reason`` says why it takes the place of another."""
    data = card.data() | ({"reason": reason} if reason else {})
    return activity(card.id, card.activity, data, audience=Audience.STAFF if card.activity == STAFF_ACT else _SHOPPER)


def confirmation(card: ConsentView, *, reason: str | None = None) -> Emitted:
    """The payment card as it is now."""
    data = card.model_dump(mode="json") | ({"reason": reason} if reason else {})
    return activity(card.id, CONFIRMATION, data)


def confirm_resolved(consent_id: str, status: str) -> Emitted:
    return custom("confirm.resolved", {"id": consent_id, "status": status})


def cart_changed(cart: dict[str, Any]) -> Emitted:
    return Emitted({"type": "STATE_SNAPSHOT", "snapshot": {"cart": cart}}, _SHOPPER)


def agent(name: str, title: str) -> Emitted:
    return custom("agent", {"agent": name, "title": title})


def mode_changed(mode: str, reference: str | None = None) -> Emitted:
    return custom("conversation.mode", {"mode": mode} | ({"reference": reference} if reference else {}))


def custom(name: str, value: dict[str, Any]) -> Emitted:
    return Emitted({"type": "CUSTOM", "name": name, "value": value}, _SHOPPER)


def staff_note(name: str, value: dict[str, Any]) -> Emitted:
    """Something about the work behind the answer, for staff alone."""
    return Emitted({"type": "CUSTOM", "name": name, "value": value})


def keepable(value: Any) -> Any:
    """A payload as PostgreSQL keeps one, whoever wrote what is in it: without NUL, and of halves of characters a
    question mark.
    """
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, dict):
        return {_clean(name): keepable(one) for name, one in value.items()}
    return [keepable(one) for one in value] if isinstance(value, list | tuple) else value


def _clean(value: str) -> str:
    if value.isascii() and "\x00" not in value:
        return value
    return value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
