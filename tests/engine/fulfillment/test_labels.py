"""The embedded carrier's labels: the same shipment gives the same bytes, and no text becomes a printer's command."""

from __future__ import annotations

import re
import zlib
from base64 import a85decode
from collections.abc import Callable
from dataclasses import replace

import pytest

from engine.fulfillment import labels
from engine.fulfillment.labels import Label
from engine.fulfillment.shipments import Handover, Package, ship_now
from engine.kit.errors import NotFound
from engine.orders.models import Order
from tests.engine.fulfillment.conftest import Warehouse

LABEL = Label(
    number="SP7K3M9Q2XWV8HX",
    service="Standard",
    sender=("East", "Columbus OH 43004", "US"),
    receiver=("Zoë ^XZ Łódź~", "12 Pine St", "Portland WA 97204", "US"),
    reference="TS-10001",
    piece="1 of 1",
    weight="1.500 kg",
)


def texts(pdf: bytes) -> str:
    """The content streams of a PDF, as text."""
    streams = re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL)
    pages = [one.strip().removesuffix(b"~>") for one in streams if one.strip().endswith(b"~>")]
    return "".join(zlib.decompress(a85decode(one)).decode("latin-1") for one in pages)


def test_a_label_is_the_same_every_time_and_says_what_it_must() -> None:
    made = labels.pdf([LABEL, LABEL])
    assert made == labels.pdf([LABEL, LABEL])
    assert made.startswith(b"%PDF-")
    assert made.count(b"/Type /Page\n") == 2
    words = texts(made)
    for word in ("SP7K3M9Q2XWV8HX", "12 Pine St", "Order TS-10001", "Package 1 of 1   1.500 kg"):
        assert word in words


def test_names_in_other_scripts_are_set_in_a_typeface_that_knows_them() -> None:
    other = replace(LABEL, receiver=("Łódź Παπαδόπουλος", "Иван Петров", "山田太郎", "US"))
    made = labels.pdf([other])
    assert made == labels.pdf([other])
    assert b"DejaVuSans" in made
    assert b"STSong-Light" in made
    assert b"DejaVuSans" not in labels.pdf([replace(LABEL, receiver=("Zoë", "12 Pine St", "US"))])
    assert "12 Pine St" in texts(labels.pdf([LABEL]))
    assert "山田太郎" in labels.zpl([other])


def test_text_cannot_command_the_printer() -> None:
    made = labels.zpl([LABEL])
    assert made.startswith("^XA^CI28")
    assert made.count("^XZ") == 1
    assert "Zoë _5EXZ Łódź_7E" in made
    assert "^BCN,260,N,N,N^FDSP7K3M9Q2XWV8HX^FS" in made


def test_every_package_has_its_own_label(warehouse: Warehouse, placed: Callable[[], tuple[str, list[str]]]) -> None:
    order_id, works = placed()
    work_id = next(one for one in works if warehouse.work_lines(one)[0].quantity == 3)
    line = warehouse.lines(order_id)["A"]
    boxes = [Package({line.id: 2}, weight_g=1_234), Package({line.id: 1}, weight_g=50)]
    shipment_id = ship_now(warehouse.shop.runtime, warehouse.tenant_id, work_id, packages=boxes)
    with warehouse.shop.uow() as session:
        found = labels.labels_of(session, warehouse.tenant_id, shipment_id)
        number = session.get_one(Order, (warehouse.tenant_id, order_id)).number
    assert [(one.piece, one.weight) for one in found] == [("1 of 2", "1.234 kg"), ("2 of 2", "0.050 kg")]
    assert found[0].receiver == ("Ada Buyer", "12 Pine St", "Portland WA 97204", "US")
    assert found[0].reference == number


def test_another_carriers_parcel_has_no_label_of_ours(
    warehouse: Warehouse, placed: Callable[[], tuple[str, list[str]]]
) -> None:
    _, works = placed()
    handover = Handover(carrier="UPS", tracking_number="1Z9")
    shipment_id = ship_now(warehouse.shop.runtime, warehouse.tenant_id, works[0], handover=handover)
    for wanted in (shipment_id, "shi_nobody"):
        with pytest.raises(NotFound), warehouse.shop.uow() as session:
            labels.labels_of(session, warehouse.tenant_id, wanted)
