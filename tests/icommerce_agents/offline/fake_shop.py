"""A shop in memory that answers in the shapes of ``tools/brief.py``, and a shopper's turn through the brain."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import yaml

from engine.catalog.matching import match_option
from engine.kit.money import format_minor
from icommerce_agents.offline.brain import reply

Json = dict[str, Any]
_HERE = Path(__file__).parent


def _schema(*required: str, **properties: Any) -> Json:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


TEXT, INT, OPTIONS = (
    {"type": "string"},
    {"type": "integer"},
    {"type": "object", "additionalProperties": {"type": "string"}},
)
DETAILS = [
    "name",
    "email",
    "phone",
    "line_one",
    "line_two",
    "city",
    "state",
    "postal_code",
    "country",
    "fulfillment_option_id",
    "payment_method_ref",
]
SCHEMAS: dict[str, Json] = {
    "search_products": _schema(
        query=TEXT,
        category=TEXT,
        min_price=INT,
        max_price=INT,
        options=OPTIONS,
        in_stock={"type": "boolean"},
        sort=TEXT,
        limit=INT,
        cursor=TEXT,
    ),
    "list_categories": _schema(),
    "get_product": _schema("product_id", product_id=TEXT),
    "compare_products": _schema(
        "product_ids", product_ids={"type": "array", "items": TEXT, "minItems": 2, "maxItems": 4}
    ),
    "view_cart": _schema(),
    "add_to_cart": _schema("item_id", item_id=TEXT, quantity=INT, options=OPTIONS),
    "update_cart_line": _schema("variant_id", "quantity", variant_id=TEXT, quantity=INT),
    "swap_cart_variant": _schema("variant_id", "options", variant_id=TEXT, options=OPTIONS),
    "empty_cart": _schema(),
    "set_discount_code": _schema("code", code=TEXT),
    "set_currency": _schema("currency", currency=TEXT),
    "start_checkout": _schema(),
    "get_checkout": _schema(),
    "update_checkout": _schema(**dict.fromkeys(DETAILS, TEXT)),
    "list_payment_methods": _schema(),
    "request_confirmation": _schema(),
    "cancel_checkout": _schema(),
    "list_orders": _schema(limit=INT),
    "get_order": _schema("order", order=TEXT),
    "find_order_status": _schema("number", "email", number=TEXT, email=TEXT),
    "get_shop_info": _schema(),
    "request_human": _schema("reason", "summary", reason=TEXT, summary=TEXT),
    "stock_by_location": _schema("query", query=TEXT),
}
TRANSFERS = ("commerce", "customer_service", "operations")
SHOPPING = {"search_products", "list_categories", "get_product", "compare_products", "get_shop_info", "request_human"}
ORDERS = {"list_orders", "get_order", "find_order_status"}
AGENT_TOOLS = {
    "commerce": set(SCHEMAS) - ORDERS - {"stock_by_location"},
    "customer_service": SHOPPING | ORDERS,
    "operations": {"stock_by_location", "request_human"},
}


def tools_of(agent: str) -> list[Json]:
    """The agent's tools and its hand-overs, as function schemas."""
    schemas = {name: SCHEMAS[name] for name in sorted(AGENT_TOOLS[agent])}
    schemas |= {f"transfer_to_{other}": _schema("reason", reason=TEXT) for other in TRANSFERS if other != agent}
    return [
        {"type": "function", "function": {"name": name, "description": name, "parameters": schema}}
        for name, schema in schemas.items()
    ]


