"""What staff may have done from a conversation: how it is put into words, and how it is done. A new one is a class.

Each is worked out again when it is agreed to: if the words are not the same any more, it is another question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.agentic import webhooks
from engine.approvals.asking import Where, perform
from engine.approvals.models import ApprovalKind
from engine.catalog.models import Variant
from engine.fulfillment import exceptions, release, work
from engine.fulfillment.exceptions import Remedy
from engine.inventory import counting, inbound, listing, naming, queries
from engine.inventory.inbound import Coming
from engine.kit.errors import Conflict, InvalidInput, NotFound
from engine.kit.identity import Identity
from engine.operations.acting import Doing, Done, Ref, StaffAct, Words
from engine.operations.pipeline.acts import CancelRun, FixRun, RetryCause, RetryRun
from engine.orders import allocation
from engine.orders import queries as orders
from engine.orders.models import Order, Shipment
from engine.payments import inbox
from engine.payments.models import Alert

Sku = Annotated[str, Field(min_length=1, max_length=40)]
Code = Annotated[str, Field(min_length=1, max_length=12)]
Units = Annotated[int, Field(strict=True, ge=1, le=100_000)]


class Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    sku: Sku
    quantity: Units


Lines = Annotated[tuple[Line, ...], Field(min_length=1, max_length=50)]


class Transfer(StaffAct):
    title = "Move stock to another location"
    kind: Literal["transfer"] = "transfer"
    source: Code
    destination: Code
    lines: Lines
    expected_on: date | None = None

    def words(self, session: Session, identity: Identity) -> list[str]:
        names = naming.look_up(
            session, identity.tenant_id, skus=_skus(self.lines), codes=[self.source, self.destination]
        )
        if self.source == self.destination:
            raise InvalidInput("A transfer goes from one location to another.", param="destination")
        naming.by_item(names, [(line.sku, line.quantity) for line in self.lines])
        stock = {one.sku: one for one in queries.items_of(session, identity.tenant_id, _variants(session, names))}
        return [_leaving(stock[line.sku], line, self.source, self.destination) for line in self.lines]

    def run(self, session: Session, doing: Doing) -> Done:
        names = self._names(session, doing.identity)
        made = inbound.dispatch_transfer(
            session,
            doing.tenant_id,
            actor=doing.identity.id,
            source_location_id=names.places[self.source],
            location_id=names.places[self.destination],
            lines=[Coming(names.items[line.sku], line.quantity) for line in self.lines],
            expected_on=self.expected_on,
        )
        return Done(f"The transfer to {self.destination} is under way.", {"inbound_id": made.id})

    def _names(self, session: Session, identity: Identity) -> naming.Names:
        codes = [self.source, self.destination]
        return naming.look_up(session, identity.tenant_id, skus=_skus(self.lines), codes=codes)


class Receipt(StaffAct):
    title = "Put delivered stock on the shelf"
    kind: Literal["receipt"] = "receipt"
    inbound_id: Ref
    lines: Lines

    def words(self, session: Session, identity: Identity) -> list[str]:
        coming = listing.inbound(session, identity.tenant_id, self.inbound_id)
        open_units = {line.sku: line.expected - line.received for line in coming.lines}
        for line in self.lines:
            if line.quantity > open_units.get(line.sku, 0):
                raise InvalidInput(
                    f"Of {line.sku} {max(0, open_units.get(line.sku, 0))} are still to come by this delivery.",
                    param="lines",
                )
        return [f"{line.quantity} x {line.sku} arrive at {coming.location}." for line in self.lines]

    def run(self, session: Session, doing: Doing) -> Done:
        names = naming.look_up(session, doing.tenant_id, skus=_skus(self.lines), codes=[])
        units = naming.by_item(names, [(line.sku, line.quantity) for line in self.lines])
        with allocation.arriving(session, doing.tenant_id, units):
            inbound.receive_inbound(
                session, doing.tenant_id, actor=doing.identity.id, inbound_id=self.inbound_id, received=units
            )
        return Done("The units are on the shelf.", {"inbound_id": self.inbound_id})


class Adjustment(StaffAct):
    title = "Correct the stock of an item"
    kind: Literal["adjustment"] = "adjustment"
    sku: Sku
    location: Code
    delta: Annotated[int, Field(strict=True, ge=-100_000, le=100_000)]
    reason: Words

    def words(self, session: Session, identity: Identity) -> list[str]:
        if not self.delta:
            raise InvalidInput("Say how many units are written on or off.", param="delta")
        names = naming.look_up(session, identity.tenant_id, skus=[self.sku], codes=[self.location])
        item = queries.items_of(session, identity.tenant_id, _variants(session, names), location=self.location)[0]
        if not item.locations:
            raise InvalidInput("A bundle has no stock of its own: correct its parts.", param="sku")
        before = item.locations[0].on_hand
        verb = "written on" if self.delta > 0 else "written off"
        counts = f"on hand {before}, then {before + self.delta}"
        return [f"{abs(self.delta)} x {item.sku} ({item.title}) {verb} at {self.location}: {counts}.", self.reason]

    def run(self, session: Session, doing: Doing) -> Done:
        names = naming.look_up(session, doing.tenant_id, skus=[self.sku], codes=[self.location])
        args = {
            "variant_id": names.items[self.sku],
            "location_id": names.places[self.location],
            "delta": self.delta,
            "reason": self.reason,
        }
        kind = ApprovalKind.WRITE_OFF if self.delta < 0 else ApprovalKind.STOCK_ADJUSTMENT
        where = Where(thread_id=doing.thread_id)
        done = perform(session, doing.runtime, doing.identity, kind, args, reason=self.reason, where=where)
        if done.approval:
            words = "That is more than one person may: somebody else of the shop has to say yes to it."
            return Done(words, {"approval_id": done.approval.id})
        return Done(f"The stock of {self.sku} at {self.location} is corrected.", dict(done.outcome or {}))


class Count(StaffAct):
    title = "Have items counted"
    kind: Literal["count"] = "count"
    location: Code
    skus: Annotated[tuple[Sku, ...], Field(min_length=1, max_length=100)]
    note: Annotated[str, Field(max_length=200)] = ""

    def words(self, session: Session, identity: Identity) -> list[str]:
        naming.look_up(session, identity.tenant_id, skus=set(self.skus), codes=[self.location])
        return [f"At {self.location} are counted: {', '.join(sorted(set(self.skus)))}.", *filter(None, [self.note])]

    def run(self, session: Session, doing: Doing) -> Done:
        names = naming.look_up(session, doing.tenant_id, skus=set(self.skus), codes=[self.location])
        made = counting.open_count(
            session,
            doing.tenant_id,
            actor=doing.identity.id,
            location_id=names.places[self.location],
            variant_ids=list(names.items.values()),
            note=self.note,
        )
        return Done(f"The count at {self.location} is open.", {"count_id": made.id})


class Release(StaffAct):
    title = "Hand an order to the places that ship it"
    kind: Literal["release"] = "release"
    order: Ref

    def words(self, session: Session, identity: Identity) -> list[str]:
        order = orders.find_own(session, identity, self.order)
        plans = [one for one in release.explain(session, order.tenant_id, order.id) if one["stage"] == "now"]
        if not plans:
            raise Conflict(f"Order {order.number} has nothing with stock that is still to be released.")
        told = [words for plan in plans for words in plan["routing"].get("words", ())]
        return [f"Order {order.number} is released and the money it waits for is taken.", *told]

    def run(self, session: Session, doing: Doing) -> Done:
        order = orders.find_own(session, doing.identity, self.order)
        order_id = order.id
        made = release.release(session, doing.tenant_id, order_id, actor=doing.identity.id)
        if not made:
            return Done(f"Order {order.number} could not be released: see what it waits for.", {"order_id": order_id})
        return Done(
            f"Order {order.number} is released.",
            {"order_id": order_id, "fulfillments": [one.id for one in made]},
            after=lambda runtime: release.take_money(runtime, doing.tenant_id, order_id),
        )


class LostParcel(StaffAct):
    title = "Decide what follows from a lost parcel"
    kind: Literal["lost_parcel"] = "lost_parcel"
    shipment_id: Ref
    remedy: Remedy

    def words(self, session: Session, identity: Identity) -> list[str]:
        found = session.get(Shipment, (identity.tenant_id, self.shipment_id))
        if found is None:
            raise NotFound("There is no such parcel.")
        order = session.get_one(Order, (identity.tenant_id, found.order_id))
        exceptions.require_remedy(session, order, found, work.lines_in_place(session, order).values())
        units = sum(line["quantity"] for line in found.lines)
        follows = {
            Remedy.RESHIP: "They are reserved anew and can be sent again.",
            Remedy.REFUND: "They can be canceled now, which gives the money back under the order's own rules.",
        }
        return [f"{found.carrier} {found.tracking_number}: {units} units are written off.", follows[self.remedy]]

    def run(self, session: Session, doing: Doing) -> Done:
        units = exceptions.remedy_lost(
            session, doing.tenant_id, self.shipment_id, remedy=self.remedy, actor=doing.identity.id
        )
        return Done("It is decided.", {"units": units})


class Settling(StaffAct):
    title = "Settle an exception"
    kind: Literal["exception"] = "exception"
    alert_id: Ref

    def words(self, session: Session, identity: Identity) -> list[str]:
        found = session.get(Alert, (identity.tenant_id, self.alert_id))
        if found is None:
            raise NotFound("There is no such exception.")
        if found.resolved_at is not None:
            raise Conflict("This is settled already.")
        does = _SAFE.get(found.action or "")
        if does is None:
            raise Conflict("Nothing here can settle this by itself: it is settled where it came from.")
        return [found.detail, does]

    def run(self, session: Session, doing: Doing) -> Done:
        after = inbox.begin(session, doing.identity, self.alert_id)
        return Done("It is begun; the exception closes when it is settled.", {"alert_id": self.alert_id}, after=after)


class Webhooks(StaffAct):
    title = "Send given-up webhooks again"
    kind: Literal["webhooks"] = "webhooks"
    platform_id: Ref

    def words(self, session: Session, identity: Identity) -> list[str]:
        counted = webhooks.counts(session, identity.tenant_id)
        dead = sum(events for whose, status, events in counted if (whose, status) == (self.platform_id, "dead"))
        if not dead:
            raise Conflict("Nothing was given up for this platform.")
        return [f"{dead} webhooks that were given up are sent once more, in order."]

    def run(self, session: Session, doing: Doing) -> Done:
        again = webhooks.replay_dead(session, doing.tenant_id, self.platform_id, actor=doing.identity.id)
        return Done(f"{again} webhooks are sent again.", {"events": again})


_SAFE: Final[Mapping[str, str]] = {
    inbox.Action.RETRY_LOOKUP: "The payment provider is asked again what became of it.",
    inbox.Action.REFUND_AGAIN: "A new refund takes the place of the one that failed.",
    inbox.Action.RESUBMIT_EVIDENCE: "What was written to the bank is sent again.",
    inbox.Action.GIVE_BACK: "The money that belongs to no order here is given back.",
}
_SHOP: Final = (Transfer, Receipt, Adjustment, Count, Release, LostParcel, Settling, Webhooks)
_PIPELINE: Final = (RetryRun, FixRun, CancelRun, RetryCause)
ACTS: Final[Mapping[str, type[StaffAct]]] = {str(act.model_fields["kind"].default): act for act in (*_SHOP, *_PIPELINE)}


def read(given: Mapping[str, Any]) -> StaffAct:
    """The act that ``kind`` names. Raises ``InvalidInput`` for the first argument that cannot be."""
    kind = ACTS.get(str(given.get("kind")))
    if kind is None:
        raise InvalidInput("There is no such act.", param="kind")
    try:
        return kind.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "kind"
        raise InvalidInput(f"{where}: {first['msg']}.", param=where) from None


def _skus(lines: Sequence[Line]) -> list[str]:
    return [line.sku for line in lines]


def _variants(session: Session, names: naming.Names) -> list[Variant]:
    return list(session.scalars(select(Variant).where(Variant.id.in_(names.items.values()))))


def _leaving(item: queries.ItemStock, line: Line, source: str, destination: str) -> str:
    place = next((one for one in item.locations if one.code == source), None)
    if place is None:
        raise InvalidInput("A bundle has no stock of its own: move its parts.", param="lines")
    if line.quantity > place.available:
        raise Conflict(f"{source} has {place.available} of {line.sku} that nobody waits for.")
    return f"{line.quantity} x {item.sku} ({item.title}) leave {source} for {destination}."
