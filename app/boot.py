"""From nothing to an open shop, step by step: database, schema, demo shops, search index."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select

from app.origins import origin
from engine.catalog.embedder import CallableEmbedder, Embedder, MiniLM, Vector
from engine.catalog.remembered import Remembered
from engine.catalog.search import CatalogSearch
from engine.catalog.vectors import NoIndex, VectorIndex
from engine.db import POOL_SIZE, Addresses, Store, open_addresses
from engine.kit import holds
from engine.kit.errors import Unavailable
from engine.kit.tenancy import Tenant
from engine.mail.smtp import SmtpAddress, SmtpMailer
from engine.migrate import load_models
from engine.payments.gateway import Gateway
from engine.payments.gateways.manual import MANUAL, ManualGateway
from engine.payments.gateways.sandbox.gateway import SandboxGateway
from engine.payments.gateways.stripe.calls import installed
from engine.payments.gateways.stripe.gateway import StripeGateway
from engine.runtime import Runtime
from engine.settings import Settings, SettingsError
from engine.sync.products import Platforms
from engine.tax.engine import TaxEngine
from engine.tax.stripe_tax import StripeTax

Say = Callable[[str], None]
HEAVY: Final = ("chromadb", "litellm", "agents", "graph.runner")
"""Imports that cost seconds: the serving process does them while PostgreSQL starts."""


@dataclass(frozen=True, slots=True)
class House:
    """Everything opened for one process; ``close`` it in the end."""

    addresses: Addresses
    runtime: Runtime

    def close(self) -> None:
        """Close connections, then stop the database if this process owns it."""
        close_runtime(self.runtime)
        if self.addresses.embedded:
            self.addresses.embedded.stop()


def open_store(settings: Settings, say: Say) -> Addresses:
    """The database, running and migrated; with no owner's address it must have been migrated before.

    Raises ``Unavailable`` when it was not.
    """
    say("Starting the database")
    addresses = open_addresses(settings, start=True, progress=say)
    try:
        bring_schema(addresses, say)
    except BaseException:
        if addresses.embedded:
            addresses.embedded.stop()
        raise
    return addresses


def bring_schema(addresses: Addresses, say: Say) -> None:
    """Migrate our tables and the graph's; what stands as it should is not touched.

    Raises ``Unavailable`` where something is missing and the owner's address is not known.
    """
    from engine.migrate import migrate, pending

    if addresses.owner is None:
        if pending(addresses):
            raise Unavailable("The database lacks the newest schema: run `icommerce migrate` with DATABASE_ADMIN_URL.")
        return
    say("Migrating")
    migrate(addresses)
    migrate_graph(addresses)


def migrate_graph(addresses: Addresses) -> None:
    """The conversation graph's own tables, made by the owner and open to the runtime role."""
    from sqlalchemy.engine import make_url

    from engine.db import libpq_url
    from engine.kit.tenancy import RUNTIME_ROLE
    from graph.checkpointer import setup

    assert addresses.owner is not None
    setup(libpq_url(addresses.owner), make_url(addresses.runtime).username or RUNTIME_ROLE)


def open_runtime(
    settings: Settings,
    addresses: Addresses,
    *,
    index: VectorIndex | None = None,
    embedder: Embedder | None = None,
    psp_origin: str = "",
    pool_size: int = POOL_SIZE,
) -> Runtime:
    """What every edge holds; without an index search goes by words alone. Every table is mapped from here on: a write
    may need any other's. Of connections it has up to twice ``pool_size``.
    """
    load_models()
    store = Store(addresses.runtime, pool_size=pool_size, overflow=pool_size)
    return Runtime(
        store=store,
        gateways=open_gateways(settings, addresses, store, psp_origin=psp_origin),
        search=CatalogSearch(index or NoIndex(), embedder),
        secret_key=addresses.secret_key,
        demo=settings.wants_demo,
        psp_url=lambda: psp_origin,
        mailer=open_mailer(settings),
        web_origin=origin(settings.host, settings.port),
        tax_engines=open_tax_engines(addresses, store),
        platforms=Platforms(),
    )


