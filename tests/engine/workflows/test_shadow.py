"""The shadow: what a run would send, and how that differs from what its live one sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from engine.kit import clock
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync import xref
from engine.sync.client import VendorClient
from engine.sync.models import CallMode, System, Xref
from engine.workflows import registry
from engine.workflows.access import Wiring
from engine.workflows.definition import Workflow
from engine.workflows.rehearsal import rehearse
from engine.workflows.run import Run
from engine.workflows.shadow import dry_run, replay
from tests.engine.sync.scene import connect
from tests.engine.workflows.toys import Toy, registered, toy


class Server:
    """Makes records, and says where they are by a header alone."""

    def __init__(self) -> None:
        self.wrote: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"item": "77"})
        self.wrote.append(f"{request.method} {request.url.path} {request.content.decode()}")
        return httpx.Response(
            204, headers={"Location": f"https://erp.example.com{request.url.path}/900{len(self.wrote)}"}
        )


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def bodies(runtime: Runtime, tenant: Tenant, server: Server) -> Callable[..., Workflow[Toy]]:
    """A workflow that reads, makes an order and bills what it made."""
    scene = connect(runtime, tenant, base_url="https://erp.example.com", secrets={"access_token": "s3cret-value"})

    def made(version: str = "1.0.0", *, quantity: int = 1) -> Workflow[Toy]:
        def body(run: Any, payload: Toy) -> dict[str, Any]:
            client = VendorClient(
                run.outside,
                run.tenant_id,
                scene.connection,
                transport=httpx.MockTransport(server),
                shadow=run.wiring.shadow,
                workflow_id=run.id,
            )
            item = run.step("item", lambda: client.request("GET", "/item").data["item"])
            order = {"item": item, "quantity": quantity}
            at = run.step(
                "order",
                lambda: client.request("PUT", "/order", json=order, idempotency_key="k").headers.get("location", ""),
            )
            run.step("link", lambda: link(run, payload))
            run.step("bill", lambda: client.request("POST", f"/bill/{at[-4:]}", json={"of": at}).status)
            return {"at": at}

        return toy(body, version=version)

    return made


def link(run: Run, payload: Toy) -> None:
    with run.runtime.unit_of_work(run.tenant_id) as session:
        xref.link(
            session,
            tenant_id=run.tenant_id,
            system=System.NETSUITE,
            kind="order",
            external_id=payload.ref,
            internal_kind="order",
            internal_id=payload.ref,
        )


def links(runtime: Runtime, tenant: Tenant) -> int:
    with runtime.unit_of_work(tenant.id) as session:
        return len(list(session.scalars(select(Xref).where(Xref.tenant_id == tenant.id))))


def test_a_dry_run_tells_what_would_be_sent_and_sends_and_keeps_nothing(
    runtime: Runtime, tenant: Tenant, server: Server, bodies: Callable[..., Workflow[Toy]]
) -> None:
    with registered(bodies()):
        told = dry_run(runtime, tenant.id, "toy", {"ref": "#1"})
    assert (told.status, [(one.method, one.path) for one in told.requests]) == (
        "done",
        [("PUT", "/order"), ("POST", "/bill/")],
    )
    assert '"item":"77"' in told.requests[0].request
    assert (server.wrote, links(runtime, tenant)) == ([], 0)


def test_a_version_that_would_send_the_same_differs_in_nothing(
    runtime: Runtime, tenant: Tenant, server: Server, bodies: Callable[..., Workflow[Toy]]
) -> None:
    rehearse(runtime, tenant.id, bodies(), Toy(ref="#1"))
    assert len(server.wrote) == 2
    since = clock.now() - timedelta(hours=1)
    with registered(bodies("1.1.0")):
        (one,) = replay(runtime, tenant.id, "toy", "1.1.0", since=since)
    assert (one.same, one.missing, one.extra, one.status) == (True, [], [], "done")
    assert (len(server.wrote), links(runtime, tenant)) == (2, 1)


def test_a_version_that_would_send_something_else_is_told(
    runtime: Runtime, tenant: Tenant, server: Server, bodies: Callable[..., Workflow[Toy]]
) -> None:
    rehearse(runtime, tenant.id, bodies(), Toy(ref="#1"))
    since = clock.now() - timedelta(hours=1)
    with registered(bodies("1.1.0", quantity=2)):
        (one,) = replay(runtime, tenant.id, "toy", "1.1.0", since=since)
    assert not one.same
    assert [request.path for request in one.missing] == ["/order", "/bill/9001"]
    assert '"quantity":2' in one.extra[0].request
    assert len(server.wrote) == 2


def test_a_version_that_is_not_there_is_refused_by_name(
    runtime: Runtime, tenant: Tenant, bodies: Callable[..., Workflow[Toy]]
) -> None:
    with registered(bodies()), pytest.raises(registry.VersionGone, match=r"there are: 1\.0\.0"):
        list(replay(runtime, tenant.id, "toy", "2.0.0", since=clock.now()))


def test_a_run_goes_on_under_the_same_major_number_alone(bodies: Callable[..., Workflow[Toy]]) -> None:
    with registered(bodies("1.4.0")):
        assert registry.at("toy", "1.0.0").version == "1.4.0"
        with pytest.raises(registry.VersionGone):
            registry.at("toy", "2.0.0")


def test_calls_of_the_shadow_are_marked(runtime: Runtime, tenant: Tenant, bodies: Callable[..., Workflow[Toy]]) -> None:
    with registered(bodies()):
        told = dry_run(runtime, tenant.id, "toy", {"ref": "#1"}, wiring=Wiring())
    from engine.workflows import starting

    with runtime.unit_of_work(tenant.id) as session:
        modes = [call.mode for call in starting.calls(session, tenant.id, told.run_id)]
    assert modes == [CallMode.LIVE, CallMode.SHADOW, CallMode.SHADOW]
