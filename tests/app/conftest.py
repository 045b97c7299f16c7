"""The web application in process, over the test database; nothing executes the runs that are queued."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from app.identity import COOKIE, new_session
from app.live import LiveEvents
from app.psp.server import create_psp_app
from app.server import create_app
from app.site import Limits, Site
from engine.agentic import keys
from engine.db import Addresses
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from tests.conftest import settings_for
from tests.engine.orders.desk import Desk
from tests.shop import Shop

WEB = "http://127.0.0.1:8000"
_numbers = itertools.count(1)


@dataclass
class Woken:
    """Remembers which threads were to be run."""

    keys: list[tuple[str, str]] = field(default_factory=list)

    def wake(self, tenant_id: str, thread_id: str) -> None:
        self.keys.append((tenant_id, thread_id))


class Browser:
    """One cookie jar at the shop's door."""

    def __init__(self, http: TestClient) -> None:
        self.http = http

    def post(self, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> Any:
        sent = {"Idempotency-Key": key or f"test-{next(_numbers)}"} | {
            k.replace("_", "-"): v for k, v in headers.items()
        }
        return self.http.post(path, json={} if body is None else body, headers=sent)

    def get(self, path: str, **headers: str) -> Any:
        return self.http.get(path, headers=_named(headers))

    def start(self, tenant: Tenant) -> str:
        """A new conversation in this shop; returns its id."""
        answer = self.post("/v1/threads", {"tenant": tenant.slug})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def say(self, thread_id: str, message: str, **more: Any) -> Any:
        return self.post(f"/v1/threads/{thread_id}/runs", {"message": message}, **more)


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture
def woken() -> Woken:
    return Woken()


@pytest.fixture
def site(runtime: Runtime, addresses: Addresses, tmp_path: Any, woken: Woken) -> Site:
    return Site(
        settings_for(tmp_path),
        web_origin=WEB,
        psp_origin="http://127.0.0.1:9999",
        limits=Limits(threads_per_address=100_000),
        opened=runtime,
        live=LiveEvents(addresses.runtime),
        waker=woken,
        ready=True,
    )


@pytest.fixture
def open_browser(site: Site) -> Iterator[Callable[[], Browser]]:
    """A new browser (its own cookies) each time."""
    app = create_app(site)
    opened: list[TestClient] = []

    def make() -> Browser:
        http = TestClient(app, base_url=WEB, raise_server_exceptions=False)
        opened.append(http)
        return Browser(http)

    yield make
    for http in opened:
        http.close()


@pytest.fixture
def browser(open_browser: Callable[[], Browser]) -> Browser:
    return open_browser()


@pytest.fixture
def mine(desk: Desk, open_browser: Callable[[], Browser]) -> Browser:
    """The browser of whoever bought at the ``desk``."""
    browser = open_browser()
    with desk.shop.uow() as session:
        browser.http.cookies.set(COOKIE, new_session(session, desk.buyer))
    return browser


@pytest.fixture
def gateway_pages(site: Site) -> Iterator[TestClient]:
    """The sandbox gateway's own origin."""
    with TestClient(create_psp_app(site), base_url="http://127.0.0.1:9999", raise_server_exceptions=False) as http:
        yield http


@pytest.fixture
def make_key(runtime: Runtime) -> Callable[..., str]:
    """A key of a shop, as the value of an Authorization header; it names nobody unless told."""

    def make(tenant: Tenant, *scopes: str, person: str | None = None) -> str:
        with runtime.unit_of_work(tenant.id) as session:
            made = keys.create(session, tenant.id, scopes=list(scopes), actor="test", person=person)
        return f"Bearer {made.secret}"

    return make


def counted(shop: Shop, model: Any) -> int:
    """Rows of ``model`` in this shop."""
    from sqlalchemy import func, select

    session: Session
    with shop.uow() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def paid_order(shop: Shop, sku: str) -> str:
    """An order that another shopper of this shop has paid; returns its id."""
    from engine.checkout.complete import complete

    buyer = shop.shopper()
    done = complete(shop.runtime, buyer, shop.approved(buyer, sku))
    assert done.order is not None
    return done.order.id
