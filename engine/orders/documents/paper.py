"""What a paper says, as plain values in minor units: frozen with an invoice, made anew for a receipt.

Every sum is made from the lines, and the lines from the shares that the books and the refunds are made from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import Session

from engine.kit.direct import Statement
from engine.kit.gathering import ask
from engine.kit.money import format_minor, share_ppm
from engine.kit.tenancy import Tenant
from engine.orders import shares
from engine.orders.models import Order, OrderLine
from engine.orders.rates import Piece, added_up
from engine.orders.seller import SellerPolicy
from engine.tax import service as tax

Paper = dict[str, Any]
_ROUNDING: Final = 1
_CATEGORIES: Final = Statement(
    "SELECT p.id, p.tax_category FROM app.products p WHERE p.tenant_id = %(tenant)s AND p.id = ANY(%(ids)s)"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a paper."""

    text: str
    sku: str
    quantity: int
    unit_price: int
    net: int
    rate_ppm: int
    tax: int

    def told(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "sku": self.sku,
            "quantity": self.quantity,
            "unit_price": self.unit_price,
            "net": self.net,
            "rate_ppm": self.rate_ppm,
            "tax": self.tax,
            "total": self.net + self.tax,
        }


@dataclass(frozen=True, slots=True)
class RateBook:
    """What is needed to say at which rate each part of an order was taxed."""

    place: tax.Rules
    categories: Mapping[str, str]

    @classmethod
    def of(cls, session: Session, order: Order, lines: Sequence[OrderLine]) -> RateBook:
        """Lines that say themselves what they were taxed at need no other word."""
        if order.taxes and all(line.taxes for line in lines):
            return cls(tax.NO_TAX, {})
        place = _place(session, order)
        return cls(place, _categories(session, order.tenant_id, lines) if place.levies else {})

    def of_line(self, line: OrderLine) -> int:
        usual = sum(int(part["rate_ppm"]) for part in line.taxes)
        if not line.taxes:
            usual = sum(levy.ppm(self.categories.get(line.product_id, "")) for levy in self.place.levies)
        return _rate(shares.worth(line, 0, line.ordered).net, line.tax, usual)

    def of_shipping(self, order: Order) -> int:
        return _rate(order.shipping, order.shipping_tax, _usual_of_shipping(order, self.place))

    def pieces(self, order: Order, lines: Sequence[OrderLine]) -> list[Piece]:
        """The kept units and the shipping, as they stand now, by their rates."""
        found = [Piece(self.of_line(line), (worth := shares.kept(line)).net, worth.tax) for line in lines]
        return added_up([*found, Piece(self.of_shipping(order), order.shipping, order.shipping_tax)])


def rows_of(session: Session, order: Order, lines: Sequence[OrderLine]) -> list[Row]:
    """The kept units of every line, then shipping."""
    book = RateBook.of(session, order, lines)
    rows = [_row(line, book) for line in lines if line.ordered > line.canceled]
    if order.shipping or order.shipping_tax:
        title, rate = str(order.fulfillment.get("title") or "Shipping"), book.of_shipping(order)
        rows.append(Row(f"Shipping: {title}", "", 1, order.shipping, order.shipping, rate, order.shipping_tax))
    return rows


def by_rate(rows: Iterable[Row]) -> list[dict[str, int]]:
    """Net, tax and total of each rate, the highest first."""
    sums: dict[int, list[int]] = {}
    for row in rows:
        found = sums.setdefault(row.rate_ppm, [0, 0])
        found[0] += row.net
        found[1] += row.tax
    return [
        {"rate_ppm": rate, "net": net, "tax": taxed, "total": net + taxed}
        for rate, (net, taxed) in sorted(sums.items(), reverse=True)
    ]


def head(tenant: Tenant, policy: SellerPolicy, order: Order) -> Paper:
    """Who sold what to whom, and when."""
    address: Mapping[str, Any] = order.ship_to or {}
    place = " ".join(str(address[part]) for part in ("postal_code", "city", "state") if address.get(part))
    printed = [address.get("line_one"), address.get("line_two"), place, address.get("country")]
    assert order.placed_at is not None
    return {
        "seller": {
            "name": policy.legal_name or tenant.name,
            "address": [line for line in policy.address if line],
            "vat_id": policy.vat_id,
            "registration": policy.registration,
            "email": str(tenant.settings.get("support_email") or ""),
        },
        "buyer": {
            "name": str(order.buyer.get("name") or address.get("name") or ""),
            "address": [str(line) for line in printed if line],
            "vat_id": str(order.buyer.get("vat_id") or ""),
        },
        "order_number": order.number,
        "placed_on": order.placed_at.date().isoformat(),
        "currency": order.currency,
        "tax_included": order.tax_included,
    }


def rate_label(ppm: int) -> str:
    """``82_500`` → ``8.25 %``."""
    whole, rest = divmod(ppm, 10_000)
    digits = f"{rest:04}".rstrip("0")
    return f"{whole}.{digits} %" if digits else f"{whole} %"


def money(amount: int, paper: Mapping[str, Any]) -> str:
    """An amount of a paper, as it is printed."""
    return format_minor(amount, paper["currency"])


def _row(line: OrderLine, book: RateBook) -> Row:
    kept = shares.kept(line)
    chosen = ", ".join(str(value) for value in line.options.values())
    text = f"{line.title} ({chosen})" if chosen else line.title
    units = line.ordered - line.canceled
    return Row(text, line.sku, units, line.unit_price, kept.net, book.of_line(line), kept.tax)


def _rate(net: int, taxed: int, usual: int) -> int:
    """The rate a tax was taken at: the place's, or, where that does not give this tax, what the amounts say."""
    if abs(share_ppm(net, usual) - taxed) <= _ROUNDING:
        return usual
    return (taxed * 10_000 * 2 + net) // (net * 2) * 100 if net else 0


def _usual_of_shipping(order: Order, place: tax.Rules) -> int:
    if order.taxes:
        return sum(int(part["rate_ppm"]) for part in order.taxes if part["of_shipping"])
    return sum(levy.rate_ppm for levy in place.levies if levy.taxes_shipping)


def _place(session: Session, order: Order) -> tax.Rules:
    """The rules of the day, for lines that do not say themselves what they were taxed at."""
    address = order.ship_to or {}
    if not address.get("country") or order.placed_at is None:
        return tax.NO_TAX
    on = order.placed_at.date()
    return tax.rules_at(session, order.tenant_id, address, currency=order.currency, on=on)


def _categories(session: Session, tenant_id: str, lines: Sequence[OrderLine]) -> dict[str, str]:
    ids = sorted({line.product_id for line in lines})
    return {row["id"]: row["tax_category"] for row in ask(session, _CATEGORIES, {"tenant": tenant_id, "ids": ids})}
