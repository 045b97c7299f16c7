"""What breaks each rule of ``engine/checks/tax.py``."""

# ruff: noqa: E501, S608
from __future__ import annotations

_PART = """'[{"jurisdiction": "X", "level": "region", "rate_ppm": 100000, "amount": 1, "of_shipping": 0}]'"""

FAULTS: dict[str, str] = {
    "the tax of a line is what its places get": f"UPDATE app.order_lines SET taxes = {_PART}, tax = 2",
    "the tax of an order is what its places get": f"UPDATE app.orders SET taxes = {_PART}, tax = 2",
    "tax that is within a price is no more than it": "UPDATE app.order_lines SET tax_included = true, taxes = '[]', tax = unit_price * ordered + 1",
    "all of an order is sold with its tax in the price, or none of it": "UPDATE app.order_lines SET tax_included = true",
    "an order that another engine taxed has its calculation": "UPDATE app.orders SET tax_calculation_id = 'taxcalc_x'",
    "what is filed of an order is what it was sold for, and what made it less": """INSERT INTO app.tax_filings (tenant_id, id, order_id, kind, subject_id, amount, status, attempts, problem, available_at, created_at)
        SELECT tenant_id, 'txf_planted', id, 'sale', id, total + 1, 'pending', 0, '', now(), now() FROM app.orders LIMIT 1""",
}
