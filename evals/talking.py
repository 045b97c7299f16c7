"""A conversation as its client holds it: submit a turn, hear its events, note what came and when."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any, Final

from engine.conversations import service
from engine.conversations.schemas import RunInput, RunView, Snapshot
from engine.kit.direct import Statement
from engine.kit.identity import Identity
from evals.house import Stage

PATIENCE_SECONDS: Final = 240.0
_NEWS: Final = Statement("""
SELECT seq, run_id, payload FROM app.events
WHERE tenant_id = %(tenant)s AND thread_id = %(thread)s AND seq > %(after)s ORDER BY seq
""")
_ENDS: Final = frozenset({"RUN_FINISHED", "RUN_ERROR"})


class TurnLost(RuntimeError):
    """A turn did not end."""


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call as the log has it."""

    tool: str
    args: dict[str, Any] | str
    """As text where it is no JSON object."""
    answer: dict[str, Any] | None

    @property
    def ok(self) -> bool:
        return bool(self.answer and self.answer.get("ok"))

    @property
    def error(self) -> str | None:
        """The code of its refusal."""
        return None if self.ok or not self.answer else str((self.answer.get("error") or {}).get("code"))


@dataclass(slots=True)
class Heard:
    """What came of one turn."""

    said: str
    """What the shopper did, in words."""
    calls: list[Call] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    cards: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    error: str | None = None
    """The code of a run that failed."""
    first_words_ms: float | None = None
    turn_ms: float = 0.0
    usage: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Talk:
    """One person's conversation in one shop."""

    stage: Stage
    identity: Identity
    thread_id: str = ""
    seen: int = 0

    @property
    def tenant_id(self) -> str:
        return self.identity.tenant_id

    async def start(self) -> None:
        def make() -> str:
            with self.stage.runtime.unit_of_work(self.tenant_id) as session:
                return service.create_thread(session, self.identity).id

        self.thread_id = await asyncio.to_thread(make)

    async def turn(self, said: str, **given: Any) -> Heard:
        """Submit one turn and wait for its end. Raises ``TurnLost``, and what the engine refuses it with."""
        began = time.perf_counter()
        run_id = await asyncio.to_thread(self._submit, given)
        self.stage.runner.wake(self.tenant_id, self.thread_id)
        heard = Heard(said)
        payloads = await self._hear(run_id, heard, began)
        heard.turn_ms = (time.perf_counter() - began) * 1000
        note(heard, payloads)
        heard.usage = (await asyncio.to_thread(self._view, run_id)).usage
        return heard

    async def say(self, words: str) -> Heard:
        return await self.turn(words, message=words)

    async def decide(self, card_id: str, *, approved: bool) -> Heard:
        entry = {"interruptId": card_id, "status": "resolved", "payload": {"approved": approved}}
        return await self.turn(f"[presses {'yes' if approved else 'no'}]", resume=[entry])

    async def act(self, name: str, args: dict[str, Any]) -> Heard:
        return await self.turn(f"[{name} {json.dumps(args)}]", action={"name": name, "args": args})

    async def snapshot(self) -> Snapshot:
        def look() -> Snapshot:
            with self.stage.runtime.unit_of_work(self.tenant_id) as session:
                return service.snapshot(session, self.identity, self.thread_id)

        return await asyncio.to_thread(look)

    async def catch_up(self) -> Heard:
        """What was said outside of turns since the last look: by people of the shop."""
        heard = Heard("")
        note(heard, [payload for _, payload in await asyncio.to_thread(self._news)])
        return heard

    def _submit(self, given: dict[str, Any]) -> str:
        with self.stage.runtime.unit_of_work(self.tenant_id) as session:
            return service.submit(session, self.identity, self.thread_id, RunInput.model_validate(given)).id

    def _view(self, run_id: str) -> RunView:
        with self.stage.runtime.unit_of_work(self.tenant_id) as session:
            return service.run_view(session, self.identity, self.thread_id, run_id)

    async def _hear(self, run_id: str, heard: Heard, began: float) -> list[dict[str, Any]]:
        """The events until the run's end, in order."""
        bell = self.stage.listener.bell(self.tenant_id, self.thread_id)
        payloads: list[dict[str, Any]] = []
        speakers: set[str] = set()
        while True:
            bell.clear()
            for run, payload in await asyncio.to_thread(self._news):
                payloads.append(payload)
                _hear_first_words(payload, speakers, heard, began)
                if run == run_id and payload["type"] in _ENDS:
                    return payloads
            await self._ring(bell, run_id, began)

    async def _ring(self, bell: asyncio.Event, run_id: str, began: float) -> None:
        left = PATIENCE_SECONDS - (time.perf_counter() - began)
        try:
            await asyncio.wait_for(bell.wait(), max(0.0, left))
        except TimeoutError:
            raise TurnLost(f"run {run_id} did not end in {PATIENCE_SECONDS:.0f} s") from None

    def _news(self) -> list[tuple[str | None, dict[str, Any]]]:
        """Events after the last one seen, whoever may see them."""
        values = {"tenant": self.tenant_id, "thread": self.thread_id, "after": self.seen}
        [rows] = self.stage.runtime.store.ask(self.tenant_id, (_NEWS, values))
        if rows:
            self.seen = rows[-1]["seq"]
        return [(row["run_id"], row["payload"]) for row in rows]


def _hear_first_words(payload: dict[str, Any], speakers: set[str], heard: Heard, began: float) -> None:
    if payload["type"] == "TEXT_MESSAGE_START" and payload["role"] == "assistant":
        speakers.add(payload["messageId"])
    elif payload["type"] == "TEXT_MESSAGE_CONTENT" and payload["messageId"] in speakers:
        heard.first_words_ms = heard.first_words_ms or (time.perf_counter() - began) * 1000


def note(heard: Heard, payloads: list[dict[str, Any]]) -> None:
    """Boil a turn's events down to words, calls, cards and agents."""
    texts: dict[str, str] = {}
    calls: dict[str, dict[str, Any]] = {}
    for payload in payloads:
        match payload["type"]:
            case "TEXT_MESSAGE_START" if payload["role"] == "assistant":
                texts[payload["messageId"]] = ""
            case "TEXT_MESSAGE_CONTENT" if payload["messageId"] in texts:
                texts[payload["messageId"]] += payload["delta"]
            case "TOOL_CALL_START":
                calls[payload["toolCallId"]] = {"name": payload["toolCallName"], "args": "", "answer": None}
            case "TOOL_CALL_ARGS":
                calls[payload["toolCallId"]]["args"] += payload["delta"]
            case "TOOL_CALL_RESULT":
                calls[payload["toolCallId"]]["answer"] = _parsed(payload["content"])
            case "ACTIVITY_SNAPSHOT":
                heard.cards.append((payload["activityType"], payload["content"]))
            case "CUSTOM" if payload["name"] == "agent":
                heard.agents.append(payload["value"]["agent"])
            case "RUN_ERROR":
                heard.error = payload["code"]
    heard.words += [text.strip() for text in texts.values() if text.strip()]
    heard.calls += [Call(one["name"], _arguments(one["args"]), one["answer"]) for one in calls.values()]


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {"ok": False, "error": {"code": "unreadable", "message": text}}
    return found if isinstance(found, dict) else {"ok": True, "result": found}


def _arguments(text: str) -> dict[str, Any] | str:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return text
    return found if isinstance(found, dict) else text
