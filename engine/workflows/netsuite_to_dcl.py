"""netsuiteToDCL: what the ERP has ready to be sent goes to the warehouse, once.

Orders of a platform, or that began in the ERP, go as the ERP has them: status B, and not flagged as sent. Of our own
orders the fulfillments go that are released to the partner ``dcl``; they are accepted once the warehouse has them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from engine.fulfillment import shipments, work
from engine.fulfillment.models import Fulfillment, FulfillmentStatus
from engine.kit.money import exponent
from engine.orders.models import Order
from engine.sync import mapping, mappings
from engine.sync.canonical import Address, Refused, SalesOrder, SalesOrderLine, Taken
from engine.sync.connectors.dcl.wire import BatchOrder
from engine.sync.errors import FieldFault, Rejected
from engine.sync.mapping import Compiled
from engine.sync.models import Connection, System
from engine.workflows import hearing, lineage, rows
from engine.workflows.access import OURS, Access, Poll
from engine.workflows.definition import Workflow
from engine.workflows.models import RunMode
from engine.workflows.ours import of_partner
from engine.workflows.run import Run

MAPPING: Final = "netsuite_to_dcl"
"""A shop's mapping of this name takes the default's place."""
PARTNER: Final = "dcl"
"""What our policy ``fulfillment.partners`` calls the warehouse."""
PREFIX: Final = "IC-"
"""How external ids of our own orders begin."""
SENT_FLAG: Final = "custbody_sent_to_3pl"
NUMBER_FIELD: Final = "custbody_3pl_order"
READY: Final = "B"
"""Pending fulfillment."""
_SENDABLE: Final = frozenset({"B", "D", "E"})


class SendOrder(BaseModel):
    """An order of the ERP, and which fulfillment of ours of it, where it is one of ours."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    order_id: str
    """The ERP's."""
    number: str
    """What the warehouse is to call it."""
    reference: str = ""
    """What people call it."""
    fulfillment_id: str = ""


def _key(payload: SendOrder) -> str:
    return f"{payload.order_id}:{payload.fulfillment_id}" if payload.fulfillment_id else payload.order_id


def _body(run: Run, payload: SendOrder) -> dict[str, Any]:
    seen = _Seen.of(run.step("look", lambda: _look(run, payload)))
    if seen.kept_back:
        return {"skipped": seen.kept_back}
    sent = run.step("submit", lambda: _submit(run, payload), probe=lambda: _there(run, payload))
    if why := sent.get("skipped"):
        return {"skipped": why}
    changed = run.step("link", lambda: _link(run, payload, seen))
    if changed:
        words = f"The order changed or was called off while the warehouse took it as {payload.number}: tell it there."
        run.report(Rejected(words, fields=[FieldFault("order", changed)]), step="changed meanwhile")
    if payload.fulfillment_id:
        run.step("accept", lambda: _accept(run, payload.fulfillment_id))
    run.step("flag", lambda: _flag(run, payload))
    return {"order_number": payload.number}


class _Seen(NamedTuple):
    """Why an order is not sent, or nothing; and its goods' fingerprint, taken before the ERP was asked for them."""

    kept_back: str
    goods: str

    @classmethod
    def of(cls, kept: Any) -> _Seen:
        """As the step kept it; one of before is the reason alone."""
        return cls(kept, "") if isinstance(kept, str) else cls(*kept)


def _look(run: Run, payload: SendOrder) -> list[str]:
    with run.runtime.unit_of_work(run.tenant_id) as session:
        goods = lineage.goods_of(session, run.tenant_id, run.erp().account, payload.order_id)
    return [*_Seen(_kept_back(run, payload), goods)]


def _kept_back(run: Run, payload: SendOrder) -> str:
    """Why it is not sent, or nothing."""
    order = _order(run, payload.order_id)
    if order.status not in _SENDABLE:
        return f"its status is {order.status}"
    if payload.fulfillment_id:
        return _not_released(run, payload.fulfillment_id)
    if order.flags.get(fields_of(run).sent) is True:
        return "it was sent"
    return "" if _goods(run, order) else "nothing of it leaves from there"


def _not_released(run: Run, fulfillment_id: str) -> str:
    with run.runtime.unit_of_work(run.tenant_id) as session:
        found = session.get_one(Fulfillment, (run.tenant_id, fulfillment_id))
        released = found.status in {FulfillmentStatus.RELEASED, FulfillmentStatus.ACCEPTED}
        return "" if released else f"it is {FulfillmentStatus(found.status).value}"


def _submit(run: Run, payload: SendOrder) -> dict[str, str]:
    """Read anew and hand over. What we took back meanwhile is not sent."""
    order = _order(run, payload.order_id)
    if payload.fulfillment_id and (why := _not_released(run, payload.fulfillment_id)):
        return {"skipped": why}
    given = _batch_order(run, order, payload)
    became = run.warehouse().submit([given])[payload.number]
    return _taken(became)


