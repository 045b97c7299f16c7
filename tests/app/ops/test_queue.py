"""``/v1/ops/exceptions``, ``/deliveries`` and ``/stock``: put right and done again, worked once more, held together."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from engine.catalog.models import Variant
from engine.catalog.shop_file import StockPolicy
from engine.kit import clock
from engine.kit.audit import AuditRow
from engine.sync import exceptions, inbox, readings
from engine.sync.errors import UnknownOutcome
from engine.sync.models import System
from engine.sync.work_models import DeliveryStatus, Reading
from engine.workflows import pipeline as settings
from engine.workflows import registry
from tests.app.conftest import Browser
from tests.engine.operations.pipeline_scene import PLACE, Level, Pipeline
from tests.shop import Shop

QUEUE = "/v1/ops/exceptions"


def states(pipeline: Pipeline, *rows: Any) -> list[str]:
    with pipeline.uow() as session:
        return [str(exceptions.get(session, pipeline.tenant.id, row.id).status) for row in rows]


def test_what_stopped_is_listed_by_state_cause_and_subject(browser: Browser, ops: str, pipeline: Pipeline) -> None:
    first, second = pipeline.stopped(1), pipeline.stopped(2)
    other = pipeline.stopped(3, UnknownOutcome("Nobody knows."))
    with pipeline.uow() as session:
        exceptions.dismiss(session, pipeline.tenant.id, second.id, actor="key_test")
    asked = {
        "": [other.id, first.id],
        "?status=dismissed": [second.id],
        "?status=any": [other.id, second.id, first.id],
        f"?cause={first.fingerprint}": [first.id],
        "?subject=order%20%233": [other.id],
        "?status=any&workflow=netsuiteToDCL": [],
    }
    for query, expected in asked.items():
        answer = browser.get(QUEUE + query, authorization=ops)
        assert [one["id"] for one in answer.json()["items"]] == expected, query
    found = browser.get(f"{QUEUE}/causes", authorization=ops).json()["items"]
    assert sorted((one["code"], one["count"]) for one in found) == [("unknown_outcome", 1), ("vendor_rejected", 1)]
    shown = browser.get(f"{QUEUE}/{first.id}", authorization=ops).json()
    assert shown["fields"] == [{"path": "item.items.0.item", "message": "TENT-1 is unknown"}]
    assert shown["payload"] == {"source_id": "1", "sku": "TENT-1"}


def test_a_payload_is_put_right(browser: Browser, ops: str, pipeline: Pipeline) -> None:
    row = pipeline.stopped(1)
    fixed = {"payload": {"source_id": "1", "sku": "TENT-2"}}
    answer = browser.post(f"{QUEUE}/{row.id}/fix", fixed, authorization=ops)

    assert (answer.status_code, answer.json()["status"]) == (200, "retrying")
    assert answer.json()["fixed"] == {"source_id": "1", "sku": "TENT-2"}
    assert browser.post(f"{QUEUE}/{row.id}/fix", fixed, authorization=ops).status_code == 409


@pytest.mark.parametrize(
    ("payload", "param"),
    [
        ({"sku": "TENT-2"}, "payload.source_id"),
        ({"source_id": 7}, "payload.source_id"),
        ({"source_id": "1", "card": "x"}, "payload.card"),
    ],
)
def test_a_payload_that_its_workflow_would_not_take_is_refused(
    browser: Browser, ops: str, pipeline: Pipeline, payload: dict[str, Any], param: str
) -> None:
    row = pipeline.stopped(1)
    answer = browser.post(f"{QUEUE}/{row.id}/fix", {"payload": payload}, authorization=ops)

    assert (answer.status_code, answer.json()["param"]) == (400, param)
    with pipeline.uow() as session:
        kept = exceptions.get(session, pipeline.tenant.id, row.id)
        assert (kept.status, kept.fixed, kept.retries) == ("open", None, 0)


def test_a_payload_of_another_key_is_refused(browser: Browser, ops: str, pipeline: Pipeline) -> None:
    row = pipeline.stopped(1)
    answer = browser.post(f"{QUEUE}/{row.id}/fix", {"payload": {"source_id": "2"}}, authorization=ops)

    assert (answer.status_code, states(pipeline, row)) == (400, ["open"])


def test_retried_dismissed_and_opened_again(browser: Browser, ops: str, pipeline: Pipeline) -> None:
    first, second = pipeline.stopped(1), pipeline.stopped(2)
    assert browser.post(f"{QUEUE}/{first.id}/retry", authorization=ops).json()["status"] == "retrying"
    assert browser.post(f"{QUEUE}/{second.id}/dismiss", authorization=ops).json()["status"] == "dismissed"
    assert browser.post(f"{QUEUE}/{second.id}/reopen", authorization=ops).json()["status"] == "open"
    assert browser.post(f"{QUEUE}/{second.id}/reopen", authorization=ops).status_code == 409
    assert states(pipeline, first, second) == ["retrying", "open"]


def test_all_of_a_cause_are_told_and_then_done_again(browser: Browser, ops: str, pipeline: Pipeline) -> None:
    rows = [pipeline.stopped(number) for number in range(3)]
    other = pipeline.stopped(9, UnknownOutcome("Nobody knows."))
    path = f"{QUEUE}/causes/{rows[0].fingerprint}/retry"
    told = browser.post(path, authorization=ops).json()

    assert (told["count"], told["dry_run"], len(told["named"])) == (3, True, 3)
    assert states(pipeline, *rows, other) == ["open"] * 4
    done = browser.post(f"{path}?dry_run=false", key="once", authorization=ops)
    again = browser.post(f"{path}?dry_run=false", key="once", authorization=ops)
    assert (done.json()["count"], again.json()) == (3, done.json())
    assert states(pipeline, *rows, other) == ["retrying"] * 3 + ["open"]
    with pipeline.uow() as session:
        assert [row.facts["count"] for row in session.query(AuditRow).filter_by(action="exception.cause_retried")] == [
            3
        ]


def test_a_delivery_is_shown_masked_and_worked_once_more(browser: Browser, ops: str, pipeline: Pipeline) -> None:
    body = b'{"id": 7, "access_token": "shpat_0123456789abcdef", "note": "4242 4242 4242 4242"}'
    with pipeline.uow() as session:
        row, _ = inbox.receive(
            session,
            tenant_id=pipeline.tenant.id,
            source="shopify",
            delivery_id="w1",
            topic="orders/create",
            body=body,
            headers={"X-Shopify-Topic": "orders/create", "X-Shopify-Hmac-Sha256": "abc"},
        )
        row.status, row.error, row.attempts = DeliveryStatus.DEAD, "vendor_unavailable", 8
    (listed,) = browser.get("/v1/ops/deliveries?status=dead", authorization=ops).json()["items"]
    shown = browser.get(f"/v1/ops/deliveries/{row.id}", authorization=ops).json()

    assert (listed["id"], listed["topic"], listed["error"]) == (row.id, "orders/create", "vendor_unavailable")
    assert shown["headers"] == {"x-shopify-topic": "orders/create"}
    assert '"id":7' in shown["body"]
    assert "shpat_" not in shown["body"]
    assert "4242 4242" not in shown["body"]
    assert browser.post(f"/v1/ops/deliveries/{row.id}/revive", authorization=ops).json()["status"] == "waiting"
    assert browser.post(f"/v1/ops/deliveries/{row.id}/revive", authorization=ops).status_code == 409
    assert browser.get("/v1/ops/deliveries?status=dead", authorization=ops).json()["items"] == []
    with pipeline.uow() as session:
        assert session.query(AuditRow).filter_by(action="delivery.revived", subject=row.id).count() == 1


def test_items_that_are_not_counted_alike(browser: Browser, ops: str, pipeline: Pipeline, shop: Shop) -> None:
    shop.add("A", stock={"EAST": 5})
    shop.add("B", stock={"EAST": 4})
    with pipeline.uow() as session:
        for system, levels in {
            System.NETSUITE: [Level("A", "1", 3), Level("A", "2", 2), Level("B", "1", 4), Level("ONLY", "1", 9)],
            System.SHOPIFY: [Level("A", "x", 5), Level("B", "x", 1)],
        }.items():
            readings.keep(session, pipeline.tenant.id, pipeline.systems[system].id, levels)
    (found,) = browser.get("/v1/ops/stock", authorization=ops).json()["items"]
    everything = browser.get("/v1/ops/stock?drifting=false&limit=1", authorization=ops).json()

    assert (found["sku"], found["leads"], found["spread"]) == ("B", "netsuite", 3)
    counts = {one["system"]: (one["available"], one["difference"]) for one in found["counts"]}
    assert counts == {"netsuite": (4, 0), "shopify": (1, -3), "ours": (4, 0)}
    assert [one["sku"] for one in everything["items"]] == ["A"]
    rest = browser.get(f"/v1/ops/stock?drifting=false&cursor={everything['next_cursor']}", authorization=ops).json()
    assert ([one["sku"] for one in rest["items"]], rest["next_cursor"]) == (["B"], None)


def test_what_is_kept_back_is_no_difference(
    browser: Browser, ops: str, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.WORKFLOWS, "inventorySync", PLACE)
    with pipeline.uow() as session:
        settings.save(
            session,
            pipeline.tenant.id,
            actor="key_test",
            workflow="inventorySync",
            is_on=True,
            settings={"safety_stock": 2, "safety_stock_of": {"C": 0}},
            activate_it=True,
        )
        for system, units in ((System.NETSUITE, (5, 1, 5)), (System.SHOPIFY, (3, 0, 3))):
            levels = [Level(sku, "1", one) for sku, one in zip("ABC", units, strict=True)]
            readings.keep(session, pipeline.tenant.id, pipeline.systems[system].id, levels)
    found = browser.get("/v1/ops/stock", authorization=ops).json()["items"]
    assert [(one["sku"], one["spread"]) for one in found] == [("C", 2)]


def test_what_we_do_not_count_drifts_from_nobody(browser: Browser, ops: str, shop: Shop, pipeline: Pipeline) -> None:
    shop.add("SUMMIT-MAP", stock={})
    with pipeline.uow() as session:
        session.query(Variant).filter_by(sku="SUMMIT-MAP").update({"stock_policy": StockPolicy.UNTRACKED})
        readings.keep(session, pipeline.tenant.id, pipeline.systems[System.NETSUITE].id, [Level("SUMMIT-MAP", "1", 0)])
    assert browser.get("/v1/ops/stock?drifting=false", authorization=ops).json()["items"] == []
    with pipeline.uow() as session:
        levels = [Level("SUMMIT-MAP", "1", 3)]
        readings.keep(session, pipeline.tenant.id, pipeline.systems[System.SHOPIFY].id, levels)
    (found,) = browser.get("/v1/ops/stock", authorization=ops).json()["items"]
    assert {one["system"]: one["available"] for one in found["counts"]} == {"netsuite": 0, "shopify": 3}


def test_a_late_reading_takes_no_newer_ones_place(pipeline: Pipeline) -> None:
    its, now = pipeline.systems[System.NETSUITE].id, clock.now()
    with pipeline.uow() as session:
        readings.keep(session, pipeline.tenant.id, its, [Level("A", "1", 3), Level("B", "1", 3)])
        session.query(Reading).filter_by(sku="A").update({"read_at": now + timedelta(hours=1)})
        session.query(Reading).filter_by(sku="B").update({"read_at": now - timedelta(hours=1)})
        assert readings.keep(session, pipeline.tenant.id, its, [Level("A", "1", 9)] * 2, whole=True) == 1
        assert [(row.sku, row.available) for row in session.query(Reading)] == [("A", 3)]


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("sync_exceptions WHERE tenant_id = $1 AND status = $2 ORDER BY last_at DESC, id DESC", "_last"),
        ("sync_exceptions WHERE tenant_id = $1 ORDER BY last_at DESC, id DESC", "_all"),
        ("sync_exceptions WHERE tenant_id = $1 AND workflow = $2 ORDER BY last_at DESC, id DESC", "_workflow"),
        ("sync_exceptions WHERE tenant_id = $1 AND subject = $2 ORDER BY last_at DESC, id DESC", "_subject"),
        ("sync_deliveries WHERE tenant_id = $1 AND status = $2 ORDER BY received_at DESC, id DESC", "_status"),
        ("sync_deliveries WHERE tenant_id = $1 ORDER BY received_at DESC, id DESC", "_received"),
        ("sync_readings WHERE tenant_id = $1 AND sku > $2 ORDER BY sku", "pk_sync_readings"),
    ],
)
def test_lists_are_read_by_an_index(pipeline: Pipeline, query: str, index: str) -> None:
    with pipeline.uow() as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        session.execute(text("SET LOCAL enable_sort = off"))
        ask = f"EXPLAIN (GENERIC_PLAN) SELECT tenant_id FROM app.{query}"  # noqa: S608 (our own words)
        plan = "\n".join(session.connection().exec_driver_sql(ask).scalars())
    name = query.partition(" ")[0]
    assert (index if index.startswith("pk") else f"ix_{name}{index}") in plan
