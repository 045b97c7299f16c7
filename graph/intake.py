"""The first node of a turn: what was said enters the history before anybody is asked about it."""

from __future__ import annotations

from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Command

from engine.conversations import events, runs, signing_in
from engine.conversations.models import Message, Mode
from engine.conversations.schemas import ActionName
from graph.state import RunContext, State
from icommerce_agents import history
from icommerce_agents.guardrails import incoming
from icommerce_agents.history import Item
from icommerce_agents.threads import in_thread
from prompts import phrase

Next = Literal["supervisor", "action", "handoff", "cards"]
Kept = dict[str, int]
"""Up to where the history has what people did: of their words, and of conversations they gave back."""


async def intake(state: State, runtime: Runtime[RunContext]) -> Command[Next]:
    """Messages go to the supervisor (to nobody while people have the conversation), presses to their tool."""
    context = runtime.context
    staff, seen = await _said_outside(context, state.get("seen", 0))
    back, kept = _given_back(context, state), {"seen": seen}
    if back:
        kept["returned"] = back[0]
    items = [*state.get("history", []), *staff, *(back[1] if back else [])]
    action = context.claim.input.get("action")
    if came := context.claim.input.get("sign_in"):
        return _signed_in(context, items, kept, came)
    if action and action["name"] == ActionName.RETRY:
        return await _retry(context, items, kept)
    if action:
        target: Next = "handoff" if action["name"] == ActionName.REQUEST_HUMAN else "action"
        return Command(goto=target, update={"history": items, **kept})
    if suspicious := incoming.marks(context.claim.input["message"]):
        context.sink.emit(events.staff_note("suspicious", {"marks": suspicious}))
    items = history.trimmed([*items, history.user(context.claim.input["message"])])
    return Command(goto=_speaker(context), update={"history": items, **kept})


def _given_back(context: RunContext, state: State) -> tuple[int, list[Item]] | None:
    """One note of what people did while they had the conversation, at the first turn after it."""
    told = context.claim.returned
    if told is None or context.claim.mode != Mode.AGENT or told["version"] == state.get("returned"):
        return None
    done = "; ".join(told["done"])
    return told["version"], [history.assistant(phrase("given_back").format(done=done))]


def _signed_in(context: RunContext, items: list[Item], kept: Kept, came: str) -> Command[Next]:
    """A code was typed and taken before this turn began: only what came of it is told, to people and agents."""
    said = phrase("signed_in") if came == signing_in.SIGNED_IN else came
    context.turn.say(said)
    noted = [*items, history.user("[typed the code from the e-mail]"), history.assistant(said)]
    return Command(goto="cards", update={"history": history.trimmed(noted), **kept})


async def _retry(context: RunContext, items: list[Item], kept: Kept) -> Command[Next]:
    """Answer the newest words, if the run that should have failed."""
    last = await in_thread(_failed_words, context)
    if last is None:
        context.turn.say(phrase("nothing_to_retry"))
        return Command(goto="cards", update={"history": items, **kept})
    context.earlier_tries = last[0]
    if history.last_words(items) != last[1]:
        items = [*items, history.user(last[1])]
    return Command(goto=_speaker(context), update={"history": items, **kept})


def _speaker(context: RunContext) -> Next:
    if context.claim.mode != Mode.AGENT:
        return "cards"
    return "handoff" if context.claim.over_budget else "supervisor"


async def _said_outside(context: RunContext, after: int) -> tuple[list[Item], int]:
    """What people said meanwhile, and up to which event."""
    if context.claim.newest_outside <= after:
        return [], after
    words = await in_thread(_staff_words, context, after)
    items = [history.assistant(word.content) for word in words if word.content]
    return items, words[-1].seq if words else after


def _staff_words(context: RunContext, after: int) -> list[Message]:
    with context.tools.unit_of_work() as session:
        return runs.staff_words(session, context.tenant_id, context.claim.thread_id, after=after)


def _failed_words(context: RunContext) -> tuple[list[str], str] | None:
    with context.tools.unit_of_work() as session:
        return runs.failed_words(session, context.tenant_id, context.claim.thread_id, before=context.claim.number)
