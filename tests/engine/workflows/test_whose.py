"""Whose fault it was: an exception names the connection, where that is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from engine.kit.tenancy import Tenant
from engine.policies import set_policy
from engine.runtime import Runtime
from engine.sync.errors import Rejected
from engine.sync.models import System
from engine.sync.work_models import ExceptionRow
from engine.workflows import triggers
from engine.workflows.access import Poll, Wiring
from engine.workflows.rehearsal import rehearse
from engine.workflows.run import Run
from tests.contracts.connectors import bench
from tests.engine.sync.scene import connect
from tests.engine.workflows.toys import Toy, registered, toy


@pytest.fixture
def erp(runtime: Runtime, tenant: Tenant) -> str:
    """The shop's connection to its ERP."""
    return bench.connect(runtime, tenant.id, System.NETSUITE, bench.usual_credentials())


def refuses() -> None:
    raise Rejected("no such sku")


def whose(runtime: Runtime, tenant: Tenant, body: Any) -> tuple[str, str | None]:
    """Of a run that failed: at which step, and whose it was."""
    assert rehearse(runtime, tenant.id, toy(body), Toy(ref="#1")).row().status == "failed"
    with runtime.unit_of_work(tenant.id) as session:
        row = session.scalars(select(ExceptionRow).where(ExceptionRow.tenant_id == tenant.id)).one()
        return row.step, row.connection_id


def test_what_a_system_refuses_is_its_connections(runtime: Runtime, tenant: Tenant) -> None:
    scene = connect(runtime, tenant)
    scene.answer = lambda _: httpx.Response(400, json={"title": "no"})

    def body(run: Run, payload: Toy) -> dict[str, Any]:
        run.step("ask", lambda: scene.client().request("GET", "/x"))
        return {}

    assert whose(runtime, tenant, body) == ("ask", scene.connection.id)


def test_what_a_connector_refuses_is_its_connections(runtime: Runtime, tenant: Tenant, erp: str) -> None:
    def body(run: Run, payload: Toy) -> dict[str, Any]:
        run.step("map", lambda: (run.erp(), refuses()))
        return {}

    assert whose(runtime, tenant, body) == ("map", erp)


def test_what_we_refuse_ourselves_is_nobodys(runtime: Runtime, tenant: Tenant, erp: str) -> None:
    def body(run: Run, payload: Toy) -> dict[str, Any]:
        run.step("look", lambda: bool(run.erp()))
        run.step("map", refuses)
        return {}

    assert whose(runtime, tenant, body) == ("map", None)


def test_a_poll_that_fails_names_whom_it_asked(runtime: Runtime, tenant: Tenant, erp: str) -> None:
    def asks(poll: Poll) -> Iterator[Toy]:
        poll.erp()
        refuses()
        yield Toy(ref="#1")

    workflow = replace(toy(lambda _run, _payload: {}), poll=asks, every_seconds=60)
    with registered(workflow):
        with runtime.unit_of_work(tenant.id) as session:
            set_policy(session, tenant.id, "alerts", {"failures": 1}, actor="ops")
        triggers.poll(runtime, tenant.id, workflow, wiring=Wiring())
    with runtime.unit_of_work(tenant.id) as session:
        row = session.scalars(select(ExceptionRow).where(ExceptionRow.tenant_id == tenant.id)).one()
        assert (row.step, row.connection_id) == ("poll", erp)
