"""What an agent says of a checkout, taken in: items, contacts, address, codes. Nothing here asks the database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from engine.agentic import items, messages
from engine.agentic.errors import PersonalData
from engine.agentic.session_models import AgentSession
from engine.agentic.wishes import Body, Unsaid, Wish
from engine.checkout.models import CheckoutSession
from engine.conversations.masking import mask_cards
from engine.customers.addresses import PARTS, check_email, normalize
from engine.customers.errors import AddressIncomplete, ContactInvalid

_WRONG_EMAIL: Final = "This e-mail address does not look right."
_PERSONAL: Final = frozenset({"email", "e-mail", "phone", "phone_number", "name", "first_name", "last_name", "address"})


def take_in(checkout: CheckoutSession, extra: AgentSession, wish: Wish) -> None:
    """Write down what is wished, before it has a price. Raises ``InvalidInput`` for more than anybody buys."""
    if not isinstance(wish.items, Unsaid):
        checkout.lines = items.lines_of(wish.items)
    if not isinstance(wish.order_notes, Unsaid):
        extra.order_notes = mask_cards(wish.order_notes) or None
    if not isinstance(wish.codes, Unsaid):
        extra.said = extra.said | {"codes": list(wish.codes)}
    checkout.discount_codes = list(dict.fromkeys(spelled(extra)))
    if not isinstance(wish.groups, Unsaid):
        extra.said = extra.said | {"groups": [_masked(one) for one in wish.groups]}
    if not isinstance(wish.details, Unsaid):
        _set_details(checkout, extra, wish.details)
    if not isinstance(wish.buyer, Unsaid):
        remember_buyer(checkout, extra, wish.buyer)
    elif not isinstance(wish.details, Unsaid):
        fold_contacts(checkout, extra)


def wrong_contact(buyer: Mapping[str, Any] | None, details: Mapping[str, Any] | None) -> Body | None:
    """What is to be said of an e-mail that comes with the payment and cannot be right: nothing of it is taken in."""
    for place, said in (("$.buyer.email", buyer), ("$.fulfillment_details.email", details)):
        if said and "email" in said and not _is_email(said["email"]):
            return _fault(place, _WRONG_EMAIL)
    return None


def _is_email(text: str) -> bool:
    try:
        check_email(text)
    except ContactInvalid:
        return False
    return True


def check_attribution(attribution: Mapping[str, Any] | None) -> None:
    """Raises ``PersonalData`` where an attribution names a person."""
    for name, value in _leaves(attribution or {}):
        if name.lower() in _PERSONAL or ("@" in value and "://" not in value):
            raise PersonalData("An attribution holds no personal data.", param="$.affiliate_attribution")


def remember_buyer(checkout: CheckoutSession, extra: AgentSession, buyer: Body | None) -> None:
    """Who buys, as given; what cannot be right is told as a message and not used."""
    extra.said = {name: value for name, value in extra.said.items() if name != "buyer"}
    if buyer:
        extra.said = extra.said | {"buyer": buyer}
    fold_contacts(checkout, extra)


def spelled(extra: AgentSession) -> list[str]:
    """The codes that were sent, as ours are spelled."""
    return [code.strip().upper() for code in extra.said.get("codes", [])]


def _masked(group: Body) -> Body:
    """People read instructions: a card's number has no place in them."""
    return group | {"instructions": mask_cards(group["instructions"])} if "instructions" in group else group


def _set_details(checkout: CheckoutSession, extra: AgentSession, details: Body | None) -> None:
    """Whom it is for and where it goes. An address that cannot be right is told and not used."""
    faults = [one for one in extra.said.get("faults", []) if not one["param"].startswith("$.fulfillment_details")]
    said = {name: value for name, value in extra.said.items() if name not in {"details", "faults"}}
    address = (details or {}).get("address")
    checkout.ship_to = None
    if address:
        try:
            checkout.ship_to = normalize({part: address.get(part) for part in (*PARTS, "line_two")})
        except AddressIncomplete as error:
            faults.append(_fault(f"{messages.ADDRESS}.{error.param}", "This part of the address cannot be right."))
    extra.said = said | ({"details": details} if details else {}) | ({"faults": faults} if faults else {})


def fold_contacts(checkout: CheckoutSession, extra: AgentSession) -> None:
    """Name, e-mail and phone of who buys, else of whom it is for."""
    buyer, details = extra.said.get("buyer", {}), extra.said.get("details", {})
    faults = [one for one in extra.said.get("faults", []) if not one["param"].endswith(".email")]
    folded: Body = {}
    name = buyer.get("full_name") or " ".join(filter(None, (buyer.get("first_name"), buyer.get("last_name"))))
    name = name or details.get("name") or (details.get("address") or {}).get("name")
    if name:
        folded["name"] = " ".join(str(name).split())
    for place, said in (("$.buyer.email", buyer), ("$.fulfillment_details.email", details)):
        if "email" in said and _is_email(said["email"]):
            folded.setdefault("email", check_email(said["email"]))
        elif "email" in said:
            faults.append(_fault(place, _WRONG_EMAIL))
    if phone := buyer.get("phone_number") or details.get("phone_number"):
        folded["phone"] = str(phone)
    checkout.buyer = folded
    extra.said = {k: v for k, v in extra.said.items() if k != "faults"} | ({"faults": faults} if faults else {})


def _fault(param: str, content: str) -> Body:
    return {
        "type": "error",
        "code": "invalid",
        "param": param,
        "content": content,
        "severity": "medium",
        "resolution": "requires_buyer_input",
    }


def _leaves(value: Mapping[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            found += _leaves(inner)
        elif isinstance(inner, str):
            found.append((name, inner))
        else:
            found.append((name, ""))
    return found
