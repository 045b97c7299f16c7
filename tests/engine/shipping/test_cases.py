"""The worked cases of ``cases.yaml``, and a shop that promises a day."""

from __future__ import annotations

from datetime import datetime, time
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.checkout import service
from engine.inventory.models import Location
from engine.kit import clock
from engine.shipping import rates
from engine.shipping.models import ShippingZone
from engine.shipping.policy import Calendar
from engine.shipping.promise import Desk, arrival
from engine.shipping.service import Parcel, offer
from tests.shop import ADDRESS, RATES, Shop

FILE = yaml.safe_load((Path(__file__).parent / "cases.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", FILE["promises"], ids=[case["id"] for case in FILE["promises"]])
def test_promise(case: dict[str, Any]) -> None:
    desk = Desk(
        case.get("zone", "UTC"),
        time.fromisoformat(case.get("cut_off", "14:00")),
        case.get("handling", 0),
        Calendar(holidays=case.get("holidays", [])),
    )
    days = {"working_days": case["carrier_days"]} if "carrier_days" in case else {}
    carrier = Calendar(holidays=case.get("carrier_holidays", []), **days)
    found = arrival(datetime.fromisoformat(case["at"]), desk, carrier, min_days=case["min"], max_days=case["max"])
    assert (found.leaves, found.earliest, found.latest) == (case["leaves"], case["earliest"], case["latest"])


@pytest.mark.parametrize("case", FILE["prices"], ids=[case["id"] for case in FILE["prices"]])
def test_price(case: dict[str, Any]) -> None:
    parcel = Parcel(**({"weight_g": 100, "goods": 1000} | case["parcel"]))
    assert rates.refusal(case["rate"], parcel) == case.get("refused")
    if "refused" in case:
        return
    price = rates.price(case["rate"], case["rate"], parcel)
    assert (price.amount if price else None) == case["amount"]
    assert list(price.surcharges if price else ()) == case.get("extra", [])


def test_each_case_is_itself() -> None:
    for cases in (FILE["promises"], FILE["prices"]):
        assert len({case["id"] for case in cases}) == len(cases)


def test_a_way_that_cannot_be_had_is_hidden_with_its_reason() -> None:
    zone = ShippingZone(countries=["US"], regions=[], rates=[RATES[0] | {"po_box": False}, RATES[1]])
    found = offer([zone], Parcel(100, 1000, po_box=True), country="US", ground_only=True)
    assert found.options == ()
    assert found.withheld == (
        "Standard is not possible: it does not deliver to PO boxes.",
        "Overnight is not possible: it goes by air, which something in this order may not.",
    )


def test_a_checkout_says_when_it_arrives_and_the_order_keeps_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tue 1 Dec 2026, 13:30 in Ohio: the cut-off of EAST is 13:00, so Wed 2; three to five days: Mon 7 to Wed 9."""
    moment = datetime.fromisoformat("2026-12-01T18:30+00:00")
    monkeypatch.setattr(clock, "now", lambda: moment)
    with shop.uow() as session:
        east = session.get_one(Location, (shop.tenant.id, shop.locations["EAST"]))
        east.time_zone, east.cut_off = "America/New_York", time(13, 0)
    shop.add("A")
    buyer = shop.shopper()
    shop.ready(buyer, "A")
    with shop.uow() as session:
        view = service.current(session, buyer)
    standard = next(one for one in view.fulfillment_options if one.id == "standard")
    assert (standard.earliest, standard.latest, standard.type) == ("2026-12-07", "2026-12-09", "shipping")


def test_a_way_that_does_not_reach_a_po_box_says_so_at_checkout(shop: Shop) -> None:
    with shop.uow() as session:
        (zone,) = session.query(ShippingZone).all()
        zone.rates = [RATES[0], RATES[1] | {"po_box": False}]
    shop.add("A")
    buyer = shop.shopper()
    shop.fill(buyer, "A")
    with shop.uow() as session:
        details = service.Details(email="a@example.com", **(ADDRESS | {"line_one": "P.O. Box 12"}))
        view = service.update(session, buyer, details)
    assert [one.id for one in view.fulfillment_options] == ["standard"]
    assert view.notices == ["Overnight is not possible: it does not deliver to PO boxes."]
