"""shopifyToNetsuite: an order that was placed is a sales order in the ERP, once, and stays equal to it.

It is begun by the platform's letter, by the hourly poll that fills gaps, and for an order of our own when it is paid.
What is done is remembered in the links with a fingerprint of what counts: another fingerprint is another run, which
changes or closes the sales order. The order is read anew whenever it is worked on, so a stale letter does no harm.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from engine.kit.idempotency import canonical_json
from engine.sync.canonical import OURS, OrderCreated, SalesOrder
from engine.sync.errors import FieldFault, Rejected, SyncError
from engine.sync.models import System, Xref
from engine.sync.port import Capability, Storefront, Unread
from engine.sync.work_models import Delivery
from engine.workflows import lineage, sales_order, starting
from engine.workflows.access import Access, Poll
from engine.workflows.definition import Workflow
from engine.workflows.models import RunMode
from engine.workflows.run import Run

NAME: Final = "shopifyToNetsuite"
TAG: Final = "SENT_TO_NS"
_CHANGEABLE: Final = frozenset({"A", "B"})
"""Pending approval or fulfillment: nothing of it has left."""
_CLOSED: Final = "H"
_OVER: Final = frozenset({"C", _CLOSED})
_TO_MAKE: Final = frozenset({"", _CLOSED})
"""What a sales order nobody linked is before this run makes or opens it: only that is this run's to take back."""
_FIRST_LOOK: Final = timedelta(days=1)
_STORES: Final = (System.SHOPIFY, System.WOOCOMMERCE)


class TakeOrder(BaseModel):
    """An order to be taken over. ``connection_id`` is ``canonical.OURS`` for one of our own. ``change`` tells apart
    what became of it after it was taken over, each time that it did; nothing for the first time.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    connection_id: str
    account: str = ""
    """Of a platform, which shop there."""
    source_id: str
    source_ref: str = ""
    change: str = ""


def _key(payload: TakeOrder) -> str:
    first = f"{payload.account or payload.connection_id}:{payload.source_id}"
    return f"{first}:{payload.change}" if payload.change else first


def fingerprint(order: OrderCreated) -> str:
    """The same as long as the ERP would be told the same: what is wanted, where it goes, what it costs, and whether it
    is wanted at all. Tags, payments and the moment of the change do not count.
    """
    if order.canceled_at is not None:
        return lineage.CANCELED
    lines = [[one.source_line_id, one.sku, one.quantity, one.unit_price, one.discount] for one in order.lines]
    place = order.ship_to.model_dump() if order.ship_to else None
    said = [sorted(lines), place, order.total, [one.code for one in order.shipping]]
    return hashlib.sha256(canonical_json(said)).hexdigest()[:16]


def goods_of(order: OrderCreated) -> str:
    """The same as long as a warehouse would be told the same: what is sent, where, and how."""
    units = Counter[str]()
    for line in order.lines:
        units[line.sku] += line.quantity
    place = order.ship_to.model_dump() if order.ship_to else None
    said = [sorted((+units).items()), place, [one.code for one in order.shipping]]
    return hashlib.sha256(canonical_json(said)).hexdigest()[:16]


def _body(run: Run, payload: TakeOrder) -> dict[str, Any]:
    held = _Held(lambda: _store(run, payload).order(payload.source_id))
    seen = run.step("look", lambda: _look(run, held))
    if seen["skipped"]:
        return {"skipped": seen["skipped"]}
    if seen["sales_order"] and seen["fingerprint"] == lineage.CANCELED:
        return _close(run, payload, held, seen["sales_order"])
    known = run.step("items", lambda: sales_order.items_of(run, held.order()))
    customer = run.step("customer", lambda: sales_order.put_customer(run, held.order()))
    put = run.step("sales order", lambda: _put(run, held, customer, known), probe=lambda: _there(run, held, seen))
    if not seen["sales_order"] and seen.get("found", "") in _TO_MAKE:
        run.undo("sales order", lambda: _take_back(run, put["id"]))
    told = put.get("goods", "")
    number = run.step("link", lambda: _link(run, held.order(), put["id"], put["fingerprint"], told))
    if number and seen["sales_order"] and seen.get("goods") != told:
        _tell_of_warehouse(run, payload, number, "changed")
    try:
        run.step("tag", lambda: _tag(run, payload))
    except SyncError as error:  # the ERP has the order: a mark that is missing takes nothing back
        run.report(error, step="tag")
    after = run.step("look again", lambda: _look_again(run, payload, held.anew(), put))
    if after == lineage.CANCELED:
        return _close(run, payload, held, put["id"])
    if put["differs"]:
        run.report(Rejected(put["differs"], fields=[FieldFault("total", put["differs"])]), step="total")
    return {"sales_order": put["id"], "external_id": put["external_id"], "changed": bool(seen["sales_order"])}


class _Held:
    """The order, read once for each life of the run, and anew where it must be; so is the ERP's."""

    def __init__(self, read: Callable[[], OrderCreated]) -> None:
        self._read = read
        self._order: OrderCreated | None = None
        self._found: list[SalesOrder | None] = []

    def anew(self) -> OrderCreated:
        self._order = self._read()
        return self._order

    def order(self) -> OrderCreated:
        return self._order or self.anew()

    def keep(self, found: SalesOrder | None) -> SalesOrder | None:
        self._found = [found]
        return found

    def found(self, run: Run) -> SalesOrder | None:
        """The ERP's as this life has just seen it: good for one attempt, which the next one reads again."""
        if self._found:
            return self._found.pop()
        return run.erp().sales_order(external_id=sales_order.external_id(self.order()))


