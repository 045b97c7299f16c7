"""``/ops`` on the real server: lanes and requests of an order, the exact filter, a fix and a retry of all, live."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from app.commands.opened import runtime as opened
from engine.kit import clock
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.settings import Settings
from engine.sync import readings
from engine.sync.errors import Rejected
from engine.sync.models import System
from engine.workflows.models import RunStatus, StepStatus
from engine.workflows.rehearsal import rehearse
from engine.workflows.shadow import replay
from tests.app.test_serve import Server
from tests.browser.looks import sound
from tests.browser.real import SHOP
from tests.engine.operations.pipeline_scene import Level, Pipeline
from tests.engine.workflows.shadow_scene import SECRET, Shadows
from tests.engine.workflows.toys import Toy, registered

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SMALL = """() => [...document.querySelectorAll('main :is(button, .button, select, summary, textarea, input)')]
  .filter(e => e.checkVisibility({visibilityProperty: true}))
  .map(e => [e.textContent.trim() || e.ariaLabel || e.name, e.getBoundingClientRect()])
  .filter(([, r]) => r.width && (r.width < 43.5 || r.height < 43.5)).map(([name, r]) => [name, r.width, r.height])"""
WORKFLOW = "netsuiteInvoice"
BAD = (System.NETSUITE, "PUT", "/record/v1/salesOrder/eid:SHOP-1071", 400, "vendor_rejected")
STEPS = [("items", StepStatus.DONE), ("customer", StepStatus.DONE), ("sales order", StepStatus.FAILED)]


@pytest.fixture(scope="module")
def pipeline(server: Server) -> Iterator[Pipeline]:
    """Runs of the first demo shop, written beside the running server."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in server.env.items():
            patched.setenv(name, value)
        with opened(Settings.from_env()) as runtime:
            yield seeded(runtime)


def seeded(runtime: Runtime) -> Pipeline:
    with runtime.store.without_tenant() as session:
        tenant = session.scalars(select(Tenant).where(Tenant.slug == SHOP)).one()
    made = Pipeline(runtime, tenant)
    made.connect(System.SHOPIFY, System.NETSUITE, System.DCL)
    asked = [(System.SHOPIFY, "GET", "/orders/1071", 200, ""), BAD]
    made.stopped(1071, workflow=WORKFLOW, steps=STEPS, calls=asked, ago=timedelta(minutes=20))
    made.stopped(1072, workflow=WORKFLOW, steps=STEPS[:1], calls=[BAD])
    made.run(1070, steps=STEPS[:2], calls=[(System.SHOPIFY, "GET", "/orders/1070", 200, "")], ago=timedelta(hours=3))
    waits = [("send", StepStatus.WAITING)]
    lost = [(System.DCL, "POST", "/batches", 503, "vendor_unavailable")]
    made.run(1070, RunStatus.WAITING, workflow="netsuiteToDCL", steps=waits, calls=lost, step="send", attempts=3)
    with made.uow() as session:
        for system, units in ((System.NETSUITE, 7), (System.SHOPIFY, 4)):
            readings.keep(session, tenant.id, made.systems[system].id, [Level("TH-FELL2-ORG", "1", units)])
    return made


def test_an_order_in_the_lanes_of_all_systems(pipeline: Pipeline, person: Any) -> None:
    ola = person("Ola")
    page = ola.go("/ops")
    expect(page.get_by_role("link", name="Operations", exact=True)).to_have_attribute("aria-current", "page")
    expect(page.get_by_role("heading", name="NetSuite Main")).to_be_visible()
    sound(page, "ops/overview", small=SMALL, full_page=True)
    page.goto(f"{ola.url}/ops/object?kind=order&ref=%231071")
    failed = page.locator(".op-mark[data-focus]")
    expect(failed).to_be_focused()
    expect(failed).to_have_accessible_name(re.compile("^iCommerce: Step 3, sales order: failed, attempt 3"))
    expect(page.get_by_label("In words")).to_contain_text("the system understood the request and refused it")
    sound(page, "ops/object", small=SMALL, full_page=True)
    failed.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    call = page.locator("details.op-call[open]")
    expect(call.get_by_role("region", name="Request")).to_contain_text("TENT-1")
    expect(call.locator("summary")).to_be_focused()
    assert "shpat_" not in page.content()


