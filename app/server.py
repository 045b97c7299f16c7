"""The web application, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import anyio.to_thread
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from app import (
    about,
    account,
    agents_staff,
    approvals,
    cardentry,
    cart,
    catalog,
    catalog_writing,
    checkout,
    claims,
    claims_staff,
    confirm,
    connections_staff,
    customers,
    customers_staff,
    description,
    desk_events,
    digital,
    discounts,
    documents,
    embed,
    finance,
    fulfillment,
    fulfillment_staff,
    health,
    imports,
    inventory,
    inventory_staff,
    mail,
    mappings_staff,
    order_changes,
    order_desk,
    order_page,
    orders,
    pages,
    payments,
    platforms_staff,
    policies,
    prices,
    problems,
    product_page,
    reports,
    returns,
    returns_staff,
    support,
    support_staff,
    sync_hooks,
    tax,
    theme,
    workflows_staff,
)
from app.chat import routes as chat
from app.middleware import Edge, content_policy
from app.ops import events as ops_events
from app.ops import pages as ops_pages
from app.ops import queue as ops_queue
from app.ops import runs as ops_runs
from app.ops import shadows as ops_shadows
from app.protocols.acp import carts as acp_carts
from app.protocols.acp import delegate
from app.protocols.acp import discovery as acp_discovery
from app.protocols.acp import errors as acp_errors
from app.protocols.acp import kernel as acp
from app.protocols.acp import mcp as acp_mcp
from app.protocols.acp import openapi as acp_openapi
from app.protocols.acp import orders as acp_orders
from app.protocols.acp import sessions as acp_sessions
from app.site import Site
from app.staff import catalog as staff_catalog
from app.staff import desk as staff_desk
from app.staff import door as staff_door
from app.staff import members as staff_members
from app.staff import orders as staff_orders
from app.staff import reports as staff_reports
from app.staff import tenant as staff_tenant
from app.straight import Straight

REQUEST_THREADS = 12
"""Blocking requests at a time: fewer than database connections, so that nobody waits for one in a thread."""

_ROUTERS: Final = (
    acp_sessions.router,
    delegate.payments,
    health.router,
    pages.router,
    theme.router,
    theme.staff,
    chat.router,
    catalog_writing.router,
    digital.router,
    catalog.router,
    orders.router,
    orders.staff,
    order_desk.router,
    documents.router,
    mail.router,
    mail.pages,
    order_changes.router,
    order_changes.staff,
    returns.of_order,
    returns.router,
    returns_staff.router,
    claims.warranties,
    claims.router,
    claims_staff.router,
    finance.router,
    reports.router,
    payments.router,
    policies.router,
    prices.router,
    discounts.router,
    imports.router,
    imports.files,
    inventory.router,
    inventory_staff.router,
    fulfillment.router,
    fulfillment_staff.router,
    fulfillment.webhooks,
    sync_hooks.router,
    cardentry.router,
    cardentry.webhooks,
    cart.router,
    confirm.router,
    acp_discovery.router,
    acp_carts.router,
    acp_orders.router,
    about.router,
    description.router,
    account.router,
    embed.router,
    embed.paying,
    order_page.router,
    product_page.router,
    checkout.router,
    checkout.cards,
    checkout.current,
    customers.identity,
    customers.router,
    customers_staff.router,
    customers_staff.staff,
    agents_staff.router,
    platforms_staff.router,
    approvals.router,
    support.router,
    support_staff.router,
    desk_events.router,
    tax.router,
    connections_staff.router,
    mappings_staff.router,
    mappings_staff.targets,
    ops_runs.router,
    ops_queue.router,
    ops_shadows.router,
    workflows_staff.router,
    ops_events.router,
    ops_pages.router,
    acp_mcp.router,
    staff_desk.router,
    staff_door.router,
    staff_orders.router,
    staff_reports.router,
    staff_catalog.router,
    staff_tenant.router,
    staff_members.router,
    staff_members.pages,
    delegate.authentications,
)
"""In the order in which they are asked."""


class _Shop(FastAPI):
    straight: Straight | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.straight is None or not await self.straight.took(scope, receive, send):
            await super().__call__(scope, receive, send)


def create_app(site: Site) -> FastAPI:
    """The shop's HTTP surface over ``site``, which may still be opening: until then everything but health is 503."""
    app = _Shop(
        title="iCommerce",
        version=_version(),
        summary="Commerce run by conversation.",
        openapi_url=None,  # `app.description` answers it
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.state.site = site
    app.state.dialects = [(acp_errors.PREFIXES, acp.refused)]
    for router in _ROUTERS:
        app.include_router(router)
    app.mount("/static", pages.VersionedFiles(directory=pages.STATIC), name="static")
    problems.install(app)
    problems.describe(app)
    acp_openapi.describe(app)
    app.state.description = description.Description(app)
    limit = site.settings.import_limit_mb * 1024 * 1024
    edge: dict[str, Any] = {"policy": content_policy(frames=[site.psp_origin]), "file_limit": limit}
    app.add_middleware(Edge, **edge)
    app.straight = Straight(app, [acp_sessions.router, delegate.payments], partial(Edge, **edge))
    return app


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = REQUEST_THREADS
    yield


def _version() -> str:
    try:
        return version("icommerce")
    except PackageNotFoundError:
        return "0"
