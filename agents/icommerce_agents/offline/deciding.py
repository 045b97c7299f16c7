"""Which intent a clause is: what the rules say, weighed against the trained layer and what the tools can do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from icommerce_agents.offline import intents, lexicon, slots, wishes
from icommerce_agents.offline.abilities import TRANSFER
from icommerce_agents.offline.references import lines_meant
from icommerce_agents.offline.scene import Scene

ABILITY: Final[Mapping[str, str]] = {
    "track": "track_order",
    "order_status": "list_orders",
    "refund_status": "get_refunds",
    "cancel_order": "quote_cancel",
    "change_address": "quote_address_change",
    "change_payment": "quote_payment_change",
    "change_items": "quote_item_change",
    "return_item": "quote_return",
    "exchange_item": "quote_return",
    "return_options": "get_return_options",
    "return_status": "list_returns",
    "return_sent": "mark_return_sent",
    "return_cancel": "quote_return_cancel",
    "warranty_info": "list_warranties",
    "warranty_claim": "file_claim",
    "claim_status": "get_claim",
    "claim_choice": "offer_claim_choice",
    "claim_answer": "answer_claim",
    "reorder": "reorder",
    "complaint": "complain",
    "sign_in": "send_sign_in_code",
    "availability": "check_availability",
    "goes_with": "recommend_products",
    "promotions": "list_discounts",
    "saved_addresses": "list_addresses",
    "use_address": "use_address",
    "store_credit": "use_store_credit",
    "stock_by_location": "stock_by_location",
    "stock_movements": "stock_movements",
    "low_stock": "low_stock",
    "stuck_orders": "list_stuck_orders",
    "explain_routing": "explain_routing",
    "exceptions": "list_exceptions",
    "run_why": "explain_run",
    "run_again": "retry_run",
    "runs_stopped": "list_stopped_runs",
    "systems_state": "pipeline_state",
    "job_status": "background_work",
    "retry_job": "resend_webhooks",
    "staff_find_order": "find_order",
    "transfer_stock": "propose_transfer",
    "count_stock": "propose_count",
    "incoming": "list_incoming",
    "receive_stock": "propose_receipt",
    "settle_exception": "settle_exception",
    "lost_parcel": "propose_remedy",
    "locations": "list_locations",
    "counts": "list_counts",
    "hold_order": "find_order",
    "release_order": "propose_release",
}
"""What an intent of the trained layer comes down to in the end."""
_OF_ORDERS: Final = re.compile(r"\b(orders?|ordered|bought|purchased?|delivered|received|got|came|arrived)\b")
_RENAMED: Final = {"order_cancel": "cancel_order"}


@cache
def kinds(name: str) -> frozenset[str]:
    """The intents of one group: service, shop or staff."""
    return frozenset(str(intent) for intent in _told()[name])


@cache
def _told() -> dict[str, Any]:
    found: dict[str, Any] = lexicon.load("wishes")
    return found


@cache
def taught() -> frozenset[str]:
    """Every intent that the layer decides."""
    return kinds("service") | kinds("shop") | kinds("staff")


def usable(intent: str, scene: Scene) -> bool:
    """Whether a tool of this request does it, or an agent it can be handed to may."""
    binding, ability = scene.dialogue.binding, ABILITY[intent]
    if intent in kinds("staff") and not scene.staff and not binding.has(ability):
        return False
    if not binding.by_tool and not binding.loose:
        return True
    agent = next((a for a, names in lexicon.table("specialists").items() if ability in names), "commerce")
    handed = any(result.call.name == f"{TRANSFER}{agent}" for result in scene.dialogue.turn)
    return binding.has(ability) or (binding.has(f"{TRANSFER}{agent}") and not handed)


def intent_of(piece: str, scene: Scene, flags: frozenset[str]) -> str | None:
    """The intent of a clause in plain words; ``None`` where neither knows."""
    rule = intents.by_rule(piece, flags)
    against = _told()["against"]
    if rule is not None and rule not in against and not (rule == "pay" and not scene.lines and not scene.checking_out):
        return rule
    found = wishes.chances(piece)
    if general := _general(piece, found):
        return general
    if _counts_again(piece, rule, scene, flags):
        return "set_quantity"
    ours = {name: found[name] for name in taught() if name in found and usable(name, scene)}
    least = float(against.get(rule, _told()["alone"]))
    if rule in kinds("staff"):
        ours = {name: chance for name, chance in ours.items() if name in kinds("staff")}
    best_other = max((chance for name, chance in found.items() if name not in ours), default=0.0)
    if (
        ours
        and sum(ours.values()) >= least
        and (rule in ABILITY or rule in _RENAMED or max(ours.values()) > best_other)
    ):
        best = max(ours, key=lambda name: ours[name])
        return _in_scene(best, rule, piece, scene)
    return _RENAMED.get(rule or "", rule)


def _general(piece: str, found: Mapping[str, float]) -> str | None:
    """What is no matter of one order and the layer is sure of: a person, or how the shop takes things back."""
    best = max(found, key=lambda name: found[name], default="")
    least = _told()["general"].get(best)
    of_one = slots.order_number(piece) or _OF_ORDERS.search(piece) or re.search(r"\b(?:my|this|that|it|the)\b", piece)
    return best if least and found[best] >= least and (best == "human" or not of_one) else None


def _counts_again(piece: str, rule: str | None, scene: Scene, flags: frozenset[str]) -> bool:
    """Another number of what was just put into the cart, with no wish of its own: ``three lamps will do``."""
    if rule not in {None, "browse", "refine", "details", "no"} or not {"cart", "added"} <= flags:
        return False
    named = lines_meant(piece, scene, strict=True)
    return slots.quantity(piece) is not None and len(named) == 1 and not _SEEKS.search(piece)


_SEEKS: Final = re.compile(r"\?|\b(?:show|find|look\w*|search|add|also|another|more|too|need|any|other|cheaper|for)\b")


def _in_scene(intent: str, rule: str | None, piece: str, scene: Scene) -> str | None:
    """The same words mean the cart or the checkout while there is one, and an order that was placed otherwise."""
    placed = bool(_OF_ORDERS.search(piece) or slots.order_number(piece)) and not (
        scene.checking_out and not scene.orders
    )
    if rule == "order_status" and "@" in piece and not scene.staff:
        return rule
    known = placed or scene.orders or re.search(r"\bmy\b(?! money)", piece)
    if not known and (rule == "returns_policy" or intent == "return_options"):
        return "returns_policy"
    if intent in {"cancel_order", "return_cancel"}:
        return _canceled(intent, rule, piece, scene, placed=placed)
    if intent in _OF_RETURN and slots.order_number(piece) in {str(row.get("number")) for row in scene.returns or ()}:
        intent = "return_status"
    if intent in {"change_items", "exchange_item"} and not placed and scene.lines and rule in _OF_CART:
        return rule
    if intent in {"change_address", "use_address"}:
        return _addressed(intent, rule, scene, placed=placed)
    return intent


_OF_RETURN: Final = frozenset({"return_item", "return_options", "order_status", "track"})
_OF_CART: Final = frozenset({"swap", "set_quantity", "add", "refine"})


def _canceled(intent: str, rule: str | None, piece: str, scene: Scene, *, placed: bool) -> str | None:
    if scene.checking_out and not placed:
        return rule if rule not in {None, "order_cancel"} else "decline"
    if intent == "cancel_order" and rule in {"no", "decline"}:
        return rule
    return "remove" if intent == "cancel_order" and not placed and scene.lines and _in_cart(piece, scene) else intent


def _addressed(intent: str, rule: str | None, scene: Scene, *, placed: bool) -> str | None:
    if scene.checking_out and not placed:
        return "use_address" if usable("use_address", scene) else rule
    of_an_order = not scene.checking_out and not scene.lines and (scene.order or scene.orders)
    return "change_address" if of_an_order else intent


def _in_cart(piece: str, scene: Scene) -> bool:
    found = lines_meant(piece, scene, strict=True)
    return 0 < len(found) <= len(scene.lines) and bool(re.search(r"\bthe \w+|\bmy \w+", piece)) and not scene.orders


def is_sure(piece: str, scene: Scene, intent: str) -> bool:
    """Whether the layer has little doubt about an intent."""
    return wishes.chances(piece, (name for name in taught() if usable(name, scene))).get(intent, 0.0) >= _SURE


_SURE: Final = 0.55