def _taken(became: Taken | Refused) -> dict[str, str]:
    if isinstance(became, Refused):
        fault = FieldFault(became.order_ref, f"{became.message} ({became.code})")
        raise Rejected(f"The warehouse refuses {became.order_ref}: {became.message}", fields=[fault])
    return {"number": became.order_ref}


def _there(run: Run, payload: SendOrder) -> dict[str, str] | None:
    """Whether the warehouse has it already."""
    found = next(iter(run.warehouse().orders(numbers=[payload.number])), None)
    return {"number": payload.number} if found is not None else None


def _link(run: Run, payload: SendOrder, seen: _Seen) -> str:
    """That the warehouse has it; and what became of a platform's order since it was looked at, where anything did: who
    changes one from now on finds this link (``shopifyToNetsuite``), and tells a person.
    """
    if run.mode != RunMode.LIVE:
        return ""
    erp, house = run.erp().account, run.warehouse()
    with run.runtime.unit_of_work(run.tenant_id) as session:
        goods = lineage.goods_of(session, run.tenant_id, erp, payload.order_id)
        kind, name = _internal(session, run.tenant_id, payload, erp)
        lineage.keep_warehouse_order(
            session,
            run.tenant_id,
            system=house.system,
            account=house.account,
            number=payload.number,
            internal_kind=kind,
            internal_id=name,
        )
    if payload.fulfillment_id or not seen.goods or goods == seen.goods:
        return ""
    return "it was called off" if goods == lineage.CANCELED else "it was changed"


def _internal(session: Session, tenant_id: str, payload: SendOrder, erp_account: str) -> tuple[str, str]:
    """What the warehouse's order is among ours."""
    if payload.fulfillment_id:
        return lineage.FULFILLMENT, payload.fulfillment_id
    origin = lineage.origin_of(session, tenant_id, erp_account, payload.order_id)
    if origin is not None:
        return origin.kind, origin.id
    return lineage.began_in_erp(erp_account, payload.order_id)


def _accept(run: Run, fulfillment_id: str) -> None:
    """The partner has it: from now on a cancel is for it to answer. One that was asked for meanwhile is, too."""
    if run.mode != RunMode.LIVE:
        return
    with run.runtime.unit_of_work(run.tenant_id) as session:
        found = work.lock_work(session, run.tenant_id, fulfillment_id)
        if found.fulfillment.status == FulfillmentStatus.RELEASED:
            shipments.accept(session, run.tenant_id, fulfillment_id, actor=f"partner:{PARTNER}")


def _flag(run: Run, payload: SendOrder) -> None:
    names = fields_of(run)
    run.erp().flag("salesOrder", payload.order_id, {names.sent: True, names.number: payload.number})


def _order(run: Run, order_id: str) -> SalesOrder:
    found = run.erp().sales_order(id=order_id)
    if found is None:
        raise Rejected(f"The ERP has no sales order {order_id}.")
    return found


@dataclass(frozen=True, slots=True)
class Fields:
    """The account's own names of two fields of a sales order."""

    sent: str
    number: str


def fields_of(access: Access | Run) -> Fields:
    """As the ERP's connection names them: settings ``sent_flag`` and ``warehouse_number``."""
    settings = _erp_connection(access).settings
    return Fields(str(settings.get("sent_flag") or SENT_FLAG), str(settings.get("warehouse_number") or NUMBER_FIELD))


def _erp_connection(access: Access | Run) -> Connection:
    return access.connection(System.NETSUITE)


def _goods(run: Run, order: SalesOrder) -> list[SalesOrderLine]:
    """Lines of goods that are still to leave, from the places that the warehouse runs where the settings name some."""
    ours = {one.erp for one in run.settings.locations if one.warehouse}
    return [
        line
        for line in order.lines
        if line.sku
        and not line.closed
        and line.quantity > line.shipped
        and (not ours or not line.location or line.location in ours)
    ]


def _batch_order(run: Run, order: SalesOrder, payload: SendOrder) -> BatchOrder:
    """The warehouse's document, by the shop's mapping. Raises ``Rejected`` with the places that do not fit."""
    lines = _of_work(run, payload.fulfillment_id) if payload.fulfillment_id else _of_order(run, order)
    ship_to = order.ship_to
    if payload.fulfillment_id:  # what our shopper changed since counts
        ship_to = run.storefront(OURS).order(_order_of(run, payload.fulfillment_id)).ship_to or ship_to
    return BatchOrder.model_validate(mapping.apply(_compiled(run), _document(run, order, payload, lines, ship_to)))


