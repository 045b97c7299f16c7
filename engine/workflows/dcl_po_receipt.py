"""dclPoReceipt: what the warehouse counted in is booked on the purchase that it came for, as counted, and put on our
own shelf where the place is one of ours.

More or less than was ordered, beyond the shop's tolerance, is for a person; within it the rest of a line is closed. A
receipt that was none is taken back by a run of its own (``reverse``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from engine.kit import clock
from engine.sync.canonical import Expected, Receipt
from engine.sync.errors import FieldFault, Rejected
from engine.sync.models import System
from engine.workflows import receiving
from engine.workflows.access import Poll
from engine.workflows.dcl_po_notification import find_announced
from engine.workflows.definition import Workflow
from engine.workflows.models import RunMode
from engine.workflows.receiving import Counted, Difference
from engine.workflows.run import Run

BOOKED: Final = "itemReceipt"
_FIRST: Final = timedelta(days=1)
"""How far back the first look goes."""


class Received(BaseModel):
    """A receipt as the warehouse tells of it. ``reverse``: it was none, take it back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    receipt: Receipt
    reverse: bool = False


def external_id(receipt: Receipt) -> str:
    """Of the item receipt."""
    return f"DCL-{receipt.account}-{receipt.ref}"


def _key(payload: Received) -> str:
    return f"{payload.receipt.account}:{payload.receipt.ref}{':reversed' if payload.reverse else ''}"


def _body(run: Run, payload: Received) -> dict[str, Any]:
    receipt = payload.receipt
    found = run.step("resolve", lambda: _resolve(run, receipt, reverse=payload.reverse))
    if payload.reverse:
        return _reverse(run, receipt, found)
    counted = Counted(_numbered(found["lines"]), _numbered(found["over"]))
    booked, refused = _book(run, receipt, found, counted)
    told: dict[str, Any] = {"purchase": found["id"], "receipt": booked, "refused": _named(refused)}
    if found["ours"] and found["kind"] == "purchase":
        told["shelf"] = run.step("shelf", lambda: _shelf(run, receipt, found))
    came = {line: units - refused.get(line, 0) for line, units in counted.lines.items()}
    rows = run.step("compare", lambda: _compare(run, found, came))
    told["closed"] = _settle(run, found, rows, refused)
    return told


def _resolve(run: Run, receipt: Receipt, *, reverse: bool) -> dict[str, Any]:
    """The purchase, and which of its lines came. Raises ``Rejected`` where nobody ordered it."""
    erp = run.erp()
    which = find_announced(run, receipt.purchase_ref) or erp.find_expected(receipt.purchase_ref)
    expected = erp.expected_one(*which) if which else None
    if expected is None:
        fault = FieldFault("purchase_ref", f"{receipt.purchase_ref[:60]} is no purchase of the ERP")
        raise Rejected("Goods came that nobody ordered.", fields=[fault])
    facts = {"kind": expected.kind, "id": expected.source_id}
    if reverse:
        return facts | {"ours": _where_put(run, receipt)}
    facts["ours"] = _place(run, expected)
    if erp.found(BOOKED, external_id(receipt)) is not None:  # of an earlier turn: what came is not still to come
        expected = _before(expected, receipt)
    counted = receiving.count(expected, receipt)
    before = {one.line: one.received for one in expected.lines if one.line in counted.lines}
    return facts | {
        "lines": _named(counted.lines),
        "over": _named(counted.over),
        "before": _named(before),
        "costs": _costs(run, expected),
    }


def _before(expected: Expected, receipt: Receipt) -> Expected:
    """As it was before the receipt was booked."""
    came = receiving.count(expected, receipt).lines
    lines = [
        one.model_copy(update={"received": max(0, one.received - came.get(one.line, 0))}) for one in expected.lines
    ]
    return expected.model_copy(update={"lines": tuple(lines)})


def _place(run: Run, expected: Expected) -> str:
    """Our own code of where it is to come, by the settings; nothing where it is none of our places."""
    places = run.settings.locations
    named = [one for one in places if one.erp == expected.location] or [one for one in places if one.warehouse]
    return next((one.ours for one in named), "")


def _where_put(run: Run, receipt: Receipt) -> str:
    """Our own code of where it lies, whatever the settings say since."""
    with run.runtime.unit_of_work(run.tenant_id) as session:
        return receiving.on_shelf(session, run.tenant_id, account=receipt.account, ref=receipt.ref)


def _costs(run: Run, expected: Expected) -> dict[str, int]:
    with run.runtime.unit_of_work(run.tenant_id) as session:
        return receiving.costs_of(expected, receiving.currency_of(session, run.tenant_id))


def _book(run: Run, receipt: Receipt, found: dict[str, Any], counted: Counted) -> tuple[str, dict[int, int]]:
    """As counted; where the ERP takes no more than was ordered, that much. The receipt's id, and line → what it did not
    take.
    """
    if not counted.lines:
        return "", {}
    try:
        return _receive(run, "receive", receipt, found, counted.lines), {}
    except Rejected:
        if not counted.over:
            raise
    capped = counted.capped()
    booked = _receive(run, "receive what was ordered", receipt, found, capped) if capped else ""
    return booked, counted.over


