"""A shop that always answers the same, to measure the offline model: scenes, tool results, tools under other names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from icommerce_agents.offline.brain import reply
from icommerce_agents.registry import AGENTS
from tools.spec import AgentName, tools_for

Json = dict[str, Any]
_HERE = Path(__file__).parent
_MOST_CALLS = 8


@cache
def read(name: str) -> Any:
    """A file of this folder."""
    return yaml.safe_load((_HERE / f"{name}.yaml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Names:
    """The tools of an agent as they are, or each under another name with another description."""

    renamed: bool = False

    def tools(self, agent: str) -> list[Json]:
        schemas = [(spec.name, spec.description, spec.schema()) for spec in tools_for(AgentName(agent))]
        found = [
            *schemas,
            *(_transfer(target) for target in AGENTS[AgentName(agent)].transfers if target != "operations"),
        ]
        rows = [self._other(*row) if self.renamed else row for row in found]
        return [
            {"type": "function", "function": {"name": name, "description": says, "parameters": schema}}
            for name, says, schema in rows
        ]

    def _other(self, name: str, _says: str, schema: Json) -> tuple[str, str, Json]:
        row = read("renamed")[name]
        return row["name"], row["says"], _renamed(schema, row.get("args") or {})

    def spoken(self, name: str, arguments: Json) -> tuple[str, Json]:
        """A call of the scene as this naming has it."""
        if not self.renamed:
            return name, arguments
        row = read("renamed")[name]
        return row["name"], _keys(arguments, {k: v[0] for k, v in (row.get("args") or {}).items()})

    def heard(self, name: str, arguments: Json) -> tuple[str, Json]:
        """The model's call in the tools' own names."""
        if not self.renamed:
            return name, arguments
        own, row = next((own, row) for own, row in read("renamed").items() if row["name"] == name)
        return own, _keys(arguments, {v[0]: k for k, v in (row.get("args") or {}).items()})


def _transfer(target: AgentName) -> tuple[str, str, Json]:
    reason = {"reason": {"type": "string", "description": "Why, in a few words."}}
    says = f"Hand the conversation to {AGENTS[target].title.lower()} and say nothing more."
    return f"transfer_to_{target}", says, {"type": "object", "properties": reason, "required": ["reason"]}


def _renamed(schema: Json, names: Mapping[str, Sequence[str]]) -> Json:
    known = schema.get("properties") or {}
    found: Json = {}
    for name, one in known.items():
        other, says = names[name]
        changed = dict(one) | ({"description": _with_codes(says, one)} if says else {})
        if one.get("type") == "array" and "properties" in (one.get("items") or {}):
            changed["items"] = _renamed(one["items"], names)
        found[other] = changed
    return schema | {"properties": found, "required": [names[name][0] for name in schema.get("required") or ()]}


def _with_codes(says: str, one: Json) -> str:
    """A paraphrase keeps the codes that the description lists: they are the shop's data."""
    listed = re.match(r"^([a-z_]+(?:, [a-z_]+)+,? or [a-z_]+)\b", str(one.get("description") or ""))
    return f"{listed.group(1)}. {says}" if listed else says


