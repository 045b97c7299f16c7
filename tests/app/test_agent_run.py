"""``icommerce agent run``: a process for one workflow, its health, and its graceful end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select, text

from app.worker import serve_health
from engine.db import Addresses
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync.models import System
from engine.workflows import durable, starting
from engine.workflows.models import Executor, RunRow
from tests.contracts.connectors import bench
from tests.receiver import Heard, Says, receiving

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0
pytestmark = pytest.mark.timeout(300)  # a process that starts, on a machine that may do other things


class Agent:
    """The command, as a container would run it."""

    def __init__(self, addresses: Addresses, *words: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ICOMMERCE_", "DATABASE_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app", "agent", "run", *words],
            cwd=ROOT,
            env=kept
            | {
                "DATABASE_URL": addresses.runtime,
                "ICOMMERCE_SECRET_KEY": addresses.secret_key.decode(),
                "ICOMMERCE_DEMO": "1",
                "PYTHONPATH": f"{ROOT}:{ROOT / 'agents'}",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def health(self) -> str:
        """Its address, once it says that it executes."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready http://127.0.0.1:"), (line, self.process.communicate(timeout=PATIENCE))
        return line.removeprefix("ready ").strip()

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def erp(runtime: Runtime, tenant: Tenant) -> Iterator[threading.Event]:
    """An ERP that takes its time, and whether it was asked."""
    asked = threading.Event()

    def says(_: Heard) -> Says:
        asked.set()
        receiver.closing.wait(PATIENCE)
        return Says(503)

    with receiving(says=says) as receiver:
        bench.connect(runtime, tenant.id, System.NETSUITE, bench.usual_credentials(), receiver.url)
        yield asked


def begun(runtime: Runtime, tenant: Tenant, workflow: str, **payload: str) -> str:
    return starting.start(runtime, tenant.id, workflow, payload, trigger="test")[0]


def test_it_executes_its_workflow_alone_and_leaves_what_it_was_at_to_others(
    addresses: Addresses, runtime: Runtime, tenant: Tenant, erp: threading.Event
) -> None:
    durable.migrate(addresses)
    its = begun(runtime, tenant, "netsuiteInvoice", order_id="71")
    anothers = begun(runtime, tenant, "netsuiteToDCL", order_id="72", number="#72")
    agent = Agent(addresses, "netsuiteInvoice", "--grace", "0.5")
    try:
        url = agent.health()
        assert erp.wait(PATIENCE)
        assert (httpx.get(url).status_code, httpx.get(url).json()) == (200, {"status": "ok"})
        agent.process.send_signal(signal.SIGTERM)
        assert agent.process.wait(PATIENCE) == 0
    finally:
        agent.kill()
    with runtime.unit_of_work(tenant.id) as session:
        rows = {row.id: row for row in session.scalars(select(RunRow).where(RunRow.tenant_id == tenant.id))}
    with runtime.store.without_tenant() as session:
        executor = session.get_one(Executor, rows[its].executor_id)
        query = text("SELECT workflow_uuid, status FROM dbos.workflow_status WHERE workflow_uuid LIKE :its")
        known = dict(session.execute(query, {"its": f"{tenant.id}:%"}).all())
    assert (executor.workflows, executor.ended_at is not None) == (["netsuiteInvoice"], True)
    assert (rows[its].status, rows[its].step, rows[its].turn) == ("running", "look", 1)
    assert (rows[anothers].status, rows[anothers].handed_at) == ("queued", None)
    assert known == {f"{its}~1": "ENQUEUED"}


def test_a_workflow_that_is_none_is_refused_by_name(addresses: Addresses) -> None:
    agent = Agent(addresses, "no-such")
    out, said = agent.process.communicate(timeout=PATIENCE)
    assert (agent.process.returncode, out) == (1, "")
    assert "There is no workflow" in said
    assert "netsuiteInvoice" in said


class Part:
    executing = False
    failed = ""


def test_its_health_is_that_of_what_executes() -> None:
    part = Part()
    server = serve_health(part, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        for part.executing, part.failed, told in (
            (False, "", (503, {"status": "starting"})),
            (True, "", (200, {"status": "ok"})),
            (False, "No database.", (503, {"status": "No database."})),
        ):
            answers = [httpx.get(f"{url}{path}") for path in ("/healthz", "/readyz")]
            assert [(one.status_code, one.json()) for one in answers] == [told, told]
        assert httpx.get(f"{url}/metrics").status_code == 404
    finally:
        server.shutdown()
        server.server_close()
