"""closeSalesOrder: an order of ours that was canceled is closed in the ERP."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from engine.sync.errors import Transient
from engine.sync.models import System
from engine.workflows import lineage, starting
from engine.workflows.definition import Workflow
from engine.workflows.models import OPEN_RUNS
from engine.workflows.run import Run

SENDS: Final = "shopifyToNetsuite"
"""The workflow that makes sales orders."""
_WAIT: Final = 60.0
_MOST_WAITS: Final = 120


class CanceledOrder(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    order_id: str
    number: str


def _body(run: Run, payload: CanceledOrder) -> dict[str, Any]:
    for _ in range(_MOST_WAITS):
        found = run.step("find", lambda: _find(run, payload))
        if not found["under_way"]:
            break
        run.wait(_WAIT)
    else:
        raise Transient(f"{payload.number} is still on its way to the ERP.")
    if not found["sales_order"]:
        return {"skipped": "the ERP never had it"}
    run.step("close", lambda: run.erp().close_order(found["sales_order"]))
    return {"closed": found["sales_order"]}


def _find(run: Run, payload: CanceledOrder) -> dict[str, Any]:
    """The sales order; or whether one is just being made, which is to be waited for."""
    account = run.erp().account
    with run.runtime.unit_of_work(run.tenant_id) as session:
        subject = ("order", payload.number)
        sending = starting.listed(session, run.tenant_id, workflow=SENDS, subject=subject, status=tuple(OPEN_RUNS))
        linked = lineage.sales_order_of(session, run.tenant_id, lineage.ORDER, payload.order_id, account)
    return {"under_way": bool(sending.items), "sales_order": linked or ""}


WORKFLOW: Final = Workflow[CanceledOrder](
    name="closeSalesOrder",
    version="1.0.0",
    payload=CanceledOrder,
    key=lambda payload: payload.order_id,
    subject=lambda payload: ("order", payload.number),
    systems=(System.NETSUITE,),
    body=_body,
)
