"""Stores of a test's own: databases on the run's server, one with a shop in it, others to restore into."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from engine.backup.archive import Archive
from engine.backup.restoring import Restored, restore
from engine.catalog.search import CatalogSearch
from engine.db import Addresses, Store
from engine.embedded_postgres import SUPERUSER, read_secrets
from engine.kit.ids import new_id
from engine.kit.tenancy import Tenant
from engine.payments.gateways.sandbox.gateway import SandboxGateway
from engine.runtime import Runtime
from graph.checkpointer import setup
from tests.conftest import RUN_HOME
from tests.shop import Shop, open_shop

_numbers = itertools.count()
MakePlace = Callable[..., "Place"]


@dataclass
class Place:
    """One database of a test's own."""

    addresses: Addresses
    _opened: list[Runtime] = field(default_factory=list)

    def open(self, *, gateway_of: Place | None = None) -> Runtime:
        """A runtime on it; ``gateway_of``: its payments are made at another place's gateway."""
        gateway = SandboxGateway((gateway_of or self).addresses.sandbox, self.addresses.secret_key)
        runtime = Runtime(
            store=Store(self.addresses.runtime, pool_size=4),
            gateways={"sandbox": gateway},
            search=CatalogSearch(),
            secret_key=self.addresses.secret_key,
            demo=True,
            psp_url=str,
        )
        self._opened.append(runtime)
        return runtime

    def close(self) -> None:
        while self._opened:
            runtime = self._opened.pop()
            runtime.store.close()
            runtime.gateways["sandbox"].close()  # type: ignore[attr-defined]

    def owner(self) -> psycopg.Connection[tuple[object, ...]]:
        assert self.addresses.owner
        return psycopg.connect(self.addresses.owner, autocommit=True)

    def restore(self, file: Path, *, replace: bool = False) -> Restored:
        with Archive(file) as archive:
            return restore(self.addresses, archive, replace=replace, prepare_others=prepare_graph)


def prepare_graph(addresses: Addresses) -> None:
    assert addresses.owner
    setup(addresses.owner, "icommerce_app")


@pytest.fixture
def make_place(addresses: Addresses) -> Iterator[MakePlace]:
    """Make a database: ``migrated`` like the template, or with nothing in it."""
    home = Path(os.environ[RUN_HOME])
    assert addresses.embedded is not None
    admin = addresses.embedded.dsn(
        role=SUPERUSER, password=read_secrets(home)["postgres_password"], database="postgres"
    )
    mine = addresses.runtime.rsplit("/", 1)[1].split("?")[0]
    made: list[tuple[str, Place]] = []

    def make(*, migrated: bool = False) -> Place:
        name = f"{mine}_place_{next(_numbers)}"
        with psycopg.connect(admin, autocommit=True) as connection:
            create = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER icommerce_owner")
            template = "icommerce" if migrated else "template0"
            connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        urls = {part: getattr(addresses, part).replace(f"/{mine}?", f"/{name}?") for part in _URLS}
        place = Place(replace(addresses, **urls))
        made.append((name, place))
        if migrated:
            prepare_graph(place.addresses)
        return place

    yield make
    with psycopg.connect(admin, autocommit=True) as connection:
        for name, place in made:
            place.close()
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


_URLS = ("runtime", "owner", "sandbox")


@pytest.fixture
def source(make_place: MakePlace) -> Place:
    """A migrated store without shops."""
    return make_place(migrated=True)


@pytest.fixture
def selling(source: Place) -> Shop:
    """A stocked shop in ``source``."""
    return shop_in(source.open())


def shop_in(runtime: Runtime) -> Shop:
    """A fresh stocked shop."""
    tenant_id = new_id("tenant")
    row = Tenant(
        id=tenant_id,
        slug=f"shop-{tenant_id[-12:]}",
        name="Test Shop",
        demo=True,
        currency="USD",
        country="US",
        settings={"order_prefix": "TS"},
    )
    with runtime.store.without_tenant() as session:
        session.add(row)
    shop = open_shop(runtime, row)
    shop.add("A", stock={"EAST": 100})
    return shop
