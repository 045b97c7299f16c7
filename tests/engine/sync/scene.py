"""A connection to a system that a test plays itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx

from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync import connections
from engine.sync.client import VendorClient
from engine.sync.dialects import Dialect, Probe, TokenDialect
from engine.sync.limits import LimitPolicy
from engine.sync.models import Breaker, Call, Connection, Limit, LimitKind, Permit, System

SECRET = "shpat_0123456789abcdef"
HOOK = "whsec_fedcba9876543210"
MANY = LimitPolicy(LimitKind.CONCURRENCY, max_in_flight=50)


class Token(TokenDialect):
    """A system that knows us by a header."""

    header = "X-Token"
    key_header = "Idempotency-Key"
    probe = Probe("GET", "/shop")


Answer = Callable[[httpx.Request], httpx.Response]


@dataclass
class Scene:
    """One shop, one connection, and what the system was asked."""

    runtime: Runtime
    tenant: Tenant
    connection: Connection
    answer: Answer = field(default=lambda _request: httpx.Response(200, json={"ok": True}))
    heard: list[httpx.Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def uow(self) -> Any:
        return self.runtime.unit_of_work(self.tenant.id)

    def client(self, dialect: type[Dialect] = Token, **more: Any) -> VendorClient:
        def play(request: httpx.Request) -> httpx.Response:
            self.heard.append(request)
            return self.answer(request)

        usual = {"transport": httpx.MockTransport(play), "sleep": self.slept.append, "patience": 0.0}
        return VendorClient(
            self.runtime, self.tenant.id, self.connection, dialect=dialect(self.connection), **(usual | more)
        )

    def read(self, model: type[Any]) -> Any:
        """The connection's row of a kind."""
        with self.uow() as session:
            return session.get_one(model, (self.tenant.id, self.connection.id))

    @property
    def limit(self) -> Limit:
        found: Limit = self.read(Limit)
        return found

    @property
    def breaker(self) -> Breaker:
        found: Breaker = self.read(Breaker)
        return found

    def permits(self) -> list[Permit]:
        with self.uow() as session:
            return list(session.query(Permit).filter(Permit.connection_id == self.connection.id))

    def calls(self) -> list[Call]:
        with self.uow() as session:
            query = session.query(Call).filter(Call.connection_id == self.connection.id)
            return list(query.order_by(Call.id))


def connect(
    runtime: Runtime,
    tenant: Tenant,
    *,
    system: System = System.SHOPIFY,
    name: str = "Main",
    limit: LimitPolicy | None = MANY,
    secrets: Mapping[str, str] | None = None,
    base_url: str = "https://shop.example.com/admin",
    settings: Mapping[str, Any] | None = None,
) -> Scene:
    with runtime.unit_of_work(tenant.id) as session:
        row = connections.connect(
            session,
            runtime,
            tenant.id,
            actor="key_test",
            system=system,
            name=name,
            base_url=base_url,
            settings=settings or {},
            secrets_given=secrets or {"access_token": SECRET, "webhook_secret": HOOK},
            limit=limit,
        )
    return Scene(runtime, tenant, row)


def requests(capacity: int, seconds: float) -> LimitPolicy:
    return LimitPolicy(LimitKind.REQUESTS, capacity, int(seconds * 1_000))


def points(capacity: int, seconds: float) -> LimitPolicy:
    return LimitPolicy(LimitKind.POINTS, capacity, int(seconds * 1_000))


LEASE = timedelta(seconds=60)
