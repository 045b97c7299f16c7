"""Labels of the embedded carrier: 4 x 6 inches, a page for each package, as PDF and as ZPL for label printers."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import Session

from engine.fulfillment import carriers
from engine.inventory.models import Location
from engine.kit import fonts
from engine.kit.errors import NotFound
from engine.orders.models import Order, Shipment

_INCH: Final = 72
_SIZE: Final = (4 * _INCH, 6 * _INCH)
_MARGIN: Final = 18
_DOTS: Final = (812, 1218)
"""4 x 6 inches at 203 dots an inch."""


@dataclass(frozen=True, slots=True)
class Label:
    """What one package's label says."""

    number: str
    service: str
    sender: tuple[str, ...]
    receiver: tuple[str, ...]
    reference: str
    piece: str
    weight: str
    notice: str = ""


def labels_of(session: Session, tenant_id: str, shipment_id: str) -> list[Label]:
    """The labels of a shipment. Raises ``NotFound`` for one that another carrier labels."""
    shipment = session.get(Shipment, (tenant_id, shipment_id))
    if shipment is None or shipment.carrier != carriers.SANDBOX:
        raise NotFound("There is no label of ours for this shipment.")
    order = session.get_one(Order, (tenant_id, shipment.order_id))
    place = session.get_one(Location, (tenant_id, shipment.location_id))
    return [
        Label(
            number=shipment.tracking_number,
            service=shipment.service or carriers.SANDBOX,
            sender=(place.name, f"{place.city} {place.region} {place.postal_code}", place.country),
            receiver=address(order.ship_to or {}),
            reference=order.number,
            piece=f"{place_in_row} of {len(shipment.packages)}",
            weight=f"{package['weight_g'] // 1000}.{package['weight_g'] % 1000:03} kg",
        )
        for place_in_row, package in enumerate(shipment.packages, start=1)
    ]


def pdf(labels: Sequence[Label]) -> bytes:
    """One page a label. The same labels give the same bytes."""
    from reportlab.pdfgen.canvas import Canvas

    kept = io.BytesIO()
    canvas = Canvas(kept, pagesize=_SIZE, invariant=1)
    canvas.setTitle(f"Label {labels[0].number}" if labels else "Label")
    for label in labels:
        _page(canvas, label)
        canvas.showPage()
    canvas.save()
    return kept.getvalue()


def zpl(labels: Sequence[Label]) -> str:
    """ZPL II of the same labels, in UTF-8 (``^CI28``), without a byte that a printer would take for a command."""
    return "".join(_zpl(label) for label in labels)


def _page(canvas: Any, label: Label) -> None:
    from reportlab.graphics.barcode.code128 import Code128

    width, height = _SIZE
    top = height - _MARGIN
    canvas.setFont("Helvetica-Bold", 15)
    canvas.drawString(_MARGIN, top - 12, _latin(carriers.SANDBOX))
    canvas.setFont("Helvetica", 10)
    canvas.drawRightString(width - _MARGIN, top - 12, _latin(label.service)[:34])
    canvas.line(_MARGIN, top - 22, width - _MARGIN, top - 22)
    _lines(canvas, top - 36, 8, ("From", *label.sender))
    _lines(canvas, top - 100, 13, ("To", *label.receiver))
    canvas.line(_MARGIN, 178, width - _MARGIN, 178)
    canvas.setFont("Helvetica", 9)
    canvas.drawString(_MARGIN, 162, _latin(f"Order {label.reference}"))
    canvas.drawRightString(width - _MARGIN, 162, f"Package {label.piece}   {label.weight}")
    bars = Code128(label.number, barHeight=80, barWidth=1, quiet=False, humanReadable=False)
    bars.drawOn(canvas, (width - bars.width) // 2, 62)
    canvas.setFont("Courier-Bold", 13)
    canvas.drawCentredString(width // 2, 44, label.number)
    canvas.setFont("Helvetica", 7)
    canvas.drawCentredString(width // 2, 24, "Embedded carrier: this label moves no parcel.")


def _lines(canvas: Any, top: int, size: int, lines: Sequence[str]) -> None:
    for place, line in enumerate(lines):
        _line(canvas, top - place * (size + 4), size, _printable(line)[:46], bold=place == 0)


def _line(canvas: Any, y: int, size: int, line: str, *, bold: bool) -> None:
    """A built-in font where it has every letter, else the typeface that knows more scripts."""
    if all(ord(character) < 256 for character in line):
        canvas.setFont("Helvetica-Bold" if bold else "Helvetica", size)
        canvas.drawString(_MARGIN, y, line)
    else:
        fonts.draw(canvas, _MARGIN, y, line, size, font=fonts.BOLD if bold else fonts.REGULAR)


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())


def _zpl(label: Label) -> str:
    width, height = _DOTS
    fields = [
        (40, 40, 40, carriers.SANDBOX),
        (480, 50, 26, label.service[:30]),
        *((40, 120 + 30 * row, 24, text) for row, text in enumerate(("From", *label.sender))),
        *((40, 300 + 48 * row, 38, text) for row, text in enumerate(("To", *label.receiver))),
        (40, 720, 28, f"Order {label.reference}"),
        (420, 720, 28, f"Package {label.piece}  {label.weight}"),
        (200, 1090, 34, label.number),
    ]
    texts = "".join(f"^FO{x},{y}^A0N,{size},{size}^FH^FD{_escaped(text)}^FS" for x, y, size, text in fields)
    bars = f"^FO60,790^BY3,3,260^BCN,260,N,N,N^FD{label.number}^FS"
    return f"^XA^CI28^PW{width}^LL{height}{texts}{bars}^XZ\n"


def _escaped(text: str) -> str:
    """A printer reads ``^`` and ``~`` as the start of a command; ``_5E`` is a caret when ``^FH`` is set."""
    clean = "".join(character for character in text if character.isprintable())
    return clean.replace("_", "_5F").replace("^", "_5E").replace("~", "_7E")


def _latin(text: str) -> str:
    """The built-in fonts write Latin-1; other letters lose their marks, and what is left is a question mark."""
    kept = "".join(character for character in text if character.isprintable())
    plain = [one if _fits(one) else unicodedata.normalize("NFKD", one) for one in kept]
    return "".join(plain).encode("latin-1", "replace").decode("latin-1")


def _fits(character: str) -> bool:
    return ord(character) < 256


def address(ship_to: Mapping[str, Any]) -> tuple[str, ...]:
    """The lines of an address as a label has them."""
    town = f"{ship_to.get('city', '')} {ship_to.get('state', '')} {ship_to.get('postal_code', '')}"
    parts = (ship_to.get("name"), ship_to.get("line_one"), ship_to.get("line_two"), town, ship_to.get("country"))
    return tuple(" ".join(str(part).split()) for part in parts if part)
