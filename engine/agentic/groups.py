"""Groups of items that are to be delivered each in its way: carried out as far as one way carries the whole order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.agentic.messages import Message
from engine.agentic.seen import told_type
from engine.shipping.service import Option

Group = Mapping[str, Any]


def choice(groups: Sequence[Group], options: Sequence[Option], chosen: Option | None) -> Option | None:
    """The way that does what the first group asks for: the one that is chosen already, else the first offered."""
    if not groups:
        return chosen
    if chosen and _does(chosen, groups[0]):
        return chosen
    return next((one for one in options if _does(one, groups[0])), chosen)


def problems(groups: Sequence[Group], chosen: Option | None) -> list[Message]:
    """The groups that the chosen way of the whole order does not carry. What is to be sent waits for its address."""
    return [
        _unsupported(number, group, chosen)
        for number, group in enumerate(groups)
        if not (_does(chosen, group) if chosen else group["destination_type"] in {"shipping", "local_delivery"})
    ]


def _does(option: Option, group: Group) -> bool:
    """Whether a way to deliver is what a group asks for; a place is only asked for where it is fetched."""
    if told_type(option) != group["destination_type"]:
        return False
    wanted = group.get("location_id")
    return option.place is None or not wanted or option.place["location_id"] == wanted


def _unsupported(number: int, group: Group, chosen: Option | None) -> Message:
    kind = str(group["destination_type"]).replace("_", " ")
    how = f"all of it goes by “{chosen.title}”" if chosen else "it is not offered for this order"
    words = f"This group cannot be fulfilled by {kind}: {how}. One way to deliver carries the whole order."
    return Message("error", words, "unsupported", f"$.fulfillment_groups[{number}]", "high", "requires_buyer_input")
