"""dclTrackingUpdate: what left the warehouse is booked in the ERP and told where the order was placed, once for each
shipment: an order that is sent in parts has several runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from engine.fulfillment.models import Fulfillment
from engine.kit import clock
from engine.sync.canonical import Parcels, WarehouseState
from engine.sync.errors import Rejected
from engine.sync.models import System
from engine.workflows import cash_sales, lineage, rows
from engine.workflows.access import Poll
from engine.workflows.cash_sales import CASH_SALE
from engine.workflows.definition import Workflow
from engine.workflows.fronts import front_of
from engine.workflows.lineage import Origin
from engine.workflows.partner_answer import SENDS
from engine.workflows.run import Run
from engine.workflows.settings import Billing

TAG: Final = "SHIPPED"
_FIRST: Final = timedelta(days=1)
"""How far back the first look goes."""


_WAITS: Final = (10.0, 60.0, 600.0, 3600.0, 6 * 3600.0)
"""Seconds until it is looked again who handed an order over; then a person does."""


class Shipped(BaseModel):
    """A shipment as the warehouse tells of it; no word about whom it is for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shipment: Parcels
    reference: str = ""


def _key(payload: Shipped) -> str:
    return f"{payload.shipment.order_ref}:{payload.shipment.source_id}"


def _subject(payload: Shipped) -> tuple[str, str]:
    return ("order", payload.reference or payload.shipment.order_ref)


def external_id(shipment: Parcels) -> str:
    """Of the item fulfilment."""
    return f"DCL-{shipment.account}-{shipment.order_ref}-{shipment.source_id}"


def _body(run: Run, payload: Shipped) -> dict[str, Any]:
    shipment = payload.shipment
    found = _found(run, payload)
    if found is None:
        return {"skipped": "the warehouse had it from somebody else"}
    order_id, origin = found["order_id"], Origin(**found["origin"]) if found["origin"] else None
    fulfilment = run.step(
        "fulfil",
        lambda: run.erp().fulfil(order_id, external_id(shipment), shipment, location=_place(run)),
        probe=lambda: run.erp().found("itemFulfillment", external_id(shipment)),
    )
    told: dict[str, Any] = {"fulfilment": fulfilment}
    if run.settings.billing == Billing.CASH_SALE:
        name = f"CS-{order_id}-{shipment.source_id}"
        told["cash_sale"] = run.step(
            "sell", lambda: cash_sales.sell(run, order_id, name), probe=lambda: run.erp().found(CASH_SALE, name)
        )
        if told["cash_sale"] and origin is not None:
            run.step("link", lambda: cash_sales.link(run, origin, told["cash_sale"]))
    if origin is not None:
        tell = lambda: _tell(run, origin, shipment)  # noqa: E731 (what is done, and what looks whether it was)
        told["told"] = run.step("tell", tell, probe=tell)
        run.step("tag", lambda: front_of(run, origin).tag(origin.source_id, [TAG]))
    return told


def _found(run: Run, payload: Shipped) -> dict[str, Any] | None:
    """``_find`` once it is known whose order it is: the warehouse may be quicker than its answer to the hand-over."""
    for seconds in _WAITS:
        found: dict[str, Any] | None = run.step("find", lambda: _find(run, payload))
        if found is None or "waits" not in found:
            return found
        run.wait(seconds)
    raise Rejected(
        f"{payload.shipment.order_ref} left the warehouse, and its handing over is not over: end that, then retry."
    )


def _find(run: Run, payload: Shipped) -> dict[str, Any] | None:
    """The ERP's order, and where it was placed. ``None``: the order did not go through us."""
    account, shipment = run.erp().account, payload.shipment
    with run.runtime.unit_of_work(run.tenant_id) as session:
        linked = lineage.warehouse_order(
            session,
            run.tenant_id,
            system=System(shipment.source),
            account=shipment.account,
            number=shipment.order_ref,
        )
        if linked is None:
            _, order = _subject(payload)
            given = rows.unended_of(session, run.tenant_id, SENDS, [order])
            return {"waits": "it is being handed over"} if given else None
        kind, name = linked
        if kind == lineage.SALES_ORDER:
            began = name.rpartition(":")[2]
            origin = lineage.origin_of(session, run.tenant_id, account, began)  # linked after it was handed over
            return {"order_id": began, "origin": _plain(origin)}
        if kind == lineage.FULFILLMENT:
            kind, name = lineage.ORDER, session.get_one(Fulfillment, (run.tenant_id, name)).order_id
        order_id = lineage.sales_order_of(session, run.tenant_id, kind, name, account)
        if order_id is None:
            raise Rejected(f"The warehouse shipped {shipment.order_ref}, and the ERP has no order of it.")
        origin = lineage.origin_of(session, run.tenant_id, account, order_id)
    return {"order_id": order_id, "origin": _plain(origin)}


def _plain(origin: Origin | None) -> dict[str, str] | None:
    return {name: getattr(origin, name) for name in Origin.__slots__} if origin else None


def _place(run: Run) -> str:
    """Where the warehouse is in the ERP: the place that the settings link to one, or the usual one."""
    return next((one.erp for one in run.settings.locations if one.warehouse), run.settings.default_location)


def _tell(run: Run, origin: Origin, shipment: Parcels) -> list[str]:
    """With carriers as the shop spells them. A tracking number that is there already is not told again."""
    return front_of(run, origin).ship(origin.source_id, _spelled(run, shipment))


def _spelled(run: Run, shipment: Parcels) -> Parcels:
    names = run.settings.carrier_names
    parcels = [one.model_copy(update={"carrier": names.get(one.carrier, one.carrier)}) for one in shipment.parcels]
    return shipment.model_copy(update={"parcels": tuple(parcels)})


def _poll(poll: Poll) -> Iterator[Shipped]:
    """Shipments of orders that changed since the last look, and a little before."""
    kept = poll.cursor.get("modified_at")
    newest = datetime.fromisoformat(kept) if kept else clock.now() - _FIRST
    since = newest - timedelta(seconds=poll.settings.overlap_seconds)
    for order in poll.warehouse().orders(modified_from=since, state=WarehouseState.SHIPPED, unread=poll.unread.append):
        for shipment in order.shipments:
            yield Shipped(shipment=shipment, reference=order.reference)
        newest = max(newest, order.modified_at or newest)
    poll.cursor["modified_at"] = newest.isoformat()


WORKFLOW: Final = Workflow[Shipped](
    name="dclTrackingUpdate",
    version="1.0.0",
    payload=Shipped,
    key=_key,
    subject=_subject,
    systems=(System.NETSUITE, System.DCL),
    body=_body,
    poll=_poll,
    every_seconds=300,
)
