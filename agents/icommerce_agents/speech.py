"""A model's words on their way to the shopper, as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from agents import Model, ModelResponse
from agents.items import TResponseStreamEvent

from engine.conversations import events
from icommerce_agents.guardrails import StreamGuard
from icommerce_agents.sink import Sink


class Speaker:
    """Turns text deltas into the log's messages; one message per model answer that has words."""

    def __init__(self, sink: Sink, name: str) -> None:
        self._sink = sink
        self._name = name
        self._message: str | None = None
        self._guard = StreamGuard()
        self.spoke = False

    def say(self, delta: str) -> None:
        shown = self._guard.feed(delta)
        if shown:
            self._emit(shown)

    def end(self) -> None:
        """The message is over (or its model broke off)."""
        rest = self._guard.rest()
        if rest:
            self._emit(rest)
        if self._message:
            self._sink.emit(events.text_end(self._message))
            self._message = None

    def _emit(self, text: str) -> None:
        if self._message is None:
            text = text.lstrip()
            if not text:
                return
            self._message = events.new_message_id()
            self._sink.emit(events.text_start(self._message, "assistant", name=self._name))
        self.spoke = True
        self._sink.emit(events.text_content(self._message, text))


class Overheard(Model):
    """A model whose words are shown at the moment it says them, before any tool it calls runs."""

    def __init__(self, inner: Model, speaker: Speaker) -> None:
        self._inner = inner
        self._speaker = speaker

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        return await self._inner.get_response(*args, **kwargs)

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[TResponseStreamEvent]:
        try:
            async for event in self._inner.stream_response(*args, **kwargs):
                if event.type in {"response.output_text.delta", "response.refusal.delta"}:
                    self._speaker.say(event.delta)
                yield event
        finally:
            self._speaker.end()
