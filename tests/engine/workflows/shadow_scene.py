"""A workflow that reads, makes an order and bills what it made, in as many versions as are wanted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx

from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync import xref
from engine.sync.client import VendorClient
from engine.sync.models import System
from engine.workflows.definition import Workflow
from engine.workflows.run import Run
from tests.engine.sync.scene import Scene, connect
from tests.engine.workflows.toys import Toy, toy

SECRET = "s3cret-value"


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


@dataclass
class Shadows:
    """Its connection, and what its system was sent."""

    runtime: Runtime
    tenant: Tenant
    name: str = "Main"
    server: Server = field(default_factory=Server)
    scene: Scene = field(init=False)

    def __post_init__(self) -> None:
        secrets = {"access_token": SECRET}
        url = "https://erp.example.com"
        self.scene = connect(self.runtime, self.tenant, name=self.name, base_url=url, secrets=secrets)

    def workflow(self, version: str = "1.0.0", *, quantity: int = 1) -> Workflow[Toy]:
        def body(run: Any, payload: Toy) -> dict[str, Any]:
            client = VendorClient(
                run.outside,
                run.tenant_id,
                self.scene.connection,
                transport=httpx.MockTransport(self.server),
                shadow=run.wiring.shadow,
                workflow_id=run.id,
            )
            item = run.step("item", lambda: client.request("GET", "/item").data["item"])
            order = {"item": item, "quantity": quantity, "memo": f"by {SECRET}"}
            at = run.step(
                "order",
                lambda: client.request("PUT", "/order", json=order, idempotency_key="k").headers.get("location", ""),
            )
            run.step("link", lambda: _link(run, payload))
            run.step("bill", lambda: client.request("POST", f"/bill/{at[-4:]}", json={"of": at}).status)
            return {"at": at}

        return toy(body, version=version)


def _link(run: Run, payload: Toy) -> None:
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
