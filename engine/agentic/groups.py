"""How an agent says which items go which way: ways it selected, and groups of items with the kind of way each wants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from engine.agentic.errors import ItemUnknown
from engine.agentic.messages import Message
from engine.agentic.seen import line_id, told_type
from engine.agentic.wishes import Selected
from engine.checkout.facts import Facts
from engine.checkout.models import CheckoutSession
from engine.checkout.pricing import Quote
from engine.kit.errors import InvalidInput
from engine.shipping import digital, pickup
from engine.shipping.service import Option

Group = Mapping[str, Any]
_NOT_OFFERED: Final = "That way to deliver is not offered for this order."


@dataclass(slots=True)
class Choice:
    """The way of all lines, and of those that go another."""

    option_id: str | None = None
    ways: dict[str, str] = field(default_factory=dict)


def selected(checkout: CheckoutSession, found: Facts, wanted: Sequence[Selected]) -> Choice:
    """What was selected: a way that names no items is everything's that no other names.

    Raises ``InvalidInput`` for two ways of one item, and for parcels of what has none; ``ItemUnknown``.
    """
    carried = _carried(checkout, found)
    named: dict[str, str] = {}
    for number, one in enumerate(wanted):
        place = f"$.selected_fulfillment_options[{number}]"
        ids = _variants(checkout, one.item_ids, f"{place}.item_ids")
        if one.type == digital.TYPE:
            if one.option_id != digital.TYPE or set(ids or checkout_ids(checkout)) <= set(carried):
                raise InvalidInput(_NOT_OFFERED, param=f"{place}.option_id")
            continue
        for variant_id in ids:
            if variant_id in carried and named.setdefault(variant_id, one.option_id) != one.option_id:
                raise InvalidInput("One item goes one way.", param=f"{place}.item_ids")
    whole = [one for one in wanted if not one.item_ids and one.type != digital.TYPE]
    if len({one.option_id for one in whole}) > 1:
        raise InvalidInput("Say which items go which way.", param="$.selected_fulfillment_options")
    return _choice(carried, named, whole[0].option_id if whole else None)


def check_selected(checkout: CheckoutSession, quote: Quote, wanted: Sequence[Selected]) -> None:
    """That each item goes the way that was selected for it. Raises ``InvalidInput``."""
    known = {option.id: option for option in offered(quote)}
    for number, one in enumerate(wanted):
        option, place = known.get(one.option_id), f"$.selected_fulfillment_options[{number}].option_id"
        if option is None or one.type != told_type(option):
            raise InvalidInput(_NOT_OFFERED, param=place)
        ids = set(_variants(checkout, one.item_ids, place)) - (quote.digital if one.type != digital.TYPE else set())
        if any(option_of(quote, variant_id) != one.option_id for variant_id in ids):
            raise InvalidInput("That way to deliver is not offered for these items.", param=place)


def grouped(checkout: CheckoutSession, found: Facts, groups: Sequence[Group], quote: Quote) -> Choice | None:
    """The ways that do what the groups ask for, as far as they are offered: one that is chosen already before any
    other; ``None`` where nothing is asked for.
    """
    if not groups:
        return None
    carried = _carried(checkout, found)
    named: dict[str, str] = {}
    rest: str | None = None
    for group in groups:
        if group["destination_type"] == digital.TYPE:
            continue
        ids = [one for one in _known(checkout, group["item_ids"]) if one in carried]
        way = _way(found, group, ids or carried, quote)
        if way is not None and ids:
            named |= {one: way for one in ids if one not in named}
        elif way is not None and not group["item_ids"]:
            rest = rest or way
    present = checkout.fulfillment_option_id
    if not named and rest is None:
        return None
    return _choice(carried, named, rest or (present if present != digital.TYPE else None))


def problems(checkout: CheckoutSession, groups: Sequence[Group], quote: Quote) -> list[Message]:
    """The groups that are not carried as they ask. What is to be sent waits for its address."""
    return [
        _unsupported(number, group, quote)
        for number, group in enumerate(groups)
        if not _is_carried(checkout, group, quote)
    ]


def offered(quote: Quote) -> list[Option]:
    """Every way of a checkout, the digital one too where some of it goes that."""
    known = {option.id for option in quote.options}
    return [*quote.options, *(way.option for way in quote.ways if way.option and way.option.id not in known)]


def option_of(quote: Quote, variant_id: str) -> str | None:
    """The way that a line goes."""
    for way in quote.ways:
        if variant_id in way.variant_ids:
            return way.option.id if way.option else None
    return quote.selected.id if quote.selected else None


def checkout_ids(checkout: CheckoutSession) -> list[str]:
    return [row["variant_id"] for row in checkout.lines]


def _choice(carried: Sequence[str], named: Mapping[str, str], rest: str | None) -> Choice:
    """One way is everything's: the one of what is not named, else one by which it is sent, else the place where all of
    it is fetched. Where some are fetched and nothing is said of the others, these go as they would by themselves.
    """
    used = [named[one] for one in carried if one in named]
    sent = [one for one in used if not one.startswith(pickup.PREFIX)]
    all_fetched = used if len(used) == len(carried) else []
    everything = rest or next(iter(sent or all_fetched), None)
    if everything and everything.startswith(pickup.PREFIX) and sent:
        left = {one: everything for one in carried if one not in named}
        everything, named = sent[0], {**named, **left}
    return Choice(everything, {one: named[one] for one in carried if named.get(one, everything) != everything})


def _carried(checkout: CheckoutSession, found: Facts) -> list[str]:
    return [one for one in checkout_ids(checkout) if not found.is_digital(one)]


def _known(checkout: CheckoutSession, item_ids: Iterable[str]) -> list[str]:
    """The variants of ids of items or line items; what is not in here is left out."""
    names = {name: one for one in checkout_ids(checkout) for name in (one, line_id(one))}
    return [names[one] for one in dict.fromkeys(item_ids) if one in names]


def _variants(checkout: CheckoutSession, item_ids: Sequence[str], place: str) -> list[str]:
    found = _known(checkout, item_ids)
    if len(found) < len(set(item_ids)) and {*item_ids} - {*found, *(line_id(one) for one in found)}:
        raise ItemUnknown("There is no such item in this checkout.", param=place)
    return found


def _way(found: Facts, group: Group, ids: Sequence[str], quote: Quote) -> str | None:
    """The option that a group's items are to go."""
    now = {option_of(quote, one) for one in ids}
    options = sorted(offered(quote), key=lambda one: one.id not in now)
    if known := next((one.id for one in options if _does(one, group)), None):
        return known
    if group["destination_type"] != "pickup":
        return None
    places = [group["location_id"]] if group.get("location_id") else list(found.lying_at)
    return next(
        (pickup.option_of(place) for place in places if set(ids) <= found.lying_at.get(place, frozenset())), None
    )


