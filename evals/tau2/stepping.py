"""A recorded call in our agents' tools: what it reads first, so that every id came from a result, then itself.

Names and shapes only. Nothing is decided here: what does not exist goes to the tool as it was said, and the tool says
so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import zip_longest
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.catalog.models import Product, Variant
from engine.customers.models import PaymentMethod
from engine.payments.stored_value_models import StoredValueAccount
from evals.tau2.cases import Call
from evals.tau2.recital import OurCall
from evals.tau2.shapes import Json

_SUMMARY: Final = 600
"""Characters that our handoff takes."""


class Gate(StrEnum):
    """Where our house is stricter on purpose."""

    SIGN_IN = "sign_in_by_code"
    """A name, or an e-mail address, proves nobody: a code is sent, and typed in."""
    UNAUTHENTICATED = "nothing_private_before_sign_in"
    OTHER_CUSTOMER = "nothing_of_another_customer"
    AFTER_HANDOFF = "no_agent_after_handoff"
    NOTHING_TO_CHANGE = "nothing_to_change"
    """What is so already is not asked for on a card."""


class Steps:
    """The ids of one imported shop, and how its calls are said in our tools.

    ``signed_in`` is the customer whom the conversation's session belongs to by now.
    """

    def __init__(self, session: Session, tenant_id: str, db: Json) -> None:
        self._db = db
        self.signed_in: str | None = None
        self._read: set[str] = set()
        self._variants = _ids(session, tenant_id, Variant, "sku")
        self._products = _ids(session, tenant_id, Product, "external_id")
        self._methods = {
            **_ids(session, tenant_id, PaymentMethod, "external_id"),
            **_ids(session, tenant_id, StoredValueAccount, "external_id"),
        }

    def of(self, call: Call) -> list[OurCall]:
        """Nothing for what no tool of ours does: the shop's own sums, somebody who is not found by name."""
        making = getattr(self, f"_{call.name}", None)
        return [] if making is None else list(making(**call.arguments))

    def gate(self, call: Call) -> Gate | None:
        """What keeps our house from doing this, whatever the rules say."""
        order = self._db["orders"].get(call.arguments.get("order_id"))
        owner = order["user_id"] if order else call.arguments.get("user_id")
        if self.signed_in is None:
            return Gate.UNAUTHENTICATED
        return Gate.OTHER_CUSTOMER if owner in self._db["users"] and owner != self.signed_in else None

    def found_by(self, call: Call) -> str | None:
        """Whom a look-up of the recording found."""
        return str(call.result) if call.error is None and call.result in self._db["users"] else None

    def email_of(self, user_id: str) -> str:
        email: str = self._db["users"][user_id]["email"]
        return email

    def _find_user_id_by_email(self, email: str) -> Iterator[OurCall]:
        if self.signed_in is None:
            yield OurCall("send_sign_in_code", {"email": email})

    def _find_user_id_by_name_zip(self, first_name: str, last_name: str, zip: str) -> Iterator[OurCall]:  # noqa: A002
        wanted = (first_name.lower(), last_name.lower(), zip)
        for user in self._db["users"].values():
            name = (user["name"]["first_name"].lower(), user["name"]["last_name"].lower(), user["address"]["zip"])
            if name == wanted and self.signed_in is None:
                yield OurCall("send_sign_in_code", {"email": user["email"]})

    def _get_user_details(self, user_id: str) -> Iterator[OurCall]:  # noqa: ARG002 (it is the session's)
        yield OurCall("get_profile", {})

    def _get_order_details(self, order_id: str) -> Iterator[OurCall]:
        yield OurCall("get_order", {"order": order_id})

    def _get_product_details(self, product_id: str) -> Iterator[OurCall]:
        yield OurCall("get_product", {"product_id": self._products.get(product_id, product_id)})

    def _get_item_details(self, item_id: str) -> Iterator[OurCall]:
        yield OurCall("check_availability", {"item_id": self._variants.get(item_id, item_id)})

    def _list_all_product_types(self) -> Iterator[OurCall]:
        yield OurCall("list_products", {})

    def _calculate(self, expression: str) -> Iterator[OurCall]:
        yield OurCall("calculate", {"expression": expression})

    def _transfer_to_human_agents(self, summary: str) -> Iterator[OurCall]:
        yield OurCall("request_human", {"reason": "cannot_help", "summary": summary[:_SUMMARY]})

    def _cancel_pending_order(self, order_id: str, reason: str) -> Iterator[OurCall]:
        yield from self._before(order_id)
        yield OurCall("quote_cancel", {"order": order_id, "reason": reason.replace(" ", "_")})

    def _modify_pending_order_address(self, order_id: str, **address: str) -> Iterator[OurCall]:
        yield from self._before(order_id)
        yield OurCall("quote_address_change", {"order": order_id} | self._place(order_id, address))

    def _modify_user_address(self, user_id: str, **address: str) -> Iterator[OurCall]:
        yield from self._once(OurCall("get_profile", {}))
        yield OurCall("quote_default_address", self._place(user_id, address))

    def _modify_pending_order_payment(self, order_id: str, payment_method_id: str) -> Iterator[OurCall]:
        yield from self._before(order_id)
        ref = self._method(payment_method_id)
        yield OurCall("quote_payment_change", {"order": order_id, "payment_method_ref": ref})

    def _modify_pending_order_items(
        self, order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
    ) -> Iterator[OurCall]:
        yield from self._before(order_id, item_ids)
        swaps = [{"variant_id": old, "to_variant_id": new} for old, new in self._pairs(item_ids, new_item_ids)]
        yield OurCall("quote_item_change", {"order": order_id, "swaps": swaps} | self._both_ways(payment_method_id))

    def _return_delivered_order_items(
        self, order_id: str, item_ids: list[str], payment_method_id: str
    ) -> Iterator[OurCall]:
        yield from self._before(order_id)
        lines = [{"variant_id": old, "reason": "other"} for old, _ in self._pairs(item_ids, item_ids)]
        yield OurCall("quote_return", {"order": order_id, "lines": lines, "refund_to": self._method(payment_method_id)})

    def _exchange_delivered_order_items(
        self, order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
    ) -> Iterator[OurCall]:
        yield from self._before(order_id, item_ids)
        lines = [
            {"variant_id": old, "exchange_variant_id": new, "reason": "other"}
            for old, new in self._pairs(item_ids, new_item_ids)
        ]
        yield OurCall("quote_return", {"order": order_id, "lines": lines} | self._both_ways(payment_method_id))

    def _before(self, order_id: str, item_ids: Sequence[str] = ()) -> Iterator[OurCall]:
        """What has to be read before such a change can be named."""
        yield from self._once(OurCall("get_order", {"order": order_id}))
        order = self._db["orders"].get(order_id, {"items": []})
        for product_id in dict.fromkeys(one["product_id"] for one in order["items"] if one["item_id"] in item_ids):
            yield from self._once(OurCall("get_product", {"product_id": self._products[product_id]}))
        yield from self._once(OurCall("get_profile", {}))

    def _once(self, call: OurCall) -> Iterator[OurCall]:
        """Read it, unless this conversation has."""
        if repr(call) not in self._read:
            self._read.add(repr(call))
            yield call

    def _method(self, method_id: str) -> str:
        return self._methods.get(method_id, method_id)

    def _both_ways(self, method_id: str) -> dict[str, str]:
        """The way that pays a difference, or gets it."""
        return {"payment_method_ref": self._method(method_id), "refund_to": self._method(method_id)}

    def _pairs(self, item_ids: Sequence[str], new_item_ids: Sequence[str]) -> list[tuple[str, str]]:
        """Line by line in our ids; what has no other half stands beside nothing."""
        known = [[self._variants.get(item_id, item_id) for item_id in one] for one in (item_ids, new_item_ids)]
        return list(zip_longest(known[0], known[1], fillvalue=""))

    def _place(self, key: str, address: dict[str, str]) -> dict[str, str]:
        order = self._db["orders"].get(key)
        user = self._db["users"].get(order["user_id"] if order else key, {"name": {"first_name": "", "last_name": ""}})
        return {
            "name": f"{user['name']['first_name']} {user['name']['last_name']}",
            "line_one": address["address1"],
            "line_two": address["address2"],
            "city": address["city"],
            "state": address["state"],
            "postal_code": address["zip"],
            "country": address["country"],
        }


def _ids(session: Session, tenant_id: str, model: Any, key: str) -> dict[str, str]:
    """Our ids by what the shop's file calls them."""
    query = select(getattr(model, key), model.id).where(model.tenant_id == tenant_id)
    return {name: found for name, found in session.execute(query) if name}
