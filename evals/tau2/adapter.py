"""The benchmark's sixteen tools on top of our agents' own tools: names and shapes, nothing else.

Whoever calls them plays the shop's agent, and the customer it speaks of counts as signed in. Each change of ours shows
a card that its shopper has to press: here it is pressed at once, and kept in ``cards``. What the benchmark's lookups
are strict about (an id is written as it is written, with its ``#``) is strict here too; ours forgive more.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import structlog
from pydantic import ValidationError

from engine.checks import broken_rules
from engine.conversations.service import create_thread
from engine.customers import finding
from engine.customers.errors import SameAddress
from engine.customers.models import Customer, Shopper
from engine.kit.errors import DomainError
from engine.kit.identity import Actor, Identity
from engine.kit.ids import new_id
from engine.orders.errors import NothingToChange
from engine.runtime import Runtime
from evals.tau2 import exporting
from evals.tau2.as_said import Words
from evals.tau2.asked import checked
from evals.tau2.bringing_people import Person
from evals.tau2.importing import Imported, import_shop
from evals.tau2.order_shape import export_order, reasons
from evals.tau2.pressing import press
from evals.tau2.reasons import Reason
from evals.tau2.refusals import Refused, refused
from tools.spec import Outcome as ToolOutcome
from tools.spec import ToolContext, load

log = structlog.get_logger(__name__)
_NONE: Final = "0" * 26
NO_VARIANT, NO_WAY, NO_REASON = f"var_{_NONE}", f"pm_{_NONE}", "unknown"
"""Stand for what the shop does not have, so that our own tool says so in its turn."""
_SUMMARY: Final = 600
_CARDS: Final = 20
"""So many cards are pressed in one session of a customer, then they come back in another: of one session the shop takes
only so many in an hour.
"""
Shape = dict[str, Any]
Outcome = tuple[Any, str | None]


@dataclass(frozen=True, slots=True)
class Pressed:
    """A card that a change of ours raised, and was agreed to on."""

    call: str
    tool: str
    consent_id: str
    user_id: str


class Adapter:
    """The shop of one ``reset``, acted on through our engine. Without a ``runtime`` it brings its own store."""

    def __init__(self, runtime: Runtime | None = None) -> None:
        self._given = runtime
        self._shop: Imported | None = None
        self._contexts: dict[str, ToolContext] = {}
        self._words = Words()
        self._pressed: Counter[str] = Counter()
        self.cards: list[Pressed] = []
        """Those of this shop, oldest first."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def runtime(self) -> Runtime:
        """The engine: the one that was given, or this process's own."""
        if self._given is None:
            from evals.tau2.embedded import process_runtime

            self._given = process_runtime()
        return self._given

    @property
    def shop(self) -> Imported:
        """The tenant that ``reset`` made, and who and what is in it. Raises ``RuntimeError`` before that."""
        if self._shop is None:
            raise RuntimeError("There is no shop yet: call reset first.")
        return self._shop

    def reset(self, db: Shape) -> None:
        """Begin anew with the shop of ``db`` (all of it, or a slice), as a tenant of its own.

        Raises ``NotThisShop`` for what is none.
        """
        self._shop = import_shop(self.runtime, db, slug=f"tau2-{new_id('tenant')[4:]}")
        self._contexts, self.cards, self._words = {}, [], Words()

    def call(self, name: str, arguments: Shape) -> Outcome:
        """``(result, None)`` as the benchmark records it (objects as JSON), or ``("Error: …", reason)`` with the class
        of the reason. Never raises; a call that is refused changes nothing.
        """
        try:
            result = self._tool(name)(**checked(name, arguments))
        except Refused as error:
            return f"Error: {error.words}", error.reason.value
        except DomainError as error:
            return f"Error: {error.message}", refused(error).reason.value
        except Exception:
            log.exception("a call failed", tool=str(name)[:80])
            return "Error: The shop could not do that just now.", Reason.MALFORMED.value
        return (result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)), None

    def export(self) -> Shape:
        """The shop's state in the benchmark's shape, read from our own rows."""
        state = exporting.export_shop(self.runtime.store, self.shop.tenant_id)
        return state | {table: self._words.of_all(state[table]) for table in ("users", "orders")}

    def check(self) -> list[str]:
        """The standing invariants that do not hold in this shop; none, when all is well."""
        found = broken_rules(self.runtime, self.shop.tenant_id, self.shop.slug)
        return [f"{result.name}: {result.detail}" for result in found]

    def close(self) -> None:
        """The store stays for the next adapter of this process, which may begin with a shop of its own."""
        self._shop, self._contexts, self.cards = None, {}, []

    def _tool(self, name: Any) -> Callable[..., str | Shape]:
        checked_name = name if isinstance(name, str) else ""
        found: Callable[..., str | Shape] = getattr(self, f"_call_{checked_name}", self._call_nothing)
        return found

    def _call_nothing(self, **_: Any) -> str:
        raise Refused(Reason.MALFORMED, "There is no such tool.")

    # reads

    def _call_find_user_id_by_email(self, email: str) -> str:
        with self.runtime.unit_of_work(self.shop.tenant_id) as session:
            row = finding.by_email(session, self.shop.tenant_id, email)
            return _named(row, strict=row.email.lower() == email.lower())

    def _call_find_user_id_by_name_zip(self, first_name: str, last_name: str, zip: str) -> str:  # noqa: A002
        with self.runtime.unit_of_work(self.shop.tenant_id) as session:
            row = finding.by_name(
                session, self.shop.tenant_id, given_name=first_name, family_name=last_name, postal_code=zip
            )
            said = (first_name.lower(), last_name.lower())
            return _named(row, strict=said == (row.given_name.lower(), row.family_name.lower()) and zip == zip.strip())

    def _call_get_user_details(self, user_id: str) -> Shape:
        return self._user(self._person(user_id))

    def _call_get_order_details(self, order_id: str) -> Shape:
        self._buyer(order_id)
        return self._order(order_id)

    def _call_get_product_details(self, product_id: str) -> Shape:
        own = self.shop.products.get(product_id)
        if own is None:
            raise Refused(Reason.NOT_FOUND, "Product not found")
        return exporting.export_product(self.runtime.store, self.shop.tenant_id, own)

    def _call_get_item_details(self, item_id: str) -> Shape:
        goods = self.shop.goods.get(item_id)
        if goods is None:
            raise Refused(Reason.NOT_FOUND, "Item not found")
        found = exporting.export_product(self.runtime.store, self.shop.tenant_id, goods.product_id)
        variant: Shape = found["variants"][item_id]
        return variant

    def _call_list_all_product_types(self) -> str:
        theirs = {own: external for external, own in self.shop.products.items()}
        items = self._run(self._context(), "list_products", {})["items"]
        return json.dumps({item["title"]: theirs[item["product_id"]] for item in items}, sort_keys=True)

    def _call_calculate(self, expression: str) -> str:
        return _printed(str(self._run(self._context(), "calculate", {"expression": expression})["value"]))

    def _call_transfer_to_human_agents(self, summary: str) -> str:
        self._run(self._context(), "request_human", {"reason": "cannot_help", "summary": summary[:_SUMMARY] or "-"})
        return "Transfer successful"

    # changes

    def _call_cancel_pending_order(self, order_id: str, reason: str) -> Shape:
        codes = {words: code for code, words in reasons().items()}
        return self._change(order_id, "quote_cancel", {"reason": codes.get(reason, NO_REASON)})

    def _call_modify_pending_order_address(self, order_id: str, **parts: str) -> Shape:
        self._change(order_id, "quote_address_change", _place(self._buyer(order_id), parts))
        self._words.keep(order_id, self._order_row(order_id), parts)
        return self._order(order_id)

    def _call_modify_pending_order_payment(self, order_id: str, payment_method_id: str) -> Shape:
        buyer = self._buyer(order_id)
        ref = _way(buyer, payment_method_id)
        try:
            return self._change(order_id, "quote_payment_change", {"payment_method_ref": ref})
        except DomainError:
            if payment_method_id in buyer.methods or "pending" not in self._order(order_id)["status"]:
                raise
            raise Refused(Reason.NOT_OWNED_METHOD, "Payment method not found") from None

    def _call_modify_pending_order_items(
        self, order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
    ) -> Shape:
        ref = _way(self._buyer(order_id), payment_method_id)
        swaps = [
            {"variant_id": self._variant(old), "to_variant_id": self._variant(new)}
            for old, new in _pairs(item_ids, new_item_ids)
        ]
        return self._change(
            order_id,
            "quote_item_change",
            {"swaps": swaps, "payment_method_ref": ref, "refund_to": ref},
            uneven=len(item_ids) != len(new_item_ids),
        )

    def _call_modify_user_address(self, user_id: str, **parts: str) -> Shape:
        person = self._person(user_id)
        with suppress(SameAddress):
            self._press(user_id, "modify_user_address", "quote_default_address", _place(person, parts))
        self._words.keep(user_id, self._user_row(person), parts)
        return self._user(person)

    def _call_return_delivered_order_items(self, order_id: str, item_ids: list[str], payment_method_id: str) -> Shape:
        ref = _way(self._buyer(order_id), payment_method_id)
        lines = [{"variant_id": self._variant(one), "reason": "other"} for one, _ in _pairs(item_ids, item_ids)]
        return self._change(order_id, "quote_return", {"lines": lines, "refund_to": ref})

    def _call_exchange_delivered_order_items(
        self, order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
    ) -> Shape:
        ref = _way(self._buyer(order_id), payment_method_id)
        lines = [
            {"variant_id": self._variant(old), "exchange_variant_id": self._variant(new), "reason": "other"}
            for old, new in _pairs(item_ids, new_item_ids)
        ]
        return self._change(
            order_id,
            "quote_return",
            {"lines": lines, "payment_method_ref": ref, "refund_to": ref},
            uneven=len(item_ids) != len(new_item_ids),
        )

    # what they share

    def _change(self, order_id: str, tool: str, arguments: Shape, *, uneven: bool = False) -> Shape:
        """Ask for a change of an order and agree to it; the order afterwards. Of lists that do not fit together
        (``uneven``) the order's own state is what is looked at first.
        """
        self._buyer(order_id)
        user_id = self.shop.owners[order_id]
        try:
            with suppress(NothingToChange):
                self._press(user_id, tool, tool, {"order": order_id} | arguments)
        except DomainError as error:
            if uneven and refused(error).reason != Reason.WRONG_STATUS:
                raise Refused(Reason.COUNT_MISMATCH, "The number of items to be exchanged should match") from None
            raise
        return self._order(order_id)

    def _press(self, user_id: str, call: str, tool: str, arguments: Shape) -> None:
        context = self._context(user_id)
        for card in self._outcome(context, tool, arguments).cards:
            self.cards.append(Pressed(call, tool, press(context, card), user_id))
            self._pressed[context.thread_id] += 1
        if self._pressed[context.thread_id] >= _CARDS:
            del self._contexts[user_id]

    def _run(self, context: ToolContext, tool: str, arguments: Shape) -> Shape:
        return self._outcome(context, tool, arguments).result

    def _outcome(self, context: ToolContext, tool: str, arguments: Shape) -> ToolOutcome:
        spec = load()[tool]
        try:
            read = spec.arguments.model_validate(arguments)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise Refused(Reason.MALFORMED, f"{where}: {first['msg']}") from None
        return spec.function(context, **{name: getattr(read, name) for name in type(read).model_fields})

    def _context(self, user_id: str = "") -> ToolContext:
        """The conversation with one customer, who counts as signed in; without a name with somebody not known yet."""
        if user_id not in self._contexts:
            customer_id = self._person(user_id).customer_id if user_id else None
            with self.runtime.unit_of_work(self.shop.tenant_id) as session:
                shopper = Shopper(tenant_id=self.shop.tenant_id, id=new_id("shopper"), customer_id=customer_id)
                session.add(shopper)
                identity = Identity(self.shop.tenant_id, Actor.SHOPPER, shopper.id, customer_id=customer_id)
                thread_id = create_thread(session, identity).id
            self._contexts[user_id] = ToolContext(self.runtime, identity, thread_id, new_id("run"))
        return self._contexts[user_id]

    def _person(self, user_id: str) -> Person:
        found = self.shop.people.get(user_id)
        if found is None:
            raise Refused(Reason.NOT_FOUND, "User not found")
        return found

    def _buyer(self, order_id: str) -> Person:
        user_id = self.shop.owners.get(order_id)
        if user_id is None:
            raise Refused(Reason.NOT_FOUND, "Order not found")
        return self.shop.people[user_id]

    def _variant(self, item_id: str) -> str:
        goods = self.shop.goods.get(item_id)
        return goods.variant_id if goods else NO_VARIANT

    def _order(self, order_id: str) -> Shape:
        return self._words.of(order_id, self._order_row(order_id))

    def _order_row(self, order_id: str) -> Shape:
        return export_order(self.runtime.store, self.shop.tenant_id, order_id.removeprefix("#"))

    def _user(self, person: Person) -> Shape:
        row = self._user_row(person)
        return self._words.of(row["user_id"], row)

    def _user_row(self, person: Person) -> Shape:
        return exporting.export_user(self.runtime.store, self.shop.tenant_id, person.customer_id)


