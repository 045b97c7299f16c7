"""partnerAnswer: whether the warehouse gives back what a shopper wants canceled.

It offers no way to be asked; how its order stands is looked at. Never taken, or called off there: yes, and what is
still wanted of it is sent anew under another number. Wholly sent: no.
Still open there: a person is told to have it called off, by the warehouse's own number, and what the warehouse then
says answers it. Staff may answer in its place (``/v1/staff/fulfillments/{id}/…``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.fulfillment import requests, work
from engine.fulfillment.models import Fulfillment, FulfillmentStatus
from engine.orders.models import Order
from engine.payments.alerts import resolve_alert
from engine.payments.models import Alert
from engine.sync import alerts
from engine.sync.alerts import ASK_WAREHOUSE
from engine.sync.canonical import WarehouseOrder, WarehouseState
from engine.sync.models import System
from engine.workflows import lineage, starting
from engine.workflows.access import Poll
from engine.workflows.definition import Workflow
from engine.workflows.models import OPEN_RUNS, RunMode
from engine.workflows.netsuite_to_dcl import PARTNER, number_of
from engine.workflows.ours import of_partner
from engine.workflows.run import Run

SENDS: Final = "netsuiteToDCL"
"""The workflow that hands orders over."""


class Question(BaseModel):
    """A cancel that the warehouse is to answer. ``accepted`` is nothing while it cannot be known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fulfillment_id: str
    change_id: str
    order_number: str
    number: str
    """What the warehouse calls it."""
    accepted: bool | None = None


def _key(payload: Question) -> str:
    said = {None: "asked", True: "yes", False: "no"}[payload.accepted]
    return f"{payload.fulfillment_id}:{payload.change_id}:{said}"


def _body(run: Run, payload: Question) -> dict[str, Any]:
    if payload.accepted is None:
        return {"asked": run.step("ask", lambda: _ask(run, payload))}
    return {"answered": run.step("answer", lambda: _answer(run, payload, accepted=bool(payload.accepted)))}


def _ask(run: Run, payload: Question) -> bool:
    """A person has it called off there."""
    if run.mode != RunMode.LIVE:
        return False
    with run.runtime.unit_of_work(run.tenant_id) as session:
        if not _waits(session, run.tenant_id, payload):
            return False
        facts = {"number": payload.number, "order": payload.order_number}
        alerts.put(session, run.tenant_id, ASK_WAREHOUSE, payload.fulfillment_id, facts)
        return True


def _answer(run: Run, payload: Question, *, accepted: bool) -> bool:
    """Once: a question that was answered meanwhile, by whomever, is over."""
    if run.mode != RunMode.LIVE:
        return False
    with run.runtime.unit_of_work(run.tenant_id) as session:
        waits = _waits(session, run.tenant_id, payload)
        if waits:
            actor = f"partner:{PARTNER}"
            which = (session, run.tenant_id, payload.fulfillment_id)
            requests.answer_cancel(*which, accepted=accepted, called_off=accepted, actor=actor)
        resolve_alert(session, run.tenant_id, ASK_WAREHOUSE, payload.fulfillment_id)
        return waits


def _waits(session: Session, tenant_id: str, payload: Question) -> bool:
    found = work.lock_work(session, tenant_id, payload.fulfillment_id).fulfillment
    asked = found.status == FulfillmentStatus.CANCEL_REQUESTED
    return asked and found.cancel_change_id == payload.change_id


def _poll(poll: Poll) -> Iterator[Question]:
    """Cancels that wait, with what the warehouse's books say of them."""
    asked = _asked(poll)
    there = {one.order_ref: one for one in poll.warehouse().orders(numbers=list(asked))} if asked else {}
    for number, (question, taken) in asked.items():
        yield question.model_copy(update={"accepted": _meaning(there.get(number), taken=taken)})


def _meaning(found: WarehouseOrder | None, *, taken: bool) -> bool | None:
    """``None``: nobody knows yet. One that was taken and is not told of is somewhere all the same."""
    if found is None:
        return None if taken else True
    if found.state == WarehouseState.CANCELED:
        return True
    return False if found.state == WarehouseState.SHIPPED else None


def _asked(poll: Poll) -> dict[str, tuple[Question, bool]]:
    """The warehouse's number → what it was asked, and whether it took the order. Work that is just being handed over
    waits for that.
    """
    found, house = {}, poll.warehouse()
    with poll.runtime.unit_of_work(poll.tenant_id) as session:
        waiting = of_partner(session, poll.tenant_id, PARTNER, FulfillmentStatus.CANCEL_REQUESTED)
        _forget_tasks(session, poll.tenant_id, {one.id for one in waiting})
        for one in waiting:
            order = session.get_one(Order, (poll.tenant_id, one.order_id)).number
            if not _being_sent(session, poll.tenant_id, order):
                taken = lineage.warehouse_number(
                    session,
                    poll.tenant_id,
                    system=house.system,
                    account=house.account,
                    internal_kind=lineage.FULFILLMENT,
                    internal_id=one.id,
                )
                number = number_of(order, one.id)
                found[number] = (_question(one, order, number), taken is not None)
    return found


def _being_sent(session: Session, tenant_id: str, order: str) -> bool:
    page = starting.listed(session, tenant_id, workflow=SENDS, subject=("order", order), status=tuple(OPEN_RUNS))
    return bool(page.items)


def _forget_tasks(session: Session, tenant_id: str, waiting: set[str]) -> None:
    """What staff have answered by hand is nobody's task any more."""
    query = select(Alert.subject).where(
        Alert.tenant_id == tenant_id, Alert.kind == ASK_WAREHOUSE, Alert.resolved_at.is_(None)
    )
    for subject in session.scalars(query).all():
        if subject not in waiting:
            resolve_alert(session, tenant_id, ASK_WAREHOUSE, subject)


def _question(one: Fulfillment, order: str, number: str) -> Question:
    return Question(fulfillment_id=one.id, change_id=one.cancel_change_id or "", order_number=order, number=number)


WORKFLOW: Final = Workflow[Question](
    name="partnerAnswer",
    version="1.0.0",
    payload=Question,
    key=_key,
    subject=lambda payload: ("order", payload.order_number),
    systems=(System.DCL,),
    body=_body,
    poll=_poll,
    every_seconds=300,
)