def _look(run: Run, held: _Held) -> dict[str, str]:
    """What the order is, whether there is anything to do, and the status of a sales order that nobody linked yet."""
    order = held.anew()
    link, now = _known(run, order), fingerprint(order)
    taken, version, goods = (link.external_id, link.version, link.hash) if link else ("", "", "")
    skipped = _nothing_to_do(order, taken, version, now)
    there = held.keep(held.found(run)) if not (skipped or taken) else None
    found = there.status if there else ""
    return {"fingerprint": now, "sales_order": taken, "skipped": skipped, "found": found, "goods": goods}


def _nothing_to_do(order: OrderCreated, taken: str, version: str, now: str) -> str:
    if taken and version == now:
        return "the ERP has it as it is"
    if order.test:
        return "it is a test"
    if order.canceled_at is not None:
        return "" if taken else "it is canceled"
    wanted = [line for line in order.lines if line.quantity]
    if not taken and not wanted:
        return "nothing of it is wanted"
    return "it is gift cards alone" if wanted and all(line.gift_card for line in wanted) else ""


def _put(run: Run, held: _Held, customer: str, known: dict[str, str]) -> dict[str, Any]:
    """Write the sales order anew, or make it. Raises ``Rejected`` for a change that comes too late."""
    order, erp = held.order(), run.erp()
    name, before = sales_order.external_id(order), held.found(run)
    if before is not None and not _changeable(before):
        if sales_order.same_goods(order, before):
            return _made(order, before.source_id, name, sales_order.differs(order, before))
        fault = FieldFault("lines", f"the sales order is at {before.status}, and the order is another than it was")
        raise Rejected("The order changed when something of it had left, or it was closed.", fields=[fault])
    body = sales_order.body_of(run, order, customer, known)
    if before is not None and before.status == _CLOSED:
        body = sales_order.opened(body)
    made = erp.put_sales_order(name, body)
    after = erp.sales_order(external_id=name)
    return _made(order, made, name, sales_order.differs(order, after) if after else "")


def _changeable(found: SalesOrder) -> bool:
    """Nothing of it has left; closed without anything having left it is opened again."""
    untouched = not any(line.shipped or line.billed for line in found.lines)
    return found.status in _CHANGEABLE or (found.status == _CLOSED and untouched)


def _made(order: OrderCreated, made: str, name: str, differs: str) -> dict[str, Any]:
    return {
        "id": made,
        "external_id": name,
        "fingerprint": fingerprint(order),
        "goods": goods_of(order),
        "differs": differs,
    }