def _printed(value: str) -> str:
    """``1649.90`` as the benchmark prints it: ``1649.9``, ``100.0``."""
    whole, _, rest = value.partition(".")
    return f"{whole}.{rest.rstrip('0') or '0'}"


def _named(row: Customer, *, strict: bool) -> str:
    if not strict or row.external_id is None:
        raise Refused(Reason.NOT_FOUND, "User not found")
    return row.external_id


def _way(person: Person, method_id: str) -> str:
    found = person.methods.get(method_id)
    return found.ref if found else NO_WAY


def _pairs(old: list[str], new: list[str]) -> list[tuple[str, str]]:
    """Line by line; what has no other half stands beside nothing, and so does a request for nothing at all."""
    most = max(len(old), len(new), 1)
    if most > _MOST_LINES:
        return [("", "")]
    return [(old[place] if place < len(old) else "", new[place] if place < len(new) else "") for place in range(most)]


_MOST_LINES: Final = 20
"""No order has so many: what names more fits none."""


def _place(person: Person, parts: Mapping[str, str]) -> Shape:
    """An address in our tools' words."""
    return {
        "name": person.name,
        "line_one": parts["address1"],
        "line_two": parts["address2"],
        "city": parts["city"],
        "state": parts["state"],
        "postal_code": parts["zip"],
        "country": parts["country"],
    }