def open_mailer(settings: Settings) -> SmtpMailer | None:
    """The mail server that ``ICOMMERCE_SMTP_URL`` names. Raises ``SettingsError`` for one that cannot be."""
    if settings.smtp_url is None:
        return None
    try:
        return SmtpMailer(SmtpAddress.parse(settings.smtp_url))
    except ValueError as error:
        raise SettingsError(f"ICOMMERCE_SMTP_URL cannot be used: {error}.") from None


def open_gateways(
    settings: Settings, addresses: Addresses, store: Store, *, psp_origin: str = ""
) -> dict[str, Gateway]:
    """The sandbox, the shop's own payment system, and Stripe where its extra is installed (its SDK is imported at the
    first call).
    """
    gateways: dict[str, Gateway] = {
        "sandbox": SandboxGateway(addresses.sandbox, addresses.secret_key, page_url=lambda: psp_origin),
        MANUAL: ManualGateway(addresses.secret_key),
    }
    if installed():
        gateways["stripe"] = StripeGateway(store, addresses.secret_key, return_url=lambda: settings.endpoint)
    return gateways


def open_tax_engines(addresses: Addresses, store: Store) -> dict[str, TaxEngine]:
    """Stripe Tax where its extra is installed."""
    if not installed():
        return {}
    engine = StripeTax(store, addresses.secret_key)
    return {engine.name: engine}


def close_runtime(runtime: Runtime) -> None:
    runtime.store.close()
    for gateway in runtime.gateways.values():
        if isinstance(gateway, SandboxGateway):
            gateway.close()


def seed_if_empty(settings: Settings, runtime: Runtime, say: Say) -> None:
    """The demo shops: into an empty embedded store, elsewhere only where ``ICOMMERCE_DEMO=1`` asks for them."""
    from engine.demo.seed import seed_demo

    if not settings.wants_demo:
        return
    with runtime.store.without_tenant() as session:
        tenants = session.scalar(select(func.count()).select_from(Tenant)) or 0
    if tenants == 0 or not settings.embedded:
        seed_demo(runtime.store, progress=say)


def open_index(settings: Settings) -> tuple[VectorIndex, Embedder]:
    """The vectors and what makes them. For the serving process alone."""
    from engine.catalog.vectors import open_folder, open_server

    embedder = make_embedder(settings)
    if settings.chroma_url:
        return open_server(settings.chroma_url, embedder=embedder.name), embedder
    return open_folder(settings.home / "chroma", embedder=embedder.name), embedder


def fill_index(runtime: Runtime, index: VectorIndex, embedder: Embedder, say: Say) -> None:
    """Make the index hold what is on sale; after a restore it is made anew."""
    from engine.catalog.indexing import ensure, rebuild

    def progress(done: int, of: int) -> None:
        say(f"Indexing products: {done} of {of}")

    for tenant_id in runtime.store.tenant_ids():
        with runtime.unit_of_work(tenant_id) as session:
            restored = holds.index_pending(session, tenant_id)
        bring = rebuild if restored else ensure
        bring(runtime.store, tenant_id, index, embedder, progress=progress)
        if restored:
            with runtime.unit_of_work(tenant_id) as session:
                holds.index_done(session, tenant_id)


def make_embedder(settings: Settings) -> Embedder:
    """The shipped model, which need not work for the demo shops, or any that LiteLLM knows when
    ``ICOMMERCE_EMBEDDING_MODEL`` names one.
    """
    from engine.demo.vectors import FILE

    model = settings.embedding_model
    if not model:
        return Remembered(MiniLM(threads=min(2, os.cpu_count() or 1)), FILE)

    def embed(texts: list[str]) -> list[Vector]:
        import litellm

        return [row["embedding"] for row in litellm.embedding(model=model, input=texts).data]

    return CallableEmbedder(model, embed)


def load_heavy() -> None:
    """Import what costs seconds. LiteLLM must not look for its price list in the network."""
    from importlib import import_module

    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")
    for name in HEAVY:
        import_module(name)
