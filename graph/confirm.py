"""The payment card, three nodes: which cards are open, the interrupt, and what became of a press."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from engine.checkout import complete as completing
from engine.checkout import confirmation
from engine.checkout.complete import Completion, Result
from engine.conversations import cards as shown_cards
from engine.conversations import events
from engine.conversations.events import Emitted
from engine.kit.errors import DomainError
from engine.orders.schemas import OrderView
from graph.state import Decided, RunContext, State
from icommerce_agents import history
from icommerce_agents.threads import in_thread
from prompts import phrase


@dataclass(frozen=True, slots=True)
class Told:
    """What a decision came to: words, and cards below them."""

    words: str
    shown: Sequence[Emitted] = ()


async def cards(  # LangGraph passes the state to every node
    state: State,  # noqa: ARG001
    runtime: Runtime[RunContext],
) -> Command[Literal["confirm", "__end__"]]:
    """Every turn ends here: tell what became of old cards and, while one is open, wait in the confirm node."""
    context = runtime.context
    open_ids, news = await in_thread(_look, context)
    context.sink.emit(*news)
    target: Literal["confirm", "__end__"] = "confirm" if open_ids else "__end__"
    return Command(goto=target, update={"open_cards": open_ids, "decided": []})


def confirm(state: State) -> Command[Literal["capture"]]:
    """Interrupt until a human decides, and nothing else: this node runs again from its top on every resume.

    Entered with a decision (no interrupt was waiting for it), it passes on. Either way the row is the truth.
    """
    decided = state.get("decided") or interrupt({"reason": events.CONFIRMATION, "cards": state["open_cards"]})
    return Command(goto="capture", update={"decided": decided})


async def capture(state: State, runtime: Runtime[RunContext]) -> Command[Literal["cards"]]:
    """Do what was decided, by the engine and without a model; the rows say what that is."""
    context = runtime.context
    items = list(state.get("history", []))
    for decided in state["decided"]:
        told = await in_thread(_settle, context, decided)
        context.turn.say(told.words)
        context.turn.show(told.shown)
        items.append(history.assistant(told.words))
    return Command(goto="cards", update={"history": history.trimmed(items), "decided": []})


def _look(context: RunContext) -> tuple[list[str], list[Emitted]]:
    claim = context.claim
    with context.tools.unit_of_work() as session:
        news = shown_cards.outdated(session, context.tenant_id, claim.thread_id)
        open_cards = confirmation.open_cards(session, claim.identity, claim.thread_id)
    return [card.id for card in open_cards], news


def _settle(context: RunContext, decided: Decided) -> Told:
    """Carry out one decision; returns what to say and show about it."""
    if not decided["approved"]:
        return Told(phrase("declined"))
    try:
        done = completing.complete(context.runtime, context.claim.identity, decided["id"])
    except DomainError as error:
        return Told(error.message, [_refused(decided["id"], error)])
    match done.result:
        case Result.PAID:
            return _receipt(context, done)
        case Result.UNKNOWN:
            return Told(phrase("pending"))
        case Result.CHANGED:
            return _fresh_card(context, done)
        case _:
            return Told(_unpaid(done), [_problem(done)])


def _unpaid(done: Completion) -> str:
    if done.result is Result.CHALLENGE:
        return phrase("challenge")
    return phrase("not_paid").format(message=done.message)


def _receipt(context: RunContext, done: Completion) -> Told:
    assert done.order is not None
    with context.tools.unit_of_work() as session:
        card = shown_cards.card(session, context.tenant_id, done.consent_id)
        cart = shown_cards.present_cart(session, context.tenant_id, context.claim.identity.id)
    words = phrase(_ending(done.order)).format(number=done.order.number)
    return Told(words, [*shown_cards.decided(card), shown_cards.receipt(done.order, card), cart])


def _ending(order: OrderView) -> str:
    if order.payment_status == "authorized":
        return "authorized"
    return "paid" if order.total.amount else "placed"


def _fresh_card(context: RunContext, done: Completion) -> Told:
    """The world moved on after the card was made: nothing was charged, here is what it would be now."""
    try:
        card = confirmation.request(context.runtime, context.claim.identity, thread_id=context.claim.thread_id)
    except DomainError as error:
        return Told(phrase("not_paid").format(message=error.message), [_problem(done)])
    return Told(phrase("fresh_card"), [events.confirmation(card, reason=done.message)])


def _problem(done: Completion) -> Emitted:
    return shown_cards.problem(
        done.consent_id,
        code=done.code,
        message=done.message,
        retryable=done.result in {Result.DECLINED, Result.CHALLENGE, Result.CHANGED},
        challenge_url=done.challenge_url,
    )


def _refused(consent_id: str, error: DomainError) -> Emitted:
    return shown_cards.problem(consent_id, code=error.code, message=error.message, retryable=error.retryable)