def _receive(run: Run, step: str, receipt: Receipt, found: dict[str, Any], lines: dict[int, int]) -> str:
    name, day = external_id(receipt), receipt.at.date().isoformat()
    made = run.step(
        step,
        lambda: run.erp().receive(found["kind"], found["id"], name, lines, at=day),
        probe=lambda: run.erp().found(BOOKED, name),
    )
    run.undo(step, lambda: run.erp().unreceive(name))
    return str(made)


def _shelf(run: Run, receipt: Receipt, found: dict[str, Any]) -> dict[str, Any]:
    """Our own stock, by what was counted: the goods are there, whatever the ERP takes of them."""
    units = Counter[str]()
    for line in receipt.lines:
        units[line.sku] += line.quantity
    if run.mode == RunMode.SHADOW:
        return {"inbound": "", "units": dict(units), "unknown": []}
    with run.runtime.unit_of_work(run.tenant_id) as session:
        return receiving.put_on_shelf(
            session,
            run.tenant_id,
            account=receipt.account,
            receipt=receipt,
            code=found["ours"],
            units={sku: number for sku, number in units.items() if number},
            costs=found["costs"],
        )


def _compare(run: Run, found: dict[str, Any], came: Mapping[int, int]) -> list[dict[str, Any]]:
    """How the lines stand now: at least what there was and came, however old the answer is."""
    expected = run.erp().expected_one(found["kind"], found["id"])
    if expected is None:
        return []
    least = {line: units + found["before"][str(line)] for line, units in came.items()}
    lines = [one.model_copy(update={"received": max(one.received, least.get(one.line, 0))}) for one in expected.lines]
    seen = expected.model_copy(update={"lines": tuple(lines)})
    rows = receiving.differences(seen, sorted(came), run.settings.receipt_tolerance_percent)
    return [{"line": one.line, "sku": one.sku, "units": one.units, "tolerated": one.tolerated} for one in rows]


def _settle(run: Run, found: dict[str, Any], rows: list[dict[str, Any]], refused: dict[int, int]) -> list[int]:
    """Tell a person of what is beyond tolerance, close what nothing more will come of; the lines that were closed."""
    every = [Difference(**row) for row in rows]
    faults = [_fault(one) for one in every if not one.tolerated]
    faults += [FieldFault(f"lines.{line}", f"{units} more came than the ERP takes") for line, units in refused.items()]
    if faults:
        run.report(Rejected("What came is not what was ordered.", fields=faults), step="compare")
    short = [one.line for one in every if one.units < 0 and (one.tolerated or run.settings.close_short)]
    if short:
        run.step("close", lambda: run.erp().close_lines(found["kind"], found["id"], short))
    return short


def _fault(one: Difference) -> FieldFault:
    words = (
        f"{one.units} more of {one.sku} than ordered" if one.units > 0 else f"{-one.units} of {one.sku} did not come"
    )
    return FieldFault(f"lines.{one.line}", words)


def _reverse(run: Run, receipt: Receipt, found: dict[str, Any]) -> dict[str, Any]:
    """Our own shelf first: what is promised to a shopper is not taken off it."""
    told: dict[str, Any] = {"purchase": found["id"]}
    if found["ours"]:
        told["shelf"] = run.step("take off the shelf", lambda: _off_shelf(run, receipt))
    told["reversed"] = run.step("take back", lambda: run.erp().unreceive(external_id(receipt)))
    return told


def _off_shelf(run: Run, receipt: Receipt) -> dict[str, int]:
    if run.mode == RunMode.SHADOW:
        return {}
    with run.runtime.unit_of_work(run.tenant_id) as session:
        return receiving.take_off_shelf(session, run.tenant_id, account=receipt.account, ref=receipt.ref)


def _named(lines: Mapping[int, int]) -> dict[str, int]:
    """As JSON has it."""
    return {str(line): units for line, units in lines.items()}


def _numbered(kept: dict[str, int]) -> dict[int, int]:
    """Lines as numbers again."""
    return {int(line): units for line, units in kept.items()}


def _poll(poll: Poll) -> Iterator[Received]:
    """Receipts since the last look, and a little before."""
    kept = poll.cursor.get("received_at")
    since = datetime.fromisoformat(kept) if kept else clock.now() - _FIRST
    newest = since
    overlap = timedelta(seconds=poll.settings.overlap_seconds)
    for receipt in poll.warehouse().receipts(since - overlap, unread=poll.unread.append):
        newest = max(newest, receipt.at)
        yield Received(receipt=receipt)
    poll.cursor["received_at"] = newest.isoformat()


WORKFLOW: Final = Workflow[Received](
    name="dclPoReceipt",
    version="1.0.0",
    payload=Received,
    key=_key,
    subject=lambda payload: ("purchase", payload.receipt.purchase_ref),
    systems=(System.NETSUITE, System.DCL),
    body=_body,
    poll=_poll,
    every_seconds=300,
    undo={
        "receive": "the item receipt is deleted with its stock",
        "receive what was ordered": "the item receipt is deleted with its stock",
    },
)
