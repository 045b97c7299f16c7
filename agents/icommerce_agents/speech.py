"""A model's words on their way to the shopper, as they come."""

from __future__ import annotations

import secrets
import string
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

from agents import Model, ModelResponse, Tool
from agents.items import TResponseStreamEvent

from engine.conversations import events
from icommerce_agents.arguments import as_sent_back
from icommerce_agents.context import TurnContext
from icommerce_agents.errors import GaveUp
from icommerce_agents.guardrails.evidence import Evidence
from icommerce_agents.guardrails.outgoing import OutputGuard
from icommerce_agents.patience import TURN_TOKENS
from icommerce_agents.sink import Sink

_ALPHABET: Final = string.ascii_letters + string.digits


class Speaker:
    """Turns text deltas into the log's messages, checked; one message per model answer that has words."""

    def __init__(self, sink: Sink, name: str, evidence: Evidence) -> None:
        self._sink = sink
        self._name = name
        self._evidence = evidence
        self._message: str | None = None
        self._guard = OutputGuard(evidence)
        self._shown: list[str] = []
        self.spoke = False

    def say(self, delta: str) -> None:
        shown = self._guard.feed(delta)
        if shown:
            self._emit(shown)

    def end(self) -> str:
        """The message is over (or its model broke off). Returns all of it that was shown."""
        rest = self._guard.rest()
        if rest:
            self._emit(rest)
        if self._message:
            self._sink.emit(events.text_end(self._message))
            self._message = None
        for left_out in self._guard.withheld:
            note = {"kind": left_out.kind, "what": left_out.what, "sentence": left_out.sentence}
            self._sink.emit(events.staff_note("withheld", note))
        said = "".join(self._shown)
        self._guard, self._shown = OutputGuard(self._evidence), []
        return said

    def _emit(self, text: str) -> None:
        if self._message is None:
            text = text.lstrip()
            if not text:
                return
            self._message = events.new_message_id()
            self._sink.emit(events.text_start(self._message, "assistant", name=self._name))
        self.spoke = True
        self._shown.append(text)
        self._sink.emit(events.text_content(self._message, text))


class Overheard(Model):
    """A model whose words are shown at the moment it says them, before any tool it calls runs.

    What it is taken to have said is what was shown. Every call gets an id of its own (some models count from the
    messages they see, and a trimmed history would make them use an id again, which the SDK takes for a call that has
    run) and arguments that any provider takes back.
    """

    def __init__(self, inner: Model, speaker: Speaker, known_calls: set[str], context: TurnContext) -> None:
        self._inner = inner
        self._speaker = speaker
        self._known = known_calls
        self._context = context

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        return await self._inner.get_response(*args, **kwargs)

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[TResponseStreamEvent]:
        """Called as the SDK calls it: the fourth is the tools."""
        self._stop_if_lost()
        renamed: dict[str, str] = {}
        ended = False
        try:
            async for event in self._inner.stream_response(*args, **kwargs):
                if event.type in {"response.output_text.delta", "response.refusal.delta"}:
                    self._speaker.say(event.delta)
                elif event.type in {"response.output_item.added", "response.output_item.done"}:
                    self._tidy([event.item], renamed)
                elif event.type == "response.completed":
                    ended = True
                    self._tidy(event.response.output, renamed)
                    self._count_unknown(event.response.output, args[3])
                    _say_instead(event.response.output, self._speaker.end())
                yield event
        finally:
            self._known.update(renamed.values())
            if not ended:
                self._speaker.end()

    def _stop_if_lost(self) -> None:
        context = self._context
        if context.patience.ended:
            raise GaveUp(context.patience.ended)
        if context.meter.tokens >= TURN_TOKENS:
            raise GaveUp("too_long")

    def _count_unknown(self, items: Iterable[Any], tools: list[Tool]) -> None:
        names = {tool.name for tool in tools}
        if any(item.type == "function_call" and item.name not in names for item in items):
            self._context.patience.mistake("unknown tool")

    def _tidy(self, items: Iterable[Any], renamed: dict[str, str]) -> None:
        self._name_anew(items, renamed)
        for item in items:
            if item.type == "function_call":
                item.arguments = as_sent_back(item.arguments)

    def _name_anew(self, items: Iterable[Any], renamed: dict[str, str]) -> None:
        for item in items:
            if item.type == "function_call" and item.call_id not in renamed.values():
                fresh = _new_call_id() if item.call_id in self._known else item.call_id
                item.call_id = renamed.setdefault(item.call_id, fresh)


def _say_instead(items: Iterable[Any], shown: str) -> None:
    """Make the answer's text what was shown of it."""
    for item in items:
        if item.type == "message":
            for part in item.content:
                if part.type == "output_text":
                    part.text, shown = shown, ""
                elif part.type == "refusal":
                    part.refusal, shown = shown, ""


def _new_call_id() -> str:
    """Nine letters and digits: the strictest of the providers asks for exactly that."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(9))
