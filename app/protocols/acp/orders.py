"""``GET /orders/{id}``: an order that this platform's agents placed, in the webhook's shape."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from app.protocols.acp.kernel import AskedDep, Reply, acp_router, plain
from app.protocols.acp.openapi import described
from engine.agentic import order_shape

router: Final[APIRouter] = acp_router("orders")


@router.get("/orders/{order_id}", **described(None, "Order"))
def order(asked: AskedDep) -> Reply:
    """The platform's own alone: anybody else's is not found."""
    with asked.runtime.unit_of_work(asked.tenant_id) as session:
        body = order_shape.own_order(
            session,
            asked.identity,
            asked.ids["order_id"],
            web_origin=asked.runtime.web_origin,
            secret_key=asked.runtime.secret_key,
        )
    return plain(asked, body)
