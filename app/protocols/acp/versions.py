"""Which versions of the protocol are spoken, and how an answer reads in the older one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from app.protocols.acp.errors import AcpError

NEWEST: Final = "2026-04-17"
OLDER: Final = "2026-01-30"
SUPPORTED: Final = (NEWEST, OLDER)
"""Newest first."""
_NEW_OF_HANDLER: Final = ("display_name", "display_order")
_OLD_ORDER: Final = (
    *("id", "checkout_session_id", "order_number", "permalink_url"),
    *("estimated_delivery", "confirmation", "support"),
)
_OLD_STATUS: Final = {
    "created": "confirmed",
    "confirmed": "confirmed",
    "processing": "processing",
    "shipped": "shipped",
    "completed": "delivered",
}
Body = dict[str, Any]


def negotiate(wanted: str | None) -> str:
    """The version to answer in. Raises ``AcpError`` where it is not named or not one of ours."""
    if not wanted:
        raise _refused("missing_api_version", "Send an API-Version header with every request.")
    if wanted not in SUPPORTED:
        raise _refused("unsupported_api_version", "This API-Version is not spoken here.")
    return wanted


def project(version: str, body: Body, *, browser: Mapping[str, Any] | None = None) -> Body:
    """An answer of 2026-04-17 as ``version`` knows it: what came later is left out. ``browser`` is what the request
    told of itself, which 2026-01-30 wants to see in ``authentication_metadata``.
    """
    if version == NEWEST:
        return body
    older = {name: value for name, value in body.items() if name != "marketing_consent_options"}
    for name, draw in _DRAW.items():
        if name in older:
            older[name] = draw(older[name])
    if (wanted := older.get("authentication_metadata")) is not None:
        channel = {"type": "browser", "browser": dict(browser or {})}
        older["authentication_metadata"] = {"channel": channel} | wanted
    return older


def _messages(messages: list[Body]) -> list[Body]:
    return [{name: value for name, value in one.items() if name != "resolution"} for one in messages]


def _capabilities(capabilities: Body) -> Body:
    payment = capabilities.get("payment")
    if payment is None:
        return capabilities
    handlers = [
        {name: value for name, value in one.items() if name not in _NEW_OF_HANDLER} for one in payment["handlers"]
    ]
    return capabilities | {"payment": {"handlers": handlers}}


def _discounts(discounts: Body) -> Body:
    return {name: value for name, value in discounts.items() if name != "rejected"}


def _order(order: Body) -> Body:
    older = {name: order[name] for name in _OLD_ORDER if name in order}
    status = _OLD_STATUS.get(order.get("status", ""))
    return older | ({"status": status} if status else {})


def _options(options: list[Body]) -> list[Body]:
    return [
        one | {"location": one["location"] | {"address": _address(one["location"]["address"])}}
        if "location" in one
        else one
        for one in options
    ]


def _details(details: Body) -> Body:
    return details | {"address": _address(details["address"])} if "address" in details else details


def _groups(groups: list[Body]) -> list[Body]:
    return [
        one | {"fulfillment_details": _details(one["fulfillment_details"])} if "fulfillment_details" in one else one
        for one in groups
    ]


def _address(address: Body) -> Body:
    return {name: value for name, value in address.items() if name != "company"}


def _version(_: Body) -> Body:
    return {"version": OLDER}


_DRAW: Final[Mapping[str, Callable[[Any], Any]]] = {
    "protocol": _version,
    "messages": _messages,
    "capabilities": _capabilities,
    "discounts": _discounts,
    "order": _order,
    "fulfillment_options": _options,
    "fulfillment_details": _details,
    "fulfillment_groups": _groups,
}


def _refused(code: str, message: str) -> AcpError:
    return AcpError(400, code, message, param="API-Version", supported_versions=SUPPORTED)