def _there(run: Run, held: _Held, seen: dict[str, str]) -> dict[str, Any] | None:
    """After an unknown outcome: the sales order, where it is there with the very goods."""
    if seen["sales_order"]:
        return None  # a change: written again it is what it should be
    order = held.order()
    found = run.erp().sales_order(external_id=sales_order.external_id(order))
    if found is None or not sales_order.same_goods(order, found):
        return None
    return _made(order, found.source_id, found.external_id, sales_order.differs(order, found))


def _close(run: Run, payload: TakeOrder, held: _Held, order_id: str) -> dict[str, Any]:
    """It was called off: nothing more of it leaves. What has left is for a person."""
    closed = run.step("close", lambda: _closed(run, order_id))
    number = run.step("link closed", lambda: _link(run, held.order(), order_id, lineage.CANCELED, lineage.CANCELED))
    if number and closed.get("open", 0):
        _tell_of_warehouse(run, payload, number, "canceled")
    if closed["left"]:
        words = f"{closed['left']} units had left when {payload.source_ref or payload.source_id} was canceled"
        run.report(Rejected(words, fields=[FieldFault("shipped", words)]), step="canceled too late")
    return {"sales_order": order_id, "closed": True}


def _closed(run: Run, order_id: str) -> dict[str, int]:
    erp = run.erp()
    found = erp.sales_order(id=order_id)
    if found is None:
        raise Rejected(f"The ERP has no sales order {order_id}.")
    if found.status not in _OVER:
        erp.close_order(order_id)
    goods = [line for line in found.lines if line.sku]
    left = sum(line.shipped for line in goods)
    return {"left": left, "open": sum(line.quantity for line in goods) - left}


def _look_again(run: Run, payload: TakeOrder, order: OrderCreated, put: dict[str, Any]) -> str:
    """Whether it was called off while it was taken over. Where it changed, another run tells the ERP how it is now: the
    word of it may have begun none, as nobody had linked the order yet, or one that was over before we wrote.
    """
    now = fingerprint(order)
    if now == put["fingerprint"]:
        return ""
    if now != lineage.CANCELED and run.mode == RunMode.LIVE:
        with run.runtime.unit_of_work(run.tenant_id) as session:
            since = lineage.doubt_told(session, run.tenant_id, run.erp().account, put["id"], put.get("goods", ""))
            anew = payload.model_copy(update={"change": _change(now, since)})
            starting.begin(session, run.tenant_id, NAME, anew, trigger=f"run:{run.id}", trace_id=run.trace_id)
    return now


def _link(run: Run, order: OrderCreated, order_id: str, version: str, goods: str) -> str:
    """Remember what the ERP was told; the number under which a warehouse has the order by now, if it is a platform's:
    our own ask their warehouse before they change (``partnerAnswer``).
    """
    account = run.erp().account
    with run.runtime.unit_of_work(run.tenant_id) as session:
        lineage.keep_sales_order(session, run.tenant_id, order, account, order_id, version=version, goods=goods)
        if order.source == OURS:
            return ""
        return lineage.order_handed_over(session, run.tenant_id, account, order_id)


def _take_back(run: Run, order_id: str) -> None:
    """Closed; whoever tries again is not told that the ERP has it as it is, and opens it. What a warehouse has stays
    open, or its parcels could not be booked; one that takes it just now sees that it was closed. Raises ``Rejected``
    where one has it: a person's.
    """
    erp = run.erp()
    with run.runtime.unit_of_work(run.tenant_id) as session:
        number = lineage.order_handed_over(session, run.tenant_id, erp.account, order_id)
    if not number:
        erp.close_order(order_id)
        with run.runtime.unit_of_work(run.tenant_id) as session:
            lineage.forget_told(session, run.tenant_id, erp.account, order_id)
            number = lineage.order_handed_over(session, run.tenant_id, erp.account, order_id)
    if number:
        words = f"The warehouse has it as {number}: keep the sales order open, or have it called off there."
        raise Rejected(words, fields=[FieldFault("order", words)])


def _tell_of_warehouse(run: Run, payload: TakeOrder, number: str, became: str) -> None:
    """No warehouse that we know can be asked by a request: a person does it."""
    order = payload.source_ref or payload.source_id
    act = "have it called off there" if became == lineage.CANCELED else "have it changed there"
    words = f"{order} was {became}, and the warehouse has it as {number}: {act}, or stop the parcel."
    run.report(Rejected(words, fields=[FieldFault("order", words)]), step=f"{became} at the warehouse")