def test_retrying_now_and_live(pipeline: Pipeline, person: Any) -> None:
    page = person("Ola").go("/ops/runs")
    page.get_by_label("State").select_option(label="Retrying now")
    row = page.get_by_role("row", name=re.compile("netsuiteToDCL"))
    expect(row).to_contain_text(re.compile(r"retrying \(3/8\), next \w+ \d+, \d{4}"))
    expect(page.locator("tbody tr")).to_have_count(1)
    sound(page, "ops/runs", small=SMALL, full_page=True)
    pipeline.run(1099, RunStatus.WAITING, step="items", attempts=2)
    expect(page.get_by_role("row", name=re.compile("#1099"))).to_contain_text("retrying (2/8)")


def test_one_is_refused_and_all_of_a_cause_are_done_again(pipeline: Pipeline, person: Any) -> None:
    page = person("Ola").go("/ops/exceptions")
    one = page.locator(".op-exception", has_text="#1072")
    expect(one).to_contain_text("TENT-1 is unknown")
    sound(page, "ops/exceptions", small=SMALL, full_page=True)
    one.get_by_role("button", name="Fix and retry").click()
    card = page.get_by_role("dialog")
    card.get_by_label("Payload (JSON)").fill('{"source_id": ')
    card.get_by_role("button", name="Save and retry").click()
    expect(card.get_by_role("alert")).to_contain_text("This is not JSON")
    card.get_by_label("Payload (JSON)").fill('{"nothing": "of the kind"}')
    card.get_by_role("button", name="Save and retry").click()
    expect(card.get_by_role("alert")).to_contain_text("payload")
    card.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Retry all 2").press("Enter")
    expect(card).to_contain_text("Order #1071".lower())
    expect(card).to_contain_text("Nothing happened yet.")
    card.get_by_role("button", name="Retry all").click()
    expect(page.locator(".st-toast")).to_contain_text("2 are done again.")


def test_stock_and_deliveries(pipeline: Pipeline, person: Any) -> None:
    page = person("Ola").go("/ops/stock")
    row = page.get_by_role("row", name=re.compile("TH-FELL2-ORG"))
    expect(row).to_contain_text("(-3)")
    sound(page, "ops/stock", small=SMALL, full_page=True)
    page.get_by_role("link", name="Deliveries").click()
    expect(page.get_by_text("Nothing came in.")).to_be_visible()


def test_a_version_in_the_shadow_and_how_it_differs(pipeline: Pipeline, person: Any) -> None:
    scene = Shadows(pipeline.runtime, pipeline.tenant, name="Shadowed")
    since = clock.now() - timedelta(hours=1)
    with registered(scene.workflow()):
        rehearse(pipeline.runtime, pipeline.tenant.id, scene.workflow(), Toy(ref="#3001"))
    for version, quantity in (("1.1.0", 1), ("1.2.0", 4)):
        with registered(scene.workflow(version, quantity=quantity)):
            list(replay(pipeline.runtime, pipeline.tenant.id, "toy", version, since=since))
    page = person("Ola").go("/ops")
    page.get_by_role("link", name="Shadow", exact=True).click()
    expect(page.get_by_role("row", name=re.compile("toy 1.1.0"))).to_contain_text("All 1 would send what was sent.")
    expect(page.get_by_role("row", name=re.compile("toy 1.2.0"))).to_contain_text("not ready")
    changed = page.get_by_role("table", name="PUT /order").get_by_role("row", name=re.compile("body.quantity"))
    expect(changed.get_by_role("cell")).to_have_text(["1", "4"])
    page.get_by_text("Would be sent, was not: POST /bill/").click()
    expect(page.get_by_role("region", name="Would be sent, was not: POST /bill/")).to_be_visible()
    assert SECRET not in page.content()
    sound(page, "ops/shadows", small=SMALL, full_page=True)
    page.get_by_role("link", name="toy 1.1.0").click()
    expect(page.get_by_text("In nothing.")).to_be_visible()


def test_a_run_of_five_hundred_steps(pipeline: Pipeline, person: Any) -> None:
    steps = [(f"line {number}", StepStatus.DONE) for number in range(499)]
    stopped = pipeline.stopped(2000, Rejected("The last line."), steps=[*steps, ("last", StepStatus.FAILED)])
    page = person("Ola").go(f"/ops/run?id={stopped.workflow_id}")
    expect(page.locator(".op-mark")).to_have_count(500)
    last = page.locator(".op-mark[data-focus]")
    expect(last).to_be_focused()
    frame = page.locator(".op-scroll").bounding_box()
    box = last.bounding_box()
    assert frame
    assert box
    assert frame["x"] <= box["x"] <= box["x"] + box["width"] <= frame["x"] + frame["width"]
    expect(page.locator(".op-steps tbody tr")).to_have_count(500)
