"""One embedded PostgreSQL for the whole test run, one database per worker, one fresh tenant per test."""

from __future__ import annotations

import asyncio
import gc
import os
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import psycopg
import pytest
from filelock import FileLock
from hypothesis import settings
from psycopg import sql
from sqlalchemy.engine import make_url

from engine.catalog.search import CatalogSearch
from engine.db import Addresses, Store, open_addresses
from engine.embedded_postgres import SUPERUSER, read_secrets, wipe
from engine.kit import clock, faults
from engine.kit.ids import new_id
from engine.kit.tenancy import Tenant
from engine.migrate import load_models, migrate
from engine.payments.gateways.manual import MANUAL, ManualGateway
from engine.payments.gateways.sandbox.gateway import SandboxGateway
from engine.runtime import Runtime
from engine.settings import Settings
from tests.shop import Shop, open_shop

RUN_HOME = "ICOMMERCE_TEST_HOME"
gc.disable()  # until all is imported, as the server does
settings.load_profile("ci")  # the same examples each time, in no haste; --hypothesis-profile=default: others


def pytest_collection_finish() -> None:
    """What was imported stays: no collection needs to walk it."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()


def pytest_configure(config: pytest.Config) -> None:
    """The controlling process names the home that all workers share."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")
    if RUN_HOME not in os.environ:
        os.environ[RUN_HOME] = tempfile.mkdtemp(prefix="icommerce-test-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """The controlling process takes the server away again."""
    if hasattr(config, "workerinput"):
        return
    home = Path(os.environ.pop(RUN_HOME))
    if (home / "postgres.lock").exists():
        wipe(home)


@contextmanager
def _no_loop(item: pytest.Item) -> Iterator[None]:
    """Once Playwright has begun, its loop counts as running between its calls too: no test could run one of its own."""
    playwrights = None if "chromium" in getattr(item, "fixturenames", ()) else asyncio._get_running_loop()
    if playwrights is None:
        yield
        return
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(playwrights)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    with _no_loop(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    with _no_loop(item):
        return (yield)


def settings_for(home: Path) -> Settings:
    """Settings of an embedded, not durable store in ``home``."""
    return Settings.from_env({"ICOMMERCE_HOME": str(home), "ICOMMERCE_DURABLE": "0"})


@pytest.fixture(scope="session")
def addresses(worker_id: str) -> Addresses:
    """A migrated database of this worker's own, copied from a template that the first worker made."""
    load_models()
    home = Path(os.environ[RUN_HOME])
    with FileLock(home / "template.lock"):
        made = home / "template.made"
        found = open_addresses(settings_for(home), start=True)
        if not made.exists():
            migrate(found)
            made.touch()
    return copied(found, f"test_{worker_id}")


def copied(found: Addresses, name: str) -> Addresses:
    """A database of that name as the migrated one was made, without a shop."""
    assert found.embedded is not None
    home = Path(os.environ[RUN_HOME])
    admin = found.embedded.dsn(role=SUPERUSER, password=read_secrets(home)["postgres_password"], database="postgres")
    with psycopg.connect(admin, autocommit=True) as connection, FileLock(home / "template.lock"):
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE icommerce OWNER icommerce_owner")
        connection.execute(copy.format(sql.Identifier(name)))
    assert found.owner is not None
    runtime, owner, sandbox = (
        make_url(url).set(database=name).render_as_string(hide_password=False)
        for url in (found.runtime, found.owner, found.sandbox)
    )
    return replace(found, runtime=runtime, owner=owner, sandbox=sandbox)


@pytest.fixture(scope="session")
def store(addresses: Addresses) -> Iterator[Store]:
    """The runtime role's store of this worker."""
    opened = Store(addresses.runtime)
    yield opened
    opened.close()


MakeTenant = Callable[..., Tenant]


def new_tenant(store: Store, **fields: object) -> Tenant:
    """A fresh tenant."""
    tenant_id = new_id("tenant")
    usual: dict[str, object] = {
        "id": tenant_id,
        "slug": f"shop-{tenant_id[-12:]}",
        "name": "Test Shop",
        "demo": True,
        "currency": "USD",
        "country": "US",
        "settings": {"order_prefix": "TS"},
    }
    row = Tenant(**(usual | fields))
    with store.without_tenant() as session:
        session.add(row)
    return row


@pytest.fixture
def make_tenant(store: Store) -> MakeTenant:
    """Make another fresh tenant."""
    return partial(new_tenant, store)


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> Tenant:
    """A fresh tenant of this test's own."""
    return make_tenant()


@pytest.fixture(scope="session")
def runtime(addresses: Addresses, store: Store) -> Iterator[Runtime]:
    """The engine without a vector index: search works by words alone."""
    gateway = SandboxGateway(addresses.sandbox, addresses.secret_key, page_url=lambda: "http://127.0.0.1:1")
    yield Runtime(
        store=store,
        gateways={"sandbox": gateway, MANUAL: ManualGateway(addresses.secret_key)},
        search=CatalogSearch(),
        secret_key=addresses.secret_key,
        demo=True,
        psp_url=lambda: "http://127.0.0.1:1",
    )
    gateway.close()


@pytest.fixture
def shop(runtime: Runtime, tenant: Tenant) -> Shop:
    """A small stocked shop."""
    return open_shop(runtime, tenant)


@pytest.fixture
def still_clock() -> Iterator[None]:
    """Only ``clock.shifted`` moves the time: what the sandbox does later waits for the test, not the machine."""
    with clock.stopped():
        yield


@pytest.fixture(autouse=True)
def _no_faults() -> Iterator[None]:
    yield
    faults.set_hook(None)