class Refused(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class FakeShop:
    def __init__(self) -> None:
        data = yaml.safe_load((_HERE / "shop.yaml").read_text(encoding="utf-8"))
        self.data = data
        self.products = {row["id"]: self._with_variants(row) for row in data["products"]}
        self.cart: dict[str, int] = {}
        self.codes: list[str] = []
        self.checkout: Json | None = None
        self.card = False

    def _with_variants(self, row: Json) -> Json:
        names = list(row["options"])
        combos = itertools.product(*(row["options"][name] for name in names))
        variants = []
        for values in combos:
            variant_id = "_".join([row["id"].replace("prd_", "var_"), *(str(v).replace(" ", "-") for v in values)])
            variants.append(
                {
                    "id": variant_id,
                    "options": dict(zip(names, values, strict=True)),
                    "price": row["price"],
                    "available": variant_id not in self.data["sold_out"],
                }
            )
        return row | {"variants": variants}

    def run(self, name: str, arguments: Json) -> str:
        try:
            return json.dumps({"ok": True, "result": getattr(self, name)(**arguments)})
        except Refused as refused:
            return json.dumps({"ok": False, "error": {"code": refused.code, "message": str(refused)}})

    # catalog
    def _brief(self, row: Json) -> Json:
        money = {"price": format_minor(row["price"], "USD")}
        return {
            **{key: row[key] for key in ("id", "title", "category", "brand", "rating", "options")},
            **money,
            "in_stock": any(v["available"] for v in row["variants"]),
            "variants": [v | money for v in row["variants"]],
        }

    def search_products(
        self,
        query: str = "",
        category: str | None = None,
        min_price: int | None = None,
        max_price: int | None = None,
        options: Json | None = None,
        in_stock: bool = True,  # noqa: ARG002 (the tool's own argument)
        sort: str = "relevance",
        limit: int = 5,
        cursor: str | None = None,
    ) -> Json:
        words = [
            w.rstrip("s") for w in query.lower().split() if w not in {"for", "a", "with", "of", "people", "person"}
        ]
        scored = []
        for position, row in enumerate(self.products.values()):
            text = json.dumps(row).lower()
            score = sum((3 if w in row["title"].lower() or w in row["category"] else 1) for w in words if w in text)
            priced = (min_price or 0) * 100 <= row["price"] <= (max_price or 10**6) * 100
            made = all(match_option(k, v, row["options"]) for k, v in (options or {}).items())
            strong = not words or any(w in row["title"].lower() or w in row["category"] for w in words)
            if priced and made and strong and category in (None, row["category"]):
                scored.append((-score, position, row))
        rows = [row for _, _, row in sorted(scored, key=lambda t: t[:2])]
        if sort in {"price_low", "price_high"}:
            rows.sort(key=lambda row: row["price"], reverse=sort == "price_high")
        start = int(cursor or 0)
        page = rows[start : start + limit]
        return {
            "items": [self._brief(row) for row in page],
            "total": len(rows),
            "next_cursor": str(start + limit) if len(rows) > start + limit else None,
            "near_matches": False,
        }

    def list_categories(self) -> Json:
        names = [row["category"] for row in self.products.values()]
        return {"categories": [{"name": name, "products": names.count(name)} for name in dict.fromkeys(names)]}

    def _product(self, any_id: str) -> Json:
        for row in self.products.values():
            if row["id"] == any_id or any(v["id"] == any_id for v in row["variants"]):
                return row
        raise Refused("not_found", "There is no such product in this shop.")

    def get_product(self, product_id: str) -> Json:
        row = self._product(product_id)
        keys = (
            "description",
            "features",
            "materials",
            "compatibility",
            "care",
            "attributes",
            "warranty_months",
            "weight_g",
        )
        return self._brief(row) | {key: row[key] for key in keys} | {"restrictions": []}

    def compare_products(self, product_ids: list[str]) -> Json:
        rows = [self._product(i) for i in product_ids]
        facts = [
            ("Rating", [str(r["rating"] or "") for r in rows]),
            ("Weight", [f"{r['weight_g']} g" for r in rows]),
            ("Warranty", [f"{r['warranty_months']} months" for r in rows]),
        ]
        facts += [(key, [str(r["attributes"].get(key, "")) for r in rows]) for key in ("sleeps", "waterproof")]
        return {
            "items": [{"id": r["id"], "title": r["title"], "price": format_minor(r["price"], "USD")} for r in rows],
            "rows": [{"name": n, "values": v} for n, v in facts],
        }

    # cart
    def _line(self, variant_id: str) -> Json:
        row = self._product(variant_id)
        variant = next(v for v in row["variants"] if v["id"] == variant_id)
        count = self.cart.get(variant_id, 0)
        return {
            "variant_id": variant_id,
            "product_id": row["id"],
            "title": row["title"],
            "options": variant["options"],
            "quantity": count,
            "unit_price": format_minor(row["price"], "USD"),
            "line_total": format_minor(row["price"] * count, "USD"),
            "available": 20,
        }

    def _total(self) -> int:
        return sum(self._product(v)["price"] * n for v, n in self.cart.items())

    def view_cart(self, **more: Any) -> Json:
        return {
            "lines": [self._line(v) for v in self.cart],
            "total": format_minor(self._total(), "USD"),
            "item_count": sum(self.cart.values()),
            "discount_codes": list(self.codes),
            "notices": [],
        } | more

    def _pick(self, row: Json, options: Json) -> Json:
        fitting = row["variants"]
        for name, value in options.items():
            match = match_option(name, value, row["options"])
            if match is None:
                raise Refused("option_not_offered", f"There is no {name} {value!r}.")
            fitting = [v for v in fitting if v["options"][match[0]] in match[1]]
        ready = [v for v in fitting if v["available"]]
        if not ready:
            raise Refused("out_of_stock", "That is out of stock.")
        return ready[0]

    def _added(self, variant: Json, row: Json) -> Json:
        line = self._line(variant["id"])
        others = [
            {"id": v["id"], "options": v["options"]}
            for v in row["variants"]
            if v["id"] != variant["id"] and v["available"]
        ]
        self.card = False
        return self.view_cart(
            added={k: line[k] for k in ("variant_id", "title", "options", "quantity", "available")}
            | {"price": line["unit_price"]},
            alternatives=others,
        )

    def add_to_cart(self, item_id: str, quantity: int = 1, options: Json | None = None) -> Json:
        row = self._product(item_id)
        variant = next((v for v in row["variants"] if v["id"] == item_id), None) or self._pick(row, options or {})
        self.cart[variant["id"]] = self.cart.get(variant["id"], 0) + quantity
        return self._added(variant, row)

    def update_cart_line(self, variant_id: str, quantity: int) -> Json:
        if variant_id not in self.cart:
            raise Refused("not_in_cart", "That is not in the cart.")
        self.cart[variant_id] = quantity
        if not quantity:
            del self.cart[variant_id]
        self.card = False
        return self.view_cart()

    def swap_cart_variant(self, variant_id: str, options: Json) -> Json:
        row, count = self._product(variant_id), self.cart[variant_id]
        now = self._line(variant_id)["options"]
        named = {(m[0] if (m := match_option(k, v, row["options"])) else k): v for k, v in options.items()}
        variant = self._pick(row, {**now, **named})
        del self.cart[variant_id]
        self.cart[variant["id"]] = count
        return self._added(variant, row)

    def empty_cart(self) -> Json:
        self.cart.clear()
        return self.view_cart()

    def set_discount_code(self, code: str) -> Json:
        if code and code.upper() not in self.data["codes"]:
            raise Refused("code_not_valid", "This code does not exist.")
        self.codes = [code.upper()] if code else []
        self.card = False
        return self.view_cart()

    def set_currency(self, currency: str) -> Json:
        if currency not in {"USD", "EUR"}:
            raise Refused("currency_not_sold", f"This shop sells in USD and EUR, not in {currency}.")
        self.card = False
        return self.view_cart(currency=currency)

    # checkout
    def _checkout(self) -> Json:
        if self.checkout is None:
            raise Refused("no_checkout", "No checkout is running.")
        details = self.checkout
        address = {
            k: details.get(k, "") for k in ("name", "line_one", "line_two", "city", "state", "postal_code", "country")
        }
        whole = all(address[k] for k in ("line_one", "city", "postal_code"))
        missing = (
            [k for k in ("email", "name") if not details.get(k)]
            + ([] if whole else ["address"])
            + ([] if details.get("payment_method_ref") else ["payment_method"])
        )
        options = [("shp_std", "Standard", 595, "3-5"), ("shp_exp", "Expedited", 1495, "1-2")] if whole else []
        chosen = details.get("fulfillment_option_id") or "shp_std"
        shipping = next((price for i, _, price, _ in options if i == chosen), 0)
        total = format_minor(self._total() + shipping, "USD")
        return {
            "session_id": "cs_1",
            "status": "open" if missing else "ready",
            "lines": [{k: self._line(v)[k] for k in ("title", "options", "quantity")} for v in self.cart],
            "totals": {
                "subtotal": format_minor(self._total(), "USD"),
                "fulfillment": format_minor(shipping, "USD"),
                "total": total,
            },
            "total": total,
            "buyer": {
                "name": details.get("name", ""),
                "email": details.get("email", ""),
                "phone": details.get("phone", ""),
            },
            "ship_to": address if any(address[k] for k in ("line_one", "city", "postal_code")) else None,
            "fulfillment_options": [
                {"id": i, "title": t, "price": format_minor(p, "USD"), "days": d, "selected": i == chosen}
                for i, t, p, d in options
            ],
            "payment_method": "Test Visa •••• 4242" if details.get("payment_method_ref") else None,
            "discount_codes": list(self.codes),
            "missing": missing,
            "problems": [],
        }

    def start_checkout(self) -> Json:
        if not self.cart:
            raise Refused("cart_empty", "The cart is empty.")
        self.checkout = self.checkout or {}
        return self._checkout()

    def get_checkout(self) -> Json:
        return self._checkout()

    def update_checkout(self, **details: str) -> Json:
        if not self.cart:
            raise Refused("cart_empty", "The cart is empty.")
        self.checkout = {**(self.checkout or {}), **details}
        self.card = False
        return self._checkout()

    def list_payment_methods(self) -> Json:
        return {
            "methods": [{"ref": "test_visa", "brand": "visa", "last4": "4242", "label": "Test Visa •••• 4242"}],
            "card_entry": "on the checkout card",
        }

    def request_confirmation(self) -> Json:
        view = self._checkout()
        if view["missing"]:
            raise Refused("not_ready", f"Still missing: {', '.join(view['missing'])}.")
        self.card = True
        return {
            "card": "shown",
            "total": view["total"],
            "payment_method": view["payment_method"],
            "note": "Wait for the shopper to press Pay on the card. Do not say that anything was paid.",
        }

    def cancel_checkout(self) -> Json:
        view = self._checkout() | {"status": "canceled"}
        self.checkout, self.card = None, False
        return view

    # service
    def list_orders(self, limit: int = 5) -> Json:  # noqa: ARG002 (the tool's own argument)
        return {"items": []}

    def get_order(self, order: str) -> Json:  # noqa: ARG002 (this session has none)
        raise Refused("not_found", "This session has no such order.")

    def find_order_status(self, number: str, email: str) -> Json:
        for row in self.data["orders"]:
            if row["number"] == number and row["email"] == email:
                return {
                    "number": row["number"],
                    "status": row["status"],
                    "fulfillment_status": row["fulfillment"],
                    "placed_on": row["placed"],
                }
        raise Refused("not_found", "No order with this number and e-mail.")

    def get_shop_info(self) -> Json:
        return dict(self.data["shop"])

    def request_human(self, reason: str, summary: str) -> Json:  # noqa: ARG002 (the tool's own argument)
        return {
            "mode": "waiting_human",
            "reference": "H-7",
            "reason": reason,
            "hours": self.data["shop"]["support_hours"],
        }

    def stock_by_location(self, query: str) -> Json:
        rows = [row for row in self.products.values() if query.lower() in json.dumps(row).lower()]
        places = [
            {"code": code, "name": code, "on_hand": n, "reserved": 0, "available": n}
            for code, n in self.data["stock"].items()
        ]
        return {
            "items": [
                {"sku": row["id"].upper(), "title": row["title"], "locations": places, "available": 42} for row in rows
            ]
        }


class Conversation:
    """Messages so far; ``say`` plays one turn of the shopper to its end."""

    def __init__(self, *, agent: str = "commerce", briefing: str | None = None, trim: int | None = None) -> None:
        self.shop = FakeShop()
        self.agent, self.briefing, self.trim = agent, briefing, trim
        self.messages: list[Json] = []
        self.calls: list[tuple[str, Json]] = []

    def _sent(self) -> list[Json]:
        system = [{"role": "system", "content": "You are the shopping assistant of Summit & Pine."}]
        system += [{"role": "system", "content": self.briefing}] if self.briefing else []
        return system + (self.messages[-self.trim :] if self.trim else self.messages)

    def say(self, text: str) -> str:
        """The answer; ``calls`` then holds this turn's calls."""
        self.calls = []
        self.messages.append({"role": "user", "content": text})
        for _ in range(12):
            answer = reply(self._sent(), tools_of(self.agent))
            if not answer.tool_calls:
                self.messages.append({"role": "assistant", "content": answer.text})
                return answer.text
            self._run(answer.tool_calls)
        raise AssertionError(f"no end to the turn: {[name for name, _ in self.calls]}")

    def _run(self, calls: Any) -> None:
        wire = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": json.dumps(c.arguments)}}
            for c in calls
        ]
        self.messages.append({"role": "assistant", "content": None, "tool_calls": wire})
        for call in calls:
            self.calls.append((call.name, call.arguments))
            if call.name.startswith("transfer_to_"):
                self.agent, output = call.name.removeprefix("transfer_to_"), json.dumps({"ok": True, "result": {}})
            else:
                output = self.shop.run(call.name, call.arguments)
            self.messages.append({"role": "tool", "tool_call_id": call.id, "content": output})

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]