def _does(option: Option, group: Group) -> bool:
    """Whether a way to deliver is what a group asks for; a place is only asked for where it is fetched."""
    if told_type(option) != group["destination_type"]:
        return False
    wanted = group.get("location_id")
    return option.place is None or not wanted or option.place["location_id"] == wanted


def _is_carried(checkout: CheckoutSession, group: Group, quote: Quote) -> bool:
    kind = group["destination_type"]
    if (kind == digital.TYPE) and not quote.digital:
        return False
    ids = _known(checkout, group["item_ids"])
    if kind != digital.TYPE and not group["item_ids"]:
        ids = [one for one in checkout_ids(checkout) if one not in quote.digital]
    known = {option.id: option for option in offered(quote)}
    for one in ids:
        option = known.get(option_of(quote, one) or "")
        if option is None and kind not in {"shipping", "local_delivery"}:
            return False
        if option is not None and not _does(option, group):
            return False
    return bool(ids) or not group["item_ids"]


def _unsupported(number: int, group: Group, quote: Quote) -> Message:
    kind = str(group["destination_type"]).replace("_", " ")
    how = f"the way to deliver is “{quote.selected.title}”" if quote.selected else "no way is offered yet"
    words = f"This group cannot be fulfilled by {kind}: it is not offered for these items; {how}."
    return Message("error", words, "unsupported", f"$.fulfillment_groups[{number}]", "high", "requires_buyer_input")