def _document(
    run: Run, order: SalesOrder, payload: SendOrder, lines: Sequence[dict[str, Any]], ship_to: Address | None
) -> dict[str, Any]:
    carriage = run.settings.carriages.get(order.ship_method)
    return {
        "number": payload.number,
        "reference": payload.reference,
        "order": order.model_dump(mode="json", exclude={"raw", "lines"}),
        "ship_to": ship_to.model_dump(mode="json") if ship_to else None,
        "carriage": carriage.model_dump(mode="json") if carriage else {"carrier": "", "service": order.ship_method},
        "lines": list(lines),
    }


def _of_order(run: Run, order: SalesOrder) -> list[dict[str, Any]]:
    return [
        {
            "line": line.line,
            "sku": line.sku,
            "quantity": line.quantity - line.shipped,
            "price": _major(line.unit_price, order.currency),
        }
        for line in _goods(run, order)
    ]


def _of_work(run: Run, fulfillment_id: str) -> list[dict[str, Any]]:
    """What is open of a fulfillment of ours; a bundle's line is one thing to the warehouse."""
    with run.runtime.unit_of_work(run.tenant_id) as session:
        found = work.lock_work(session, run.tenant_id, fulfillment_id)
        rows = [(found.order_lines[key], units) for key, units in found.open_units().items()]
        rows.sort(key=lambda row: row[0].position)
        return [
            {
                "line": place,
                "sku": line.sku,
                "quantity": units,
                "price": _major(line.unit_price, found.order.currency),
            }
            for place, (line, units) in enumerate(rows, start=1)
        ]


def _order_of(run: Run, fulfillment_id: str) -> str:
    with run.runtime.unit_of_work(run.tenant_id) as session:
        return session.get_one(Fulfillment, (run.tenant_id, fulfillment_id)).order_id


def _major(amount: int | None, currency: str) -> str | None:
    """As text; nothing where it is not known, or below nothing."""
    if amount is None or amount < 0 or not currency:
        return None
    places = exponent(currency)
    whole, rest = divmod(amount, 10**places)
    return f"{whole}.{rest:0{places}d}" if places else str(whole)


def _compiled(run: Run) -> Compiled:
    with run.runtime.unit_of_work(run.tenant_id) as session:
        return mappings.ready(session, run.tenant_id, MAPPING) or default()


@lru_cache(maxsize=1)
def default() -> Compiled:
    """The mapping of shops that have none of their own."""
    file = resources.files("engine.workflows") / "mappings" / f"{MAPPING}.json"
    return mapping.compile(json.loads(file.read_text()), BatchOrder)


def _poll(poll: Poll) -> Iterator[SendOrder]:
    """The ERP's orders that are ready and not sent, and our own work that is released to the warehouse."""
    found = poll.erp().sales_orders(status=READY, flag=(fields_of(poll).sent, False))
    given = [order for order in found if not order.external_id.startswith(PREFIX)]
    for order in _known(poll, given):
        yield SendOrder(
            order_id=order.source_id,
            number=order.number or order.source_id,
            reference=order.other_ref or order.number,
        )
    yield from _ours(poll)


def _known(poll: Poll, orders: list[SalesOrder]) -> list[SalesOrder]:
    """Without those that a platform's run writes and has not linked yet: it may take them back, and until it is known
    where one was placed nobody there would hear of its parcels.
    """
    if not orders:
        return orders
    with poll.runtime.unit_of_work(poll.tenant_id) as session:
        taking = rows.unended_of(session, poll.tenant_id, hearing.SENDS, [one.other_ref for one in orders])
        unsure = [one for one in orders if one.other_ref in taking]
        linked = lineage.linked(session, poll.tenant_id, poll.erp().account, [one.source_id for one in unsure])
    return [one for one in orders if one.other_ref not in taking or one.source_id in linked]


def _ours(poll: Poll) -> list[SendOrder]:
    """Released work of which the ERP has the order."""
    account, found = poll.erp().account, []
    with poll.runtime.unit_of_work(poll.tenant_id) as session:
        for one in of_partner(session, poll.tenant_id, PARTNER, FulfillmentStatus.RELEASED):
            erp_id = lineage.sales_order_of(session, poll.tenant_id, lineage.ORDER, one.order_id, account)
            if erp_id is None:
                continue
            number = session.get_one(Order, (poll.tenant_id, one.order_id)).number
            found.append(
                SendOrder(order_id=erp_id, number=number_of(number, one.id), reference=number, fulfillment_id=one.id)
            )
    return found


def number_of(order_number: str, fulfillment_id: str) -> str:
    """What the warehouse calls a piece of our work: an order may have several."""
    return f"{order_number}-{fulfillment_id[-6:]}"


WORKFLOW: Final = Workflow[SendOrder](
    name="netsuiteToDCL",
    version="1.0.0",
    payload=SendOrder,
    key=_key,
    subject=lambda payload: ("order", payload.reference or payload.number),
    systems=(System.NETSUITE, System.DCL),
    body=_body,
    poll=_poll,
    every_seconds=300,
    looks_again=True,
)
