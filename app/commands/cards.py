"""Cards of a conversation as tables for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from engine.kit.money import format_minor

Data = Mapping[str, Any]
_SUBTRACTED: Final = frozenset({"items_discount", "discount"})


def draw(kind: str, data: Data) -> RenderableType | None:
    """A card, or ``None`` for one that a terminal does not show."""
    drawing = _DRAWINGS.get(kind)
    return drawing(data) if drawing else None


def _money(price: Data) -> str:
    return format_minor(price["amount"], price["currency"])


def _products(data: Data) -> RenderableType:
    table = Table(title=Text(data.get("title") or "Products"), title_justify="left")
    for heading in ("#", "Product", "Price", "In stock"):
        table.add_column(heading, justify="right" if heading in {"#", "Price", "In stock"} else "left")
    for number, item in enumerate(data["items"], 1):
        available = sum(variant["available"] for variant in item["variants"])
        table.add_row(str(number), Text(item["title"]), _money(item["price"]), str(available))
    return table


def _product(data: Data) -> RenderableType:
    facts = [Text(data["title"], style="bold"), Text(_money(data["price"])), Text(data["description"])]
    facts += [Text(f"• {feature}") for feature in data.get("features", [])]
    options = [Text(f"{name}: {', '.join(values)}") for name, values in data.get("options", {}).items()]
    return Panel(Group(*facts, *options))


def _cart(data: Data) -> RenderableType:
    table = Table(title="Cart", title_justify="left")
    for heading in ("Qty", "Item", "Total"):
        table.add_column(heading, justify="left" if heading == "Item" else "right")
    for line in data["lines"]:
        table.add_row(str(line["quantity"]), Text(line["title"]), _money(line["line_total"]))
    table.add_section()
    table.add_row("", "Items", _money(data["total"]))
    return table


def _sums(table: Table, totals: list[Data], currency: str) -> None:
    table.add_section()
    for row in totals:
        amount = -row["amount"] if row["type"] in _SUBTRACTED else row["amount"]
        style = "bold" if row["type"] == "total" else ""
        table.add_row("", Text(row["display_text"], style=style), Text(format_minor(amount, currency), style=style))


def _priced(title: str, lines: list[Data], totals: list[Data], currency: str, *, count: str) -> Table:
    table = Table(title=Text(title), title_justify="left", show_header=False)
    table.add_column(justify="right")
    table.add_column()
    table.add_column(justify="right")
    for line in lines:
        amount = line["unit_price"]["amount"] * line[count]
        table.add_row(str(line[count]), Text(line["title"]), format_minor(amount, currency))
    _sums(table, totals, currency)
    return table


def _checkout(data: Data) -> RenderableType:
    table = _priced("Checkout", data["lines"], data["totals"], data["currency"], count="quantity")
    missing = ", ".join(data.get("missing", [])).replace("_", " ")
    return Group(table, Text(f"Still needed: {missing}", style="yellow")) if missing else table


def _address(address: Data | None) -> str:
    if not address:
        return ""
    place = ", ".join(
        part for part in (address["name"], address["line_one"], address["line_two"], address["city"]) if part
    )
    return f"{place}, {address['state']} {address['postal_code']}, {address['country']}"


def _confirmation(data: Data) -> RenderableType | None:
    if data["status"] != "open":
        words = {"claimed": None, "approved": None}.get(data["status"], f"The payment card is {data['status']}.")
        return Text(words, style="yellow") if words else None
    checkout = data["checkout"]
    address, way = checkout["ship_to"], checkout["fulfillment"]
    table = _priced(
        f"Confirm with {checkout['merchant']}",
        checkout["lines"],
        checkout["totals"],
        checkout["total"]["currency"],
        count="quantity",
    )
    details = [
        *_way(way, _address(address)),
        Text(f"Pay with  {checkout['payment_method']['label']}"),
    ]
    return Panel(Group(table, *details), border_style="yellow")


def _change(data: Data) -> RenderableType | None:
    if data["status"] != "open":
        words = {"claimed": None, "approved": None}.get(data["status"], f"The card is {data['status']}.")
        return Text(words, style="yellow") if words else None
    change = data["change"]
    table = Table(title=Text(f"Order {change['order_number']}"), title_justify="left", show_header=False)
    for part, sign in (("ended", "-"), ("returned", "-"), ("added", "+")):
        for line in change[part]:
            table.add_row(f"{sign}{line['quantity']}", Text(line["title"]), _money(line["total"]))
    table.add_section()
    back = change["terms"]["refund"] if change["terms"] else change["refund"]
    for label, price in (("You pay", change["charge"]), ("Set aside", change["set_aside"]), ("You get back", back)):
        if price["amount"]:
            table.add_row("", Text(label, style="bold"), Text(_money(price), style="bold"))
    return Panel(table, border_style="yellow")


def _problem(data: Data) -> RenderableType:
    link = data.get("challenge_url")
    return Text(f"{data['message']} {link or ''}".strip(), style="red")


def _sign_in(data: Data) -> RenderableType:
    return Text(f"A code was sent to {data['email']}. Type its six digits; nothing keeps them.", style="cyan")


def _way(way: Data, address: str) -> list[Text]:
    if way.get("place"):
        until = way["pickup_by"][:10]
        ready = way["ready_by"][:16].replace("T", " ")
        return [Text(f"Fetched   {way['title']}: {address}"), Text(f"From      {ready} UTC, until {until}")]
    if way.get("type") == "digital":
        return [Text(f"Delivery  {way['title']}")]
    return [Text(f"Ship to   {address}"), Text(f"By        {way['title']} ({way['min_days']}-{way['max_days']} days)")]


def _receipt(data: Data) -> RenderableType:
    title = f"Order {data['number']}: {data['payment_status']}"
    table = _priced(title, data["lines"], data["totals"], data["total"]["currency"], count="ordered")
    return Panel(table, border_style="green")


def _orders(data: Data) -> RenderableType:
    table = Table(title="Orders", title_justify="left")
    for heading in ("Number", "Date", "Payment", "Delivery", "Total"):
        table.add_column(heading, justify="right" if heading == "Total" else "left")
    for order in data["items"]:
        row = (order["number"], order["created_at"][:10], order["payment_status"], order["fulfillment_status"])
        table.add_row(*row, _money(order["total"]))
    return table


def _timeline(data: Data) -> RenderableType:
    words = [Text(f"Order {data['number']}: {data['fulfillment_status']}", style="bold")]
    for shipment in data["shipments"]:
        words.append(Text(f"{shipment['carrier']} {shipment['tracking_number']}"))
        words += [Text(f"  {event['at'][:16].replace('T', ' ')}  {event['text']}") for event in shipment["events"]]
    return Group(*words)


def _comparison(data: Data) -> RenderableType:
    table = Table()
    table.add_column("")
    for item in data["items"]:
        table.add_column(Text(item["title"]))
    for row in data["rows"]:
        table.add_row(Text(row["name"]), *(Text(value) for value in row["values"]))
    return table


def _stock(data: Data) -> RenderableType:
    table = Table(title="Stock", title_justify="left")
    for heading in ("SKU", "Location", "On hand", "Reserved", "Available"):
        table.add_column(heading)
    for item in data["items"]:
        for place in item["locations"]:
            counts = (str(place[part]) for part in ("on_hand", "reserved", "available"))
            table.add_row(item["sku"], Text(place["name"]), *counts)
    return table


def _handoff(data: Data) -> RenderableType:
    return Text(f"A person will answer. Reference {data['reference']}. {data.get('hours', '')}", style="cyan")


def _trouble(data: Data) -> RenderableType:
    words = data["message"] + (f"\n{data['challenge_url']}" if data.get("challenge_url") else "")
    return Text(words, style="red")


_DRAWINGS: Final[Mapping[str, Callable[[Data], RenderableType | None]]] = {
    "products": _products,
    "product": _product,
    "comparison": _comparison,
    "cart": _cart,
    "checkout": _checkout,
    "confirmation": _confirmation,
    "receipt": _receipt,
    "orders": _orders,
    "order_timeline": _timeline,
    "payment_problem": _trouble,
    "handoff": _handoff,
    "change": _change,
    "change_problem": _problem,
    "sign_in": _sign_in,
    "stock": _stock,
}