def _keys(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {names.get(key, key): _keys(one, names) for key, one in value.items()}
    return [_keys(one, names) for one in value] if isinstance(value, list) else value


class World:
    """The catalog at hand and what every tool answers about it."""

    def __init__(self, catalog: str = "outdoor") -> None:
        self.things: dict[str, Json] = read("catalogs")[catalog]

    def filled(self, text: Any) -> Any:
        """``{a}`` as its word, ``{A}`` as its SKU, ``{b_option}`` as the other value it comes in."""
        if isinstance(text, dict):
            return {key: self.filled(value) for key, value in text.items()}
        if isinstance(text, list):
            return [self.filled(value) for value in text]
        if not isinstance(text, str):
            return text
        for key, thing in self.things.items():
            text = text.replace(f"{{{key}}}", thing["word"]).replace(f"{{{key.upper()}}}", thing["sku"])
            text = text.replace(f"{{{key}_option}}", str(thing["values"][1]))
        return text

    def product(self, key: str) -> Json:
        thing = self.things[key]
        values = [str(value) for value in thing["values"]]
        variants = [
            {"id": f"var_{key}{n}", "options": {thing["option"]: value}, "price": self.price(key), "available": 9}
            for n, value in enumerate(values, start=1)
        ]
        return {
            "id": f"prd_{key}",
            "title": thing["title"],
            "category": thing["category"],
            "brand": thing["brand"],
            "price": self.price(key),
            "rating": "4.5",
            "in_stock": True,
            "options": {thing["option"]: values},
            "variants": variants,
        }

    def price(self, key: str) -> str:
        return {"a": "$89.00", "b": "$129.00", "c": "$18.00"}[key]

    def order(self, number: str, *, ids: bool = True) -> Json:
        keys = [("a", 2), ("b", 1)] if number == "SP-10023" else [("c", 1), ("b", 1)]
        tag = "" if number == "SP-10023" else "2"
        sent = number == "SP-10044"
        lines = []
        for key, quantity in keys:
            mark = f"orl_{key}{'1' if key != 'b' or not tag else tag}"
            line: Json = {"title": self.things[key]["title"], "quantity": quantity}
            if ids:
                first = self.product(key)["variants"][0]
                line |= {
                    "line_id": mark,
                    "product_id": f"prd_{key}",
                    "variant_id": f"var_{key}1",
                    "options": first["options"],
                }
            lines.append(line)
        return {
            "id": f"ord_{number[-2:]}",
            "number": number,
            "placed": "2026-11-20" if not sent else "2026-10-02",
            "status": "open",
            "payment": "paid",
            "fulfillment": "fulfilled" if sent else "unfulfilled",
            "total": "$307.00",
            "lines": lines,
            "shipments": [],
            "refunds": [],
        }

    def answer(self, name: str, arguments: Json) -> Json:
        """The result of a tool, by its own name."""
        found = getattr(self, f"_{name}", None)
        return {"ok": True, "result": found(arguments) if found else {"done": True}}

    def _list_orders(self, _given: Json) -> Json:
        return {"items": [self.order(number, ids=False) for number in ("SP-10023", "SP-10044")]}

    def _get_order(self, given: Json) -> Json:
        return self.order(given["order"])

    def _get_return_options(self, given: Json) -> Json:
        lines = [
            line | {"units": line["quantity"], "until": "2026-12-24"} for line in self.order(given["order"])["lines"]
        ]
        reasons = {
            "does_not_fit": "Does not fit",
            "changed_mind": "Changed my mind",
            "found_cheaper": "Found cheaper elsewhere",
            "arrived_late": "Arrived too late",
            "damaged": "Damaged or defective",
            "wrong_item": "Not what I ordered",
            "other": "Another reason",
        }
        return {"possible": True, "message": "", "lines": lines, "reasons": reasons, "refund_to": ["original"]}

    def _search_products(self, _given: Json) -> Json:
        items = [self.product(key) for key in "abc"]
        return {"items": items, "total": 3, "next_cursor": None, "near_matches": False}

    def _get_product(self, given: Json) -> Json:
        key = str(given["product_id"]).split("_")[1][0]
        return self.product(key) | {"description": "It does what it should.", "features": [], "warranty_months": 24}

    def _view_cart(self, _given: Json) -> Json:
        lines = [
            {"variant_id": f"var_{key}1", "product_id": f"prd_{key}", "title": self.things[key]["title"], "quantity": 1}
            | {"options": self.product(key)["variants"][0]["options"], "line_total": self.price(key)}
            for key in "ab"
        ]
        return {"lines": lines, "total": "$218.00", "item_count": 2, "discount_codes": [], "notices": []}

    _update_cart_line = _add_to_cart = _set_discount_code = _view_cart

    def _start_checkout(self, _given: Json) -> Json:
        return {
            "session_id": "cs_1",
            "status": "open",
            "lines": [],
            "totals": {},
            "total": "$218.00",
            "ship_to": None,
            "fulfillment_options": [],
            "missing": ["name", "email", "address", "payment_method"],
            "problems": [],
        }

    _get_checkout = _update_checkout = _use_address = _use_store_credit = _start_checkout

    def _list_payment_methods(self, _given: Json) -> Json:
        visa = {"ref": "pm_visa", "brand": "visa", "last4": "4242", "label": "Visa 4242"}
        master = {"ref": "pm_master", "brand": "mastercard", "last4": "5100", "label": "Mastercard 5100"}
        return {"methods": [visa, master]}

    def _list_addresses(self, _given: Json) -> Json:
        home = {"ref": "adr_home", "label": "Home", "name": "Jo March", "line_one": "12 Pine St", "city": "Portland"}
        work = {"ref": "adr_work", "label": "Work", "name": "Jo March", "line_one": "500 Market St", "city": "Denver"}
        rest = {"state": "CO", "postal_code": "80202", "country": "US"}
        return {"items": [home | {"state": "OR", "postal_code": "97204", "country": "US"}, work | rest]}

    def _list_returns(self, _given: Json) -> Json:
        lines = [{"title": self.things["c"]["title"], "quantity": 1}]
        return {
            "items": [{"id": "ret_1", "number": "RT-1001", "order": "SP-10044", "status": "approved", "lines": lines}]
        }

    def _list_warranties(self, _given: Json) -> Json:
        items = [{"id": f"wty_{key}", "title": self.things[key]["title"], "until": "2028-01-01"} for key in "ac"]
        faults = {
            "does_not_turn_on": "Does not turn on",
            "cracked": "Cracked or broken apart",
            "leaks": "Leaks",
            "noise": "Makes a strange noise",
            "other": "Something else",
        }
        return {"items": [item | {"status": "active", "claimable": True} for item in items], "faults": faults}

    def _get_claim(self, _given: Json) -> Json:
        item = {"id": "clm_1", "number": "WC-1004", "title": self.things["a"]["title"], "status": "approved"}
        return {"items": [item | {"offers": ["repair", "replacement", "refund"]}]}

    def _get_shop_info(self, _given: Json) -> Json:
        return {"name": "The Shop", "returns_policy": "Within 30 days.", "ships_to": ["US"], "shipping": []}

    def _stock_by_location(self, given: Json) -> Json:
        place = {"code": "EAST", "name": "East", "on_hand": 12, "reserved": 1, "available": 11}
        return {"items": [{"sku": given["query"], "title": self.things["a"]["title"], "locations": [place]}]}


@dataclass(slots=True)
class Talk:
    """A conversation with the model in one scene; ``calls`` are those of the last turn, in the tools' own names."""

    world: World
    names: Names
    agent: str
    messages: list[Json] = field(default_factory=list)
    calls: list[tuple[str, Json]] = field(default_factory=list)
    said: str = ""

    def shown(self, words: str, *made: tuple[str, Json]) -> None:
        """An earlier turn: words, calls with the world's answers, and an end to it."""
        self.messages.append({"role": "user", "content": words})
        for name, arguments in made:
            self._ran(*self.names.spoken(name, arguments), self.world.answer(name, arguments))
        self.messages.append({"role": "assistant", "content": "There you are."})

    def say(self, words: str) -> None:
        self.calls, self.said = [], ""
        self.messages.append({"role": "user", "content": words})
        tools = self.names.tools(self.agent)
        for _ in range(_MOST_CALLS):
            answer = reply(self.messages, tools)
            for call in answer.tool_calls:
                name, arguments = self.names.heard(call.name, call.arguments)
                self.calls.append((name, arguments))
                self._ran(call.name, call.arguments, self.world.answer(name, arguments))
            if not answer.tool_calls:
                break
        self.said = answer.text
        self.messages.append({"role": "assistant", "content": answer.text})

    def _ran(self, name: str, arguments: Json, answer: Json) -> None:
        mark = f"call_{len(self.messages)}"
        function = {"name": name, "arguments": json.dumps(arguments)}
        made = {"id": mark, "type": "function", "function": function}
        self.messages += [
            {"role": "assistant", "content": None, "tool_calls": [made]},
            {"role": "tool", "tool_call_id": mark, "content": json.dumps(answer)},
        ]


_SCENES: dict[str, tuple[str, list[tuple[str, Json]]]] = {
    "blank": ("commerce", []),
    "listing": ("commerce", [("search_products", {"query": "things"})]),
    "cart": ("commerce", [("search_products", {"query": "things"}), ("view_cart", {})]),
    "checkout": ("commerce", [("view_cart", {}), ("start_checkout", {})]),
    "checkout_addresses": ("commerce", [("view_cart", {}), ("start_checkout", {}), ("list_addresses", {})]),
    "blank_service": ("customer_service", []),
    "orders": ("customer_service", [("list_orders", {})]),
    "order": ("customer_service", [("get_order", {"order": "SP-10023"})]),
    "delivered": (
        "customer_service",
        [("get_order", {"order": "SP-10044"}), ("get_return_options", {"order": "SP-10044"})],
    ),
    "addresses": ("customer_service", [("get_order", {"order": "SP-10023"}), ("list_addresses", {})]),
    "methods": ("customer_service", [("get_order", {"order": "SP-10023"}), ("list_payment_methods", {})]),
    "returns": ("customer_service", [("list_returns", {})]),
    "warranties": ("customer_service", [("list_warranties", {})]),
    "claim": ("customer_service", [("get_claim", {})]),
    "staff": ("operations", []),
}
"""The agent that speaks, and what it has just looked up."""


def scene(name: str, world: World, names: Names) -> Talk:
    """A conversation that has come as far as the scene says."""
    agent, made = _SCENES[name]
    talk = Talk(world, names, agent)
    staff = "true" if name == "staff" else "false"
    talk.messages.append({"role": "system", "content": f"active_agent: {agent}\nstaff: {staff}"})
    if made:
        talk.shown("show me, please", *made)
    return talk
