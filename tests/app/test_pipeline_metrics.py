"""Figures of the pipeline: what they count, that they cost one statement a shop, and that the dashboard shows them."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import generate_latest
from sqlalchemy import event

from app import pipeline_metrics
from app.metrics import REGISTRY
from engine.kit import clock
from engine.sync import alerts, exceptions, inbox, observed, readings
from engine.sync.canonical import StockLevel
from engine.sync.errors import RateLimited, Rejected, Transient
from engine.sync.models import System
from engine.workflows.models import RunRow
from tests.engine.sync.scene import connect, requests

DASHBOARD = Path(__file__).parents[2] / "docs/grafana/icommerce-sync.json"
NAME = re.compile(r"\bic_[a-z_]+")


@pytest.fixture
def standing(runtime, tenant, make_tenant, monkeypatch: pytest.MonkeyPatch) -> pipeline_metrics.Standing:
    """Of this test's shop and another, which has nothing."""
    other = make_tenant()
    read = pipeline_metrics._of_shop
    mine = {tenant.id, other.id}
    monkeypatch.setattr(pipeline_metrics, "MOST_SHOPS", 10**6)
    monkeypatch.setattr(pipeline_metrics, "_of_shop", lambda run, one: read(run, one) if one in mine else [])
    return pipeline_metrics.Standing()


def values(standing: pipeline_metrics.Standing, tenant: Any) -> dict[str, float]:
    found = {}
    for family in standing.collect():
        for sample in family.samples:
            labels = dict(sample.labels)
            if labels.pop("tenant") == tenant.slug:
                found["|".join([sample.name, *labels.values()])] = sample.value
    return found


def run(tenant: Any, number: int, status: str, **more: Any) -> RunRow:
    usual: dict[str, Any] = {"workflow": "shopifyToNetsuite", "version": "1.0.0", "subject_kind": "order"}
    ended = {"ended_at": clock.now()} if status in {"done", "failed", "canceled"} else {}
    waits = {"next_try_at": clock.now()} if status == "waiting" else {}
    failed = {"error_code": "vendor_rejected"} if status == "failed" else {}
    facts = usual | ended | waits | failed | {"subject_ref": f"#{number}", "payload": {}, "trigger": "poll"} | more
    return RunRow(tenant_id=tenant.id, id=f"{tenant.id}:w1:{number}", status=status, **facts)


def test_how_things_stand(runtime, tenant, standing, still_clock) -> None:
    shopify = connect(runtime, tenant)
    erp = connect(
        runtime, tenant, system=System.NETSUITE, secrets={"private_key": "12345678"}, base_url="https://erp.example.com"
    )
    now = clock.now()
    with runtime.unit_of_work(tenant.id) as session:
        session.add_all(
            [
                run(tenant, 1, "queued", created_at=now - timedelta(seconds=90)),
                run(tenant, 2, "waiting"),
                run(tenant, 3, "done"),
                run(tenant, 4, "failed", workflow="netsuiteToDCL"),
                run(tenant, 5, "done", created_at=now - timedelta(days=2)),
                run(tenant, 6, "queued", mode="shadow"),
            ]
        )
        exceptions.put(
            session,
            tenant.id,
            workflow="netsuiteToDCL",
            workflow_id="x",
            subject="s",
            error=Rejected("No."),
            payload={},
        )
        inbox.receive(
            session, tenant_id=tenant.id, source="shopify", delivery_id="1", topic="t", body=b"{}", headers={}
        )
        alerts.breaker_opened(session, tenant.id, erp.connection.id)
        for scene, units in ((shopify, 3), (erp, 4)):
            same = StockLevel(sku="SAME", item_id="1", location="1", available=5, on_hand=5)
            other = StockLevel(sku="OTHER", item_id="2", location="1", available=units, on_hand=units)
            readings.keep(session, tenant.id, scene.connection.id, [same, other])
    with clock.shifted(timedelta(seconds=10)):
        standing.refresh(runtime)

    assert values(standing, tenant) == {
        "ic_sync_runs|shopifyToNetsuite|queued": 1,
        "ic_sync_runs|shopifyToNetsuite|waiting": 1,
        "ic_sync_runs|shopifyToNetsuite|done": 1,
        "ic_sync_runs|netsuiteToDCL|failed": 1,
        "ic_sync_oldest_open_seconds|shopifyToNetsuite": 100,
        "ic_sync_breakers|netsuite|closed": 1,
        "ic_sync_breakers|shopify|closed": 1,
        "ic_sync_connections|netsuite|active": 1,
        "ic_sync_connections|shopify|active": 1,
        "ic_sync_deliveries|waiting": 1,
        "ic_sync_oldest_delivery_seconds": 10,
        "ic_sync_exceptions|netsuiteToDCL": 1,
        "ic_sync_drift": 1,
        "ic_sync_alerts|sync_breaker_open": 1,
    }


