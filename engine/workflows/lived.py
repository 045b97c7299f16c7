"""What a live run did to our own rows: a replay of it is shown them as they were before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, delete, false, or_, select, tuple_, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from engine.fulfillment import work
from engine.fulfillment.models import FulfillmentStatus
from engine.kit import clock
from engine.sync.models import Call, CallMode, Xref
from engine.workflows import starting
from engine.workflows.models import RunRow, StepRow

_KEY: Final = (Xref.tenant_id, Xref.system, Xref.account, Xref.kind, Xref.external_id)
_MOST_CALLS: Final = 5_000
_UNKNOWN: Final = {"version": "", "hash": ""}
Keys = Sequence[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Lived:
    """What a run's last turn asked of systems, the links that were ``made`` while it was at work, and older ones whose
    fingerprint ``changed``.
    """

    calls: Sequence[Call] = ()
    made: Keys = ()
    changed: Keys = ()
    sent: tuple[str, str] | None = None
    """Shop and id of the fulfillment that it handed over: it was released then, and nothing of it had left."""

    def take_back(self, session: Session) -> None:
        """As if it had not been: for a transaction that is taken back itself."""
        if self.made:
            session.execute(delete(Xref).where(tuple_(*_KEY).in_(self.made)))
        if self.changed:  # what it was before is not known: not what it is now
            session.execute(update(Xref).where(tuple_(*_KEY).in_(self.changed)).values(_UNKNOWN))
        if self.sent is not None:
            found = work.lock_work(session, *self.sent)
            found.fulfillment.status = FulfillmentStatus.RELEASED
            for line in found.lines.values():
                line.shipped = 0


def lived(session: Session, live: RunRow) -> Lived:
    """By when the steps of its last turn were at work; what others linked in these moments counts as well. One that
    wrote to no system found everything as it should be, and so it stays.
    """
    steps = session.scalars(
        select(StepRow).where(StepRow.tenant_id == live.tenant_id, StepRow.run_id == live.id, StepRow.turn == live.turn)
    ).all()
    mine, made = Xref.tenant_id == live.tenant_id, _within(Xref.linked_at, steps)
    changed = and_(_within(Xref.updated_at, steps), ~made)
    calls = [call for call in starting.calls(session, live.tenant_id, live.id, limit=_MOST_CALLS) if _of(call, steps)]
    wrote = any(not call.reads for call in calls)
    return Lived(
        calls=calls,
        made=_keys(session, mine, made),
        changed=_keys(session, mine, changed) if wrote else (),
        sent=(live.tenant_id, which) if wrote and (which := live.payload.get("fulfillment_id")) else None,
    )


def _keys(session: Session, *wanted: ColumnElement[bool]) -> Keys:
    return [tuple(row) for row in session.execute(select(*_KEY).where(*wanted))]


def _of(call: Call, steps: Sequence[StepRow]) -> bool:
    return call.mode == CallMode.LIVE and any(call.at >= one.started_at for one in steps)


def _within(moment: InstrumentedAttribute[datetime], steps: Sequence[StepRow]) -> ColumnElement[bool]:
    return or_(false(), *(moment.between(one.started_at, one.ended_at or clock.now()) for one in steps))
