"""What the ERP has ready goes to the warehouse, once, whatever happens on the way."""

from __future__ import annotations

import pytest

from engine.sync import exceptions
from engine.sync.models import System
from engine.sync.sandbox import emitting
from engine.workflows import lineage
from engine.workflows.models import RunMode, RunStatus
from engine.workflows.netsuite_to_dcl import WORKFLOW, SendOrder, default
from engine.workflows.rehearsal import Death, When
from engine.workflows.warehouse_canceled import WORKFLOW as LOST
from tests.engine.workflows.systems import Systems

TENT, OTHER = "TH-FELL1-ORG", "TH-FELL2-ORG"
STEPS = ["look", "submit", "link", "flag"]


def ready(systems: Systems, **units: int) -> SendOrder:
    systems.sales_order("SHOP-1", {name.replace("_", "-"): n for name, n in units.items()} or {TENT: 2, OTHER: 1})
    (found,) = systems.polled(WORKFLOW)
    return found


def flags(systems: Systems, order_id: str) -> tuple[object, object]:
    fields = systems.record("salesOrder", order_id).fields
    return fields.get("custbody_sent_to_3pl"), fields.get("custbody_3pl_order")


def test_an_order_goes_as_the_erp_has_it(systems: Systems) -> None:
    payload = ready(systems)
    run = systems.rehearse(WORKFLOW, payload)

    assert (run.row().status, run.result) == (RunStatus.DONE, {"order_number": payload.number})
    (sent,) = systems.at_house().values()
    assert sent.number == payload.number
    assert {name: sent.given[name] for name in ("po_number", "shipping_carrier", "shipping_service")} == {
        "po_number": "#1071",
        "shipping_carrier": "UPS",
        "shipping_service": "Ground",
    }
    address = sent.given["shipping_address"]
    assert (address["attention"], address["address1"], address["city"]) == (
        "Maya Lindqvist",
        "2719 Quivas Street",
        "Denver",
    )
    assert (address["state_province"], address["postal_code"], address["country_code"]) == ("CO", "80211", "US")
    assert [(line.item, line.quantity, line.price) for line in sent.lines] == [(TENT, 2, "20.00"), (OTHER, 1, "20.00")]
    assert flags(systems, payload.order_id) == (True, payload.number)
    assert (run.row().subject_kind, run.row().subject_ref) == ("order", "#1071")
    assert systems.polled(WORKFLOW) == []


def test_it_may_die_anywhere(systems: Systems) -> None:
    payload, deaths = ready(systems), [Death(when, step) for step in STEPS for when in When]
    run = systems.rehearse(WORKFLOW, payload, deaths=deaths)
    assert (run.row().status, run.lives, deaths) == (RunStatus.DONE, 13, [])
    assert list(systems.at_house()) == [payload.number]
    assert flags(systems, payload.order_id) == (True, payload.number)
    posts = [one for one in systems.world.ground.journal.entries(system="dcl") if one.operation == "POST batches"]
    assert len(posts) == 1


@pytest.mark.parametrize("kind", ["timeout_after_commit", "timeout_before_commit", "connection_reset", "http_500"])
def test_after_an_unknown_outcome_it_looks_first(systems: Systems, kind: str) -> None:
    payload = ready(systems)
    systems.put("dcl", kind, match={"method": "POST"})
    run = systems.rehearse(WORKFLOW, payload)
    assert run.row().status == RunStatus.DONE
    assert list(systems.at_house()) == [payload.number]
    assert run.seen.index("? submit") == run.seen.index("submit") + 1


@pytest.mark.parametrize("kind", ["http_429", "http_503", "partial_batch", "stale_read"])
def test_accidents_are_waited_out(systems: Systems, kind: str) -> None:
    payload = ready(systems)
    systems.put("dcl", kind)
    assert systems.rehearse(WORKFLOW, payload).row().status == RunStatus.DONE
    assert list(systems.at_house()) == [payload.number]


def test_what_the_warehouse_refuses_waits_for_a_person(systems: Systems) -> None:
    del systems.merchant.house.items[OTHER]
    payload = ready(systems)
    run = systems.rehearse(WORKFLOW, payload)
    assert (run.row().status, run.row().error_code) == (RunStatus.FAILED, "vendor_rejected")
    assert (systems.at_house(), flags(systems, payload.order_id)[0]) == ({}, None)
    with systems.runtime.unit_of_work(systems.tenant.id) as session:
        (case,) = exceptions.listed(session, systems.tenant.id).items
        assert case.workflow == "netsuiteToDCL"
        assert case.fields == [{"path": payload.number, "message": f"Item {OTHER} is unknown (30)"}]

    systems.merchant.house.items[OTHER] = next(iter(systems.merchant.house.items.values()))
    assert systems.rehearse(WORKFLOW, payload).row().status == RunStatus.DONE


def test_an_address_that_lacks_its_city_is_told_by_its_place(systems: Systems) -> None:
    order = systems.sales_order("SHOP-1", {TENT: 1}, shippingAddress={"addressee": "Maya", "addr1": "12 Pine"})
    (payload,) = systems.polled(WORKFLOW)
    run = systems.rehearse(WORKFLOW, payload)
    assert run.row().status == RunStatus.FAILED
    with systems.runtime.unit_of_work(systems.tenant.id) as session:
        (case,) = exceptions.listed(session, systems.tenant.id).items
        assert {fault["path"] for fault in case.fields} >= {"shipping_address.city", "shipping_address.postal_code"}
    assert (systems.at_house(), flags(systems, order)[0]) == ({}, None)


def test_an_order_that_was_closed_meanwhile_is_not_sent(systems: Systems) -> None:
    payload = ready(systems)
    systems.erp.close_order(payload.order_id)
    assert systems.rehearse(WORKFLOW, payload).result == {"skipped": "its status is H"}
    assert systems.at_house() == {}


def test_what_leaves_from_elsewhere_is_not_the_warehouses(systems: Systems) -> None:
    systems.sales_order("SHOP-1", {TENT: 1}, location={"externalId": "CMH"})
    (payload,) = systems.polled(WORKFLOW)
    assert systems.rehearse(WORKFLOW, payload).result == {"skipped": "nothing of it leaves from there"}
    assert systems.at_house() == {}


def test_a_shadow_sends_nothing_and_shows_what_it_would(systems: Systems) -> None:
    payload = ready(systems)
    run = systems.rehearse(WORKFLOW, payload, mode=RunMode.SHADOW)
    assert run.row().status == RunStatus.DONE
    assert (systems.at_house(), flags(systems, payload.order_id)[0]) == ({}, None)
    with systems.runtime.unit_of_work(systems.tenant.id) as session:
        found = lineage.warehouse_order(
            session, systems.tenant.id, system=System.DCL, account="20001", number=payload.number
        )
        assert found is None


def test_the_usual_mapping_fits_its_target() -> None:
    assert default() is default()


def test_an_order_of_the_erp_that_the_warehouse_calls_off_is_a_persons(systems: Systems) -> None:
    payload = ready(systems)
    systems.rehearse(WORKFLOW, payload)
    emitting.cancel_at_warehouse(systems.world, systems.merchant, payload.number)
    (found,) = systems.polled(LOST)
    assert (found.number, found.reference) == (payload.number, "#1071")
    assert systems.rehearse(LOST, found).result == {"wanted": 3}
    systems.erp.close_order(payload.order_id)
    assert systems.rehearse(LOST, found.model_copy(update={"account": "elsewhere"})).result == {
        "skipped": "nothing of it is wanted"
    }
