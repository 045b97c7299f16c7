"""productsPull: the catalog follows what the platform sells: new products, prices, pictures, and what is taken off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from engine.sync import canonical, connections, products
from engine.sync.models import System
from engine.sync.work_models import Delivery
from engine.workflows.access import Access, Poll
from engine.workflows.definition import Workflow
from engine.workflows.run import Run

_UNFIT_SHOWN: Final = 50


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
    return dict(run.step("pull", lambda: _pull(run, payload)))


def _pull(run: Run, payload: PullProducts) -> dict[str, Any]:
    """Each product is followed in a transaction of its own: doing it again finds the most of it done."""
    counted: Counter[products.Became] = Counter()
    unfit: list[str] = []
    with run.runtime.unit_of_work(run.tenant_id) as session:
        connection = connections.get(session, run.tenant_id, payload.connection_id)
    for told in _told(run, payload):
        with run.runtime.unit_of_work(run.tenant_id) as session:
            became = products.apply(session, run.tenant_id, connection, told)
        counted[became] += 1
        if became == products.Became.UNFIT:
            unfit.append(told.source_id)
    return {str(became): number for became, number in counted.items()} | {"unfit_ids": unfit[:_UNFIT_SHOWN]}


def _told(run: Run, payload: PullProducts) -> Iterable[canonical.Product]:
    store = run.storefront(payload.connection_id)
    if payload.source_id:
        return store.products([payload.source_id])
    return store.products_since(datetime.fromisoformat(payload.since) if payload.since else None)


def _from_delivery(access: Access, delivery: Delivery) -> PullProducts | None:
    if delivery.connection_id is None:
        return None
    told = access.storefront(delivery.connection_id).read(delivery.topic, delivery.body)
    if not isinstance(told, canonical.Product):
        return None
    return PullProducts(
        connection_id=delivery.connection_id, mark=told.updated_at.isoformat(), source_id=told.source_id
    )


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
