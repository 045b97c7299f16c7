"""A press on a card runs its tool at once: no model decides, and none may be talked into it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from langgraph.runtime import Runtime
from langgraph.types import Command

from engine.checkout import service as checkout
from engine.checkout.schemas import CheckoutView
from engine.conversations import events
from engine.conversations.anew import ask_again
from engine.conversations.schemas import ACTION_ARGUMENTS, ActionName
from engine.kit.errors import DomainError
from graph import earlier
from graph.earlier import Made
from graph.state import RunContext, State
from icommerce_agents import history
from icommerce_agents.adapter import call_tool, cards_of, fence
from icommerce_agents.history import Item
from icommerce_agents.threads import in_thread
from prompts import phrase
from tools import brief, spec
from tools.spec import Card, Outcome

Arguments = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Press:
    """Which tool an action is, with which arguments, and what is said about its result."""

    tool: str
    arguments: Callable[[Arguments], Arguments]
    words: Callable[[dict[str, Any]], str | None] = lambda _result: None
    adds: bool = False
    """Doing it twice does more than doing it once."""


def _same(arguments: Arguments) -> Arguments:
    return arguments


def _none(_arguments: Arguments) -> Arguments:
    return {}


PRESSES: Final[Mapping[ActionName, Press]] = {
    ActionName.ADD_TO_CART: Press(
        "add_to_cart",
        lambda given: {"item_id": given["variant_id"], "quantity": given["quantity"]},
        lambda result: phrase("added").format(title=result["added"]["title"]),
        adds=True,
    ),
    ActionName.UPDATE_CART_LINE: Press("update_cart_line", _same, lambda _: phrase("cart_updated")),
    ActionName.VIEW_PRODUCT: Press("get_product", _same),
    ActionName.SHOW_MORE: Press("search_products", _same),
    ActionName.REQUEST_CONFIRMATION: Press("request_confirmation", _none),
}


async def action(state: State, runtime: Runtime[RunContext]) -> Command[Literal["cards"]]:
    """Do what was pressed; the history notes it as a call, so that the agents know."""
    context = runtime.context
    wanted = context.claim.input["action"]
    name = ActionName(wanted["name"])
    given = ACTION_ARGUMENTS[name].model_validate(wanted["args"]).model_dump()
    if name is ActionName.USE_PAYMENT_METHOD:
        noted = await _use_card(context, given["card_token"], save=given["save"])
    elif name is ActionName.ASK_AGAIN:
        noted = await _ask_again(context, given["card"])
    elif name is ActionName.SIGNED_IN:
        noted = _signed_in(context)
    elif name is ActionName.SHOW_CHECKOUT:
        noted = await _show_checkout(context)
    else:
        noted = await _press(context, name, given)
    return Command(goto="cards", update={"history": history.trimmed([*state["history"], *noted])})


async def _press(context: RunContext, name: ActionName, given: Arguments) -> list[Item]:
    """Run the tool and say what came of it. What an earlier try of this turn has done and told is only noted, and where
    nobody knows what came of it, the cart says.
    """
    press, call_id = PRESSES[name], f"press-{context.claim.run_id}"
    noted = history.user(f"[pressed {name}]")
    made = await _made(context, call_id)
    if made and made.output:
        return [noted, *made.items()]
    if made and press.adds:
        context.turn.say(phrase("press_cut_off"))
        return [noted, *made.items(), *(await _call(context, f"look-{context.claim.run_id}", "view_cart", {}))[1]]
    answer, items = await _call(context, call_id, press.tool, press.arguments(given))
    words = press.words(answer["result"]) if answer["ok"] else answer["error"]["message"]
    if words:
        context.turn.say(words)
    return [noted, *items]


async def _made(context: RunContext, call_id: str) -> Made | None:
    if context.claim.attempt == 1:
        return None
    return next((call for call in await in_thread(earlier.calls, context) if call.id == call_id), None)


async def _call(
    context: RunContext, call_id: str, tool: str, arguments: Arguments
) -> tuple[dict[str, Any], list[Item]]:
    raw = json.dumps(arguments)
    answer = await call_tool(spec.load()[tool], context.turn, call_id, raw, provenance=False)
    return answer, history.call(call_id, tool, raw, fence(answer))


async def _use_card(context: RunContext, card_token: str, *, save: bool) -> list[Item]:
    """A card entered on the gateway's own page. Its token goes to the engine alone; a fresh confirmation follows it."""
    try:
        view = await in_thread(_set_card, context, card_token, save)
    except DomainError as error:
        context.turn.say(error.message)
        return []
    shown = Outcome(brief.checkout(view), cards=(Card("checkout", view.model_dump(mode="json"), key=view.id),))
    context.turn.show(cards_of(shown, context.claim.run_id))
    label = shown.result["payment_method"]
    context.turn.say(phrase("payment_method_set").format(label=label))
    noted = [history.user(f"[entered a card on the payment form: {label}]")]
    if view.missing or view.problems:
        return noted
    return noted + await _press(context, ActionName.REQUEST_CONFIRMATION, {})


def _signed_in(context: RunContext) -> list[Item]:
    """The form of the card has signed the shopper in; the identity says whether that is so."""
    said = phrase("signed_in" if context.claim.identity.customer_id else "not_signed_in")
    context.turn.say(said)
    return [history.user("[used the sign-in form]"), history.assistant(said)]


async def _ask_again(context: RunContext, consent_id: str) -> list[Item]:
    """A fresh card in the place of one that is over; the press on it is another."""
    claim = context.claim
    try:
        card = await in_thread(ask_again, context.runtime, claim.identity, consent_id, thread_id=claim.thread_id)
    except DomainError as error:
        context.turn.say(error.message)
        return []
    context.turn.show([events.asked(card)])
    context.turn.say(phrase("asked_again"))
    return [history.user(f"[asked for a fresh card: {card.message}]")]


async def _show_checkout(context: RunContext) -> list[Item]:
    """The checkout as it is after its own fields changed it, and a fresh confirmation where it can be paid."""
    try:
        view = await in_thread(_look, context)
    except DomainError as error:
        context.turn.say(error.message)
        return []
    shown = Outcome(brief.checkout(view), cards=(Card("checkout", view.model_dump(mode="json"), key=view.id),))
    context.turn.show(cards_of(shown, context.claim.run_id))
    parts = ", ".join(one.label for one in view.tenders) or "no gift card or store credit"
    noted = [history.user(f"[changed on the checkout card what pays: {parts}; {view.due} is left]")]
    if view.missing or view.problems:
        return noted
    return noted + await _press(context, ActionName.REQUEST_CONFIRMATION, {})


def _look(context: RunContext) -> CheckoutView:
    with context.tools.unit_of_work() as session:
        return checkout.current(session, context.claim.identity)


def _set_card(context: RunContext, card_token: str, save: bool) -> CheckoutView:
    return checkout.use_card(context.runtime, context.claim.identity, card_token, save=save)