def _tag(run: Run, payload: TakeOrder) -> None:
    store = _store(run, payload)
    if Capability.TAGS in store.capabilities:
        store.tag(payload.source_id, [TAG])


def _store(run: Run | Access, payload: TakeOrder) -> Storefront:
    return run.storefront(payload.connection_id)


def _known(run: Run | Access, order: OrderCreated) -> Xref | None:
    """The link of an order that was taken over."""
    kind, name = lineage.internal_of(order)
    account = run.erp().account
    with run.runtime.unit_of_work(run.tenant_id) as session:
        return lineage.sales_order_link(session, run.tenant_id, kind, name, account)


def payload_of(access: Access, connection_id: str, order: OrderCreated) -> TakeOrder | None:
    """What is to be done about an order as it was told; ``None`` where the ERP has it so already. A change is known by
    what it was and from when, too: what is changed back and once more is another one.
    """
    link, now = _known(access, order), fingerprint(order)
    if _nothing_to_do(order, link.external_id if link else "", link.version if link else "", now):
        return None
    return TakeOrder(
        connection_id=connection_id,
        account=order.account,
        source_id=order.source_id,
        source_ref=order.source_ref,
        change=_change(now, link.updated_at) if link else "",
    )


def _change(now: str, since: datetime) -> str:
    return f"{now}-{since.timestamp() * 1_000:.0f}"


def unread_payload(account: str, connection_id: str, one: Unread) -> TakeOrder:
    """An order that cannot be read is a run all the same, once for each change of it: it reads the order anew, and is a
    person's where that fails again.
    """
    mark = hashlib.sha256(one.changed_at.encode()).hexdigest()[:16]
    return TakeOrder(connection_id=connection_id, account=account, source_id=one.source_id, change=f"unread-{mark}")


def _from_delivery(access: Access, delivery: Delivery) -> Iterator[TakeOrder]:
    if (which := delivery.connection_id) is not None:
        for told in access.storefront(which).read(delivery.topic, delivery.body):
            if isinstance(told, OrderCreated) and (payload := payload_of(access, which, told)) is not None:
                yield payload


def _poll(poll: Poll) -> Iterator[TakeOrder]:
    """Orders that changed since the last look, and a little before: letters get lost. Each platform has a cursor, by
    the platform's own clock: the newest change that could be read. One that could not holds it up for nobody: it has a
    run of its own. The first look goes back a day at most, and never to before it was connected.
    """
    overlap = timedelta(seconds=poll.settings.overlap_seconds)
    for connection in poll.connections(*_STORES):
        seen = poll.cursor.get(connection.id)
        start = max(connection.created_at, (poll.slot or connection.created_at) - _FIRST_LOOK)
        since = datetime.fromisoformat(seen) if seen else start
        newest, store, unread = since, poll.storefront(connection.id), list[Unread]()
        for order in store.orders_since(since - overlap, unread=unread.append):
            newest = max(newest, order.updated_at)
            if (payload := payload_of(poll, connection.id, order)) is not None:
                yield payload
        yield from (unread_payload(store.account, connection.id, one) for one in unread)
        poll.cursor[connection.id] = newest.isoformat()


_TOPICS: Final = ("orders/create", "orders/updated", "orders/edited", "orders/cancelled", "orders/paid")
WORKFLOW: Final = Workflow(
    name=NAME,
    version="1.0.0",
    payload=TakeOrder,
    key=_key,
    subject=lambda payload: ("order", payload.source_ref or payload.source_id),
    body=_body,
    systems=(System.NETSUITE,),
    hears=(
        *((System.SHOPIFY, topic) for topic in _TOPICS),
        (System.WOOCOMMERCE, "order.created"),
        (System.WOOCOMMERCE, "order.updated"),
    ),
    from_delivery=_from_delivery,
    poll=_poll,
    every_seconds=3_600,
    looks_again=True,
    undo={
        "sales order": "the sales order is closed where this run made it and no warehouse has it; the customer stays"
    },
)
