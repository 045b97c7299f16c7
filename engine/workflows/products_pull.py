"""productsPull: the catalog follows what the platform sells: new products, prices, pictures, and what is taken off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from engine.kit.errors import DomainError
from engine.sync import canonical, connections, products
from engine.sync.errors import FieldFault, Rejected
from engine.sync.models import System
from engine.sync.port import Unread
from engine.sync.work_models import Delivery
from engine.workflows.access import Access, Poll
from engine.workflows.definition import Workflow
from engine.workflows.run import Run

_MOST_TOLD: Final = 50
"""Products of one pull that a person is told of."""


class PullProducts(BaseModel):
    """``since``: what changed from then on; nothing: everything. ``source_id``: that one product alone, as it was at
    ``mark``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    connection_id: str
    mark: str
    """The slot, or the moment of the change."""
    since: str = ""
    source_id: str = ""


def _key(payload: PullProducts) -> str:
    what = f"{payload.connection_id}:{payload.source_id}" if payload.source_id else payload.connection_id
    return f"{what}:{payload.mark}"


def _body(run: Run, payload: PullProducts) -> dict[str, Any]:
    """What cannot be a product of ours stops no other: a person hears of it."""
    pulled = dict(run.step("pull", lambda: _pull(run, payload)))
    if refused := pulled.get("refused"):
        faults = [FieldFault(f"products.{source_id}", why) for source_id, why in refused.items()]
        run.report(Rejected("The platform has products that cannot be ours.", fields=faults), step="unfit")
    return pulled


def _pull(run: Run, payload: PullProducts) -> dict[str, Any]:
    """Each product is followed in a transaction of its own: doing it again finds the most of it done."""
    counted: Counter[str] = Counter()
    refused: dict[str, str] = {}
    with run.runtime.unit_of_work(run.tenant_id) as session:
        connection = connections.get(session, run.tenant_id, payload.connection_id)
    for told in _told(run, payload, refused):
        try:
            with run.runtime.unit_of_work(run.tenant_id) as session:
                counted[str(products.apply(session, run.tenant_id, connection, told))] += 1
        except DomainError as error:
            if error.retryable:
                raise
            refused[told.source_id] = error.message
    shown = dict(list(refused.items())[:_MOST_TOLD])
    return dict(counted) | {"unfit": len(refused), "refused": shown}


def _told(run: Run, payload: PullProducts, refused: dict[str, str]) -> Iterable[canonical.Product]:
    def unread(one: Unread) -> None:
        refused[one.source_id] = _why(one.error)

    store = run.storefront(payload.connection_id)
    if payload.source_id:
        return store.products([payload.source_id], unread=unread)
    since = datetime.fromisoformat(payload.since) if payload.since else None
    return store.products_since(since, unread=unread)


def _why(error: Rejected) -> str:
    """In words, with the first field that is to blame."""
    return " ".join([error.message, *(f"{one.path}: {one.message}." for one in error.fields[:1])])


def _from_delivery(access: Access, delivery: Delivery) -> Iterator[PullProducts]:
    if (which := delivery.connection_id) is not None:
        for told in access.storefront(which).read(delivery.topic, delivery.body):
            if isinstance(told, canonical.Product):
                yield PullProducts(connection_id=which, mark=told.updated_at.isoformat(), source_id=told.source_id)


def _poll(poll: Poll) -> Iterator[PullProducts]:
    """What changed since the last slot, and a little before; everything, the first time."""
    assert poll.slot is not None
    overlap = timedelta(seconds=poll.settings.overlap_seconds)
    for connection in poll.connections(System.SHOPIFY):
        last = poll.cursor.get(connection.id, "")
        since = (datetime.fromisoformat(last) - overlap).isoformat() if last else ""
        yield PullProducts(connection_id=connection.id, mark=poll.slot.isoformat(), since=since)
        poll.cursor[connection.id] = poll.slot.isoformat()


WORKFLOW: Final = Workflow(
    name="productsPull",
    version="1.0.0",
    payload=PullProducts,
    key=_key,
    subject=lambda payload: ("stock", payload.source_id or payload.mark),
    body=_body,
    systems=(System.SHOPIFY,),
    hears=((System.SHOPIFY, "products/create"), (System.SHOPIFY, "products/update")),
    from_delivery=_from_delivery,
    poll=_poll,
    every_seconds=900,
)
