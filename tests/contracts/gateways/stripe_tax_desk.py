"""Stripe Tax behind the double: calculations from a small table, transactions and their reversals.

Shapes and rules are those of the public API reference, as far as our engine touches them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.contracts.gateways.stripe_ledger import fresh, invalid, missing, now

Json = dict[str, Any]
LIFE_SECONDS = 90 * 24 * 3600
PAGE = 10


class TaxDesk:
    """``rates``: state → [(jurisdiction, level, percent)]; ``by_code``: tax code → percent in place of all of them."""

    def __init__(self) -> None:
        self.rates: dict[str, list[tuple[str, str, str]]] = {}
        self.by_code: dict[str, str] = {}
        self.asked: list[Json] = []
        self.calculations: dict[str, Json] = {}
        self.transactions: dict[str, Json] = {}

    def calculate(self, params: Json) -> Json:
        self.asked.append(params)
        address = params["customer_details"]["address"]
        if address["country"] == "US" and not address.get("postal_code"):
            raise invalid(
                "We could not find it.", code="customer_tax_location_invalid", param="customer_details[address]"
            )
        for line in params["line_items"]:
            if int(line["amount"]) < 0 or "." in line["amount"]:
                raise invalid("Invalid integer", param="line_items[amount]")
        if len(params["line_items"]) > 100:
            raise invalid("At most 100 line items.", param="line_items")
        lines = [self._line(line, params) for line in params["line_items"]]
        shipping = self._shipping(params)
        name = fresh("taxcalc")
        kept = {
            "id": name,
            "object": "tax.calculation",
            "currency": params["currency"],
            "amount_total": 0,
            "expires_at": now() + LIFE_SECONDS,
            "shipping_cost": shipping,
            "_lines": lines,
        }
        self.calculations[name] = kept
        listed = {"object": "list", "data": lines[:PAGE], "has_more": len(lines) > PAGE, "url": "/v1"}
        return kept | {"line_items": listed}

    def lines(self, name: str, params: Json) -> Json:
        rows = self._find(name)["_lines"]
        names = [row["id"] for row in rows]
        start = names.index(params["starting_after"]) + 1 if "starting_after" in params else 0
        part = rows[start : start + int(params.get("limit", PAGE))]
        return {"object": "list", "data": part, "has_more": start + len(part) < len(rows), "url": "/v1"}

    def file(self, params: Json) -> Json:
        calculation = self._find(params["calculation"])
        self._require_new(params["reference"])
        row = {
            "id": fresh("tax"),
            "object": "tax.transaction",
            "type": "transaction",
            "reference": params["reference"],
            "currency": calculation["currency"],
        }
        self.transactions[row["id"]] = row
        return row

    def reverse(self, params: Json) -> Json:
        if params["original_transaction"] not in self.transactions:
            raise missing("tax transaction", params["original_transaction"])
        self._require_new(params["reference"])
        row = {
            "id": fresh("tax"),
            "object": "tax.transaction",
            "type": "reversal",
            "reference": params["reference"],
            "reversal": {"original_transaction": params["original_transaction"]},
            "_amount": int(params["flat_amount"]),
        }
        self.transactions[row["id"]] = row
        return row

    def filed(self) -> list[tuple[str, int | None]]:
        return [(row["type"], row.get("_amount")) for row in self.transactions.values()]

    def _require_new(self, reference: str) -> None:
        if any(row["reference"] == reference for row in self.transactions.values()):
            raise invalid("A transaction with this reference exists.", param="reference")

    def _find(self, name: str) -> Json:
        if name not in self.calculations:
            raise missing("tax calculation", name)
        return self.calculations[name]

    def _line(self, line: Json, params: Json) -> Json:
        parts = self._breakdown(int(line["amount"]), line, params)
        return {
            "id": fresh("tax_li"),
            "object": "tax.calculation_line_item",
            "amount": int(line["amount"]),
            "amount_tax": sum(part["amount"] for part in parts),
            "quantity": int(line["quantity"]),
            "reference": line["reference"],
            "tax_behavior": line["tax_behavior"],
            "tax_code": line.get("tax_code", "txcd_99999999"),
            "tax_breakdown": parts,
        }

    def _shipping(self, params: Json) -> Json | None:
        cost = params.get("shipping_cost")
        if not cost:
            return None
        parts = self._breakdown(int(cost["amount"]), cost, params)
        taxed = sum(part["amount"] for part in parts)
        return {"amount": int(cost["amount"]), "amount_tax": taxed, "tax_breakdown": parts}

    def _breakdown(self, amount: int, line: Json, params: Json) -> list[Json]:
        address = params["customer_details"]["address"]
        free = params["customer_details"].get("taxability_override")
        rates = [] if free else self.rates.get(address.get("state", ""), [])
        own = self.by_code.get(line.get("tax_code", ""))
        percents = [(name, level, Decimal(own if own is not None else percent)) for name, level, percent in rates]
        whole = 100 + (sum(one for _, _, one in percents) if line["tax_behavior"] == "inclusive" else 0)
        return [
            {
                "amount": int((amount * percent / whole).quantize(Decimal(1))),
                "jurisdiction": {
                    "country": address["country"],
                    "display_name": name,
                    "level": level,
                    "state": address.get("state"),
                },
                "sourcing": "destination",
                "tax_rate_details": {
                    "display_name": "Sales tax",
                    "percentage_decimal": str(percent),
                    "tax_type": "sales_tax",
                }
                if percent
                else None,
                "taxability_reason": "standard_rated" if percent else "product_exempt",
                "taxable_amount": amount if percent else 0,
            }
            for name, level, percent in percents
        ]