def test_many_shops_are_one_and_the_oldest_of_them_counts(
    runtime, tenant, make_tenant, standing, monkeypatch: pytest.MonkeyPatch, still_clock
) -> None:
    monkeypatch.setattr(pipeline_metrics, "MOST_SHOPS", 0)
    rows = [
        ("ic_sync_oldest_open_seconds", ["w"], 5.0),
        ("ic_sync_runs", ["w", "queued"], 2.0),
    ]
    more = iter([rows, [(rows[0][0], ["w"], 7.0), (rows[1][0], ["w", "queued"], 3.0)]])
    monkeypatch.setattr(pipeline_metrics, "_of_shop", lambda *_: next(more, []))
    assert pipeline_metrics.read(runtime) == {
        ("ic_sync_oldest_open_seconds", "all", ("w",)): 7.0,
        ("ic_sync_runs", "all", ("w", "queued")): 5.0,
    }


def test_it_is_asked_once_a_while_and_in_one_statement_a_shop(runtime, tenant, standing) -> None:
    asked: list[str] = []
    listen = lambda _c, _cu, words, *_: asked.append(words)  # noqa: E731
    event.listen(runtime.store.engine, "before_cursor_execute", listen)
    try:
        standing.refresh(runtime)
        once = [words for words in asked if "sync_runs" in words]
        standing.refresh(runtime)
        assert [words for words in asked if "sync_runs" in words] == once
    finally:
        event.remove(runtime.store.engine, "before_cursor_execute", listen)
    assert len(once) == 2


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_calls_waits_and_retries_are_counted(runtime, tenant) -> None:
    scene = connect(runtime, tenant, system=System.RECHARGE, limit=requests(2, 60))
    answers = iter([200, 503])
    scene.answer = lambda _request: httpx.Response(next(answers), json={})
    labels = {"system": "recharge"}
    seen = ("ic_sync_calls_total", "ic_sync_limit_waits_total", "ic_sync_call_seconds_count")
    before = [sample(seen[0], **labels, outcome="ok"), sample(seen[1], **labels), sample(seen[2], **labels)]

    scene.client().request("GET", "/a")
    with pytest.raises(Transient):
        scene.client().request("GET", "/a")
    with pytest.raises(RateLimited):
        scene.client().request("GET", "/a")

    after = [sample(seen[0], **labels, outcome="ok"), sample(seen[1], **labels), sample(seen[2], **labels)]
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 1, 2]
    assert sample(seen[0], **labels, outcome="vendor_unavailable") >= 1
    observed.retried("toy", "vendor_unavailable")
    assert sample("ic_sync_step_retries_total", workflow="toy", code="vendor_unavailable") == 1


def test_every_expression_of_the_dashboard_names_a_metric_that_exists() -> None:
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    expressions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    expressions += [one["query"]["query"] for one in board["templating"]["list"] if one["type"] == "query"]
    there = {
        line.split()[2] for line in generate_latest(REGISTRY).decode().splitlines() if line.startswith("# TYPE ic_")
    }
    there |= {f"{name}_bucket" for name in there}
    named = {name for words in expressions for name in NAME.findall(words)}
    assert named - there == set()
    ours = {name for name in there if name.startswith("ic_sync_") and not name.endswith(("_bucket", "_created"))}
    assert ours - {name.removesuffix("_bucket") for name in named} == set(), "shown nowhere"
    shown = {label for words in expressions for label in re.findall(r"by \(([a-z, ]+)\)", words)}
    known = {"le", "tenant", "outcome", "system", "code", "workflow"} | {
        label for _, labels in pipeline_metrics.GAUGES.values() for label in labels
    }
    assert {one.strip() for words in shown for one in words.split(",")} <= known
