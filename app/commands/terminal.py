"""A conversation in a terminal: words as they come, cards as tables, the payment card as a question."""

from __future__ import annotations

import json
import sys
from abc import ABC, abstractmethod
from typing import Any

from rich.console import Console

from app.commands.cards import draw
from app.commands.client import Conversation

Event = dict[str, Any]


def converse(endpoint: str, first: str, *, tenant: str | None, as_json: bool) -> None:
    """Talk until the shopper leaves (or, given ``first``, once). Raises ``Unavailable``, ``Refused``."""
    talk = Conversation(endpoint, tenant)
    talk.start()
    screen: _Screen = _Lines() if as_json else _Terminal()
    if first:
        _turn(talk, screen, talk.say(first))
        return
    screen.note("Say what you are looking for. An empty line ends the conversation.")
    while words := screen.listen():
        _turn(talk, screen, talk.say(words))


def _turn(talk: Conversation, screen: _Screen, run_id: str) -> None:
    """Show one turn; at its end ask about every card that is open."""
    asked: list[Event] = []
    for event in talk.events(run_id):
        screen.show(event)
        if event["type"] == "RUN_FINISHED":
            asked = event.get("outcome", {}).get("interrupts", [])
    for interrupt in asked:
        answer = screen.ask(interrupt)
        if answer is not None:
            _turn(talk, screen, talk.decide(interrupt["id"], answer))


class _Screen(ABC):
    """Where a conversation is shown."""

    @abstractmethod
    def show(self, event: Event) -> None: ...

    @abstractmethod
    def ask(self, interrupt: Event) -> Event | None:
        """The shopper's answer to a card, as its payload; ``None`` leaves it open."""

    @abstractmethod
    def listen(self) -> str: ...

    def note(self, words: str) -> None:  # noqa: B027 (not every screen has a place for it)
        """Something beside the conversation."""


class _Lines(_Screen):
    """Each event as a line of JSON; nobody is asked, so nothing is ever paid."""

    def show(self, event: Event) -> None:
        sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def ask(self, interrupt: Event) -> Event | None:  # noqa: ARG002 (the port's shape)
        return None

    def listen(self) -> str:
        return sys.stdin.readline().strip()


class _Terminal(_Screen):
    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._speaking = ""

    def note(self, words: str) -> None:
        self._console.print(words, style="dim")

    def listen(self) -> str:
        try:
            return self._console.input("[bold]You:[/bold] ").strip()
        except EOFError:
            return ""

    def show(self, event: Event) -> None:
        match event["type"]:
            case "TEXT_MESSAGE_START" if event["role"] == "assistant":
                self._speaking = event["messageId"]
                self._console.print(f"{event.get('name') or 'Shop'}: ", style="bold green", end="")
            case "TEXT_MESSAGE_CONTENT" if event["messageId"] == self._speaking:
                self._console.print(event["delta"], end="", markup=False)
            case "TEXT_MESSAGE_END" if event["messageId"] == self._speaking:
                self._speaking = ""
                self._console.print()
            case "ACTIVITY_SNAPSHOT":
                self._draw(event["activityType"], event["content"])
            case "RUN_ERROR":
                self._console.print(event["message"], style="red", markup=False)

    def ask(self, interrupt: Event) -> Event | None:
        choices = interrupt["responseSchema"]["properties"].get("choice", {}).get("enum")
        ways = "/".join(choices) if choices else "y/N"
        try:
            said = self._console.input(f"{interrupt['message']} [{ways}] ", markup=False).strip().lower()
        except EOFError:
            said = None
        if said is None or (choices and said not in choices):
            self.note("The card stays open: nothing happened.")
            return None
        return {"approved": True, "choice": said} if choices else {"approved": said in {"y", "yes"}}

    def _draw(self, kind: str, data: Event) -> None:
        drawn = draw(kind, data)
        if drawn is not None:
            self._console.print(drawn)
