"""A recorded conversation as turns, and the scripted model that says its assistant's part with our tools.

The recorded words of the customer are the input. What the assistant called is called again through our agents' own
tools; its words are said where nothing is left to call. After whatever asks the customer for something (a card to
press, a code to type in) the model ends its answer, and goes on when it is spoken to again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from evals.cassette import Answer, Cassette, CassetteMismatch, Player, RecordedCall
from evals.tau2.cases import Call, Recorded
from evals.tau2.shapes import TRANSFER, WRITES, Json
from icommerce_agents import models
from tools.spec import AgentName

MOST_CALLS: Final = 8
"""In one run; our agents stop at more than a few above it."""
_END: Final = "###"
"""Begins the marks by which a simulated customer ends a conversation."""
_ONE_MOMENT: Final = "One moment, please."
_ROUTE: Final = {"tasks": [{"agent": AgentName.CUSTOMER_SERVICE.value, "about": ""}], "reason": "recorded"}


@dataclass(frozen=True, slots=True)
class OurCall:
    """A call of one of our agents' tools."""

    tool: str
    args: dict[str, Any]


Translate = Callable[[Call], Sequence[OurCall]]
"""A recorded call in our tools: what has to be read first, then itself. Nothing where no tool of ours does it."""


@dataclass(slots=True)
class Turn:
    """What the customer said, and what the assistant did about it."""

    said: str
    calls: deque[Call] = field(default_factory=deque)
    words: str = ""
    """The assistant's, after its calls."""


def turns(recorded: Recorded) -> Iterator[Turn]:
    """The customer's turns in order; calls before the first belong to none and are left out."""
    by_place = dict(zip(recorded.places, recorded.calls, strict=True))
    turn: Turn | None = None
    for message in recorded.messages:
        words = message.get("content")
        if message["role"] == "user" and words and _END not in words:
            if turn is not None:
                yield turn
            turn = Turn(words)
        elif message["role"] == "assistant" and turn is not None:
            _take(turn, message, by_place)
    if turn is not None:
        yield turn


def _take(turn: Turn, message: Json, by_place: Mapping[int, Call]) -> None:
    for call in message.get("tool_calls") or ():
        if call.get("call") in by_place:
            turn.calls.append(by_place[call["call"]])
    turn.words = message.get("content") or turn.words


class Recital(Player):
    """Answers in place of every model of one conversation."""

    def __init__(self, translate: Translate) -> None:
        super().__init__(Cassette(thread="recital", answers=[]), lambda value: value)
        self._translate = translate
        self._turn: Turn | None = None
        self._paused = False
        self._called = 0
        self.under_way: Call | None = None
        """The call that asked for something, since ``begin``: a write, a sign-in or a transfer."""

    def begin(self, turn: Turn) -> None:
        """What comes next, at the beginning of a run."""
        self._turn, self._paused, self._called, self.under_way = turn, False, 0, None

    def answer(
        self,
        messages: Sequence[Mapping[str, Any]],  # noqa: ARG002 (what was said is in the recording)
        tools: Sequence[str],
        *,
        routing: bool,
    ) -> Answer:
        """The route, the next calls, or words."""
        if self._turn is None:
            raise CassetteMismatch("nothing was said yet")
        if routing:
            return Answer(part=models.SUPERVISOR, route=_ROUTE)
        calls = [] if self._paused else self._next_calls(self._turn)
        unknown = {call.tool for call in calls} - set(tools)
        if unknown:
            raise CassetteMismatch(f"the agent does not have {', '.join(sorted(unknown))}")
        if calls:
            return Answer(
                part=AgentName.CUSTOMER_SERVICE, calls=[RecordedCall(tool=one.tool, args=one.args) for one in calls]
            )
        return Answer(part=AgentName.CUSTOMER_SERVICE, say=self._words(self._turn))

    def _next_calls(self, turn: Turn) -> list[OurCall]:
        """The next recorded call that is anything in our tools."""
        while turn.calls:
            call = turn.calls.popleft()
            ours = list(self._translate(call))
            asks = bool(ours) and (call.name in WRITES or call.name == TRANSFER or ours[-1].tool == "send_sign_in_code")
            if asks:
                self.under_way = call
            self._called += len(ours)
            self._paused = asks or self._called >= MOST_CALLS
            if ours or call.name in WRITES:
                return ours
        return []

    def _words(self, turn: Turn) -> str:
        return _ONE_MOMENT if turn.calls or self.under_way else turn.words.strip() or _ONE_MOMENT
