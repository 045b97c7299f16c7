"""The shadow: what a run would send, and how that differs from what its live one sent.

A dry run asks systems what it needs to know and sends nothing that writes. A replay is answered out of the journal of
the live run, so that it sees what that one saw.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from sqlalchemy import select

from engine.kit import clock
from engine.kit.views import View
from engine.runtime import Runtime
from engine.sync import packing
from engine.sync.errors import Conflict, Rejected
from engine.sync.masking import MASK
from engine.sync.models import Call
from engine.sync.recording import Recording
from engine.sync.wire import Outgoing, Reply
from engine.workflows import pipeline, registry, starting
from engine.workflows.access import Wiring
from engine.workflows.definition import Workflow
from engine.workflows.lived import lived
from engine.workflows.models import RunMode, RunRow, RunStatus
from engine.workflows.rehearsal import NeverEnds, Rehearsal

MOST_LIVES: Final = 30
_FOR_GOOD: Final = frozenset({"", Rejected.code, Conflict.code})
_MASKED: Final = re.compile(f"{MASK} \\d{{4}}")
"""A long number that may be a card's, and may be an id that is needed whole."""
REPLAY: Final = "replay"
"""How the trigger of its runs begins: ``replay {when} {since}``."""
COMPARED: Final = "compared"
"""Where the outcome stands in the result of a shadow: ``{"same", "was", "missing", "extra"}``."""


class WouldSend(View):
    call_id: int
    method: str
    path: str
    request: str
    """As the journal has it: without secrets, within bounds."""
    fingerprint: str


class DryRun(View):
    """What a run would come to."""

    run_id: str
    workflow: str
    status: str
    result: dict[str, Any] | None
    error: str
    requests: list[WouldSend]
    """What would be sent and writes, in order."""


class Compared(View):
    """A live run and its shadow."""

    run_id: str
    subject: str
    same: bool
    status: str
    was: str
    missing: list[WouldSend]
    """The live one sent it, the shadow would not."""
    extra: list[WouldSend]
    """The shadow would send it, the live one did not."""


def dry_run(
    runtime: Runtime, tenant_id: str, workflow: str, payload: Mapping[str, Any], *, wiring: Wiring | None = None
) -> DryRun:
    """Play it without sending what writes. Raises ``NoSuchWorkflow``, ``NotTaken``."""
    found = registry.live(workflow)
    return _shown(_play(runtime, tenant_id, found, payload, Recording(), wiring))


def replay(
    runtime: Runtime,
    tenant_id: str,
    workflow: str,
    version: str,
    *,
    since: datetime,
    most: int = 10_000,
    wiring: Wiring | None = None,
) -> Iterator[Compared]:
    """Live runs since then that ended, oldest first, each beside its shadow under ``version``. What came of it stands
    with the shadows until they are played anew (``engine.operations.pipeline.shadows``). Raises ``NoSuchWorkflow``,
    ``VersionGone``.
    """
    candidate, trigger = registry.exactly(workflow, version), trigger_of(clock.now(), since)
    query = select(RunRow).where(
        RunRow.tenant_id == tenant_id,
        RunRow.workflow == workflow,
        RunRow.mode == RunMode.LIVE,
        RunRow.created_at >= since,
        RunRow.status.in_((RunStatus.DONE, RunStatus.FAILED)),
    )
    with runtime.unit_of_work(tenant_id) as session:
        lives = list(session.scalars(query.order_by(RunRow.created_at, RunRow.id).limit(most)))
    for live in lives:
        yield compare(runtime, live, candidate, wiring=wiring, trigger=trigger)


def trigger_of(at: datetime, since: datetime) -> str:
    """What the runs of one replay are known by; it sorts as the moments do."""
    marks = [moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") for moment in (at, since)]
    return " ".join([REPLAY, *marks])


def compare(
    runtime: Runtime,
    live: RunRow,
    candidate: Workflow[Any],
    *,
    wiring: Wiring | None = None,
    trigger: str = REPLAY,
) -> Compared:
    """One live run beside its shadow under another version."""
    with runtime.unit_of_work(live.tenant_id) as session:
        did = lived(session, live)
    memory = _Memory(did.calls)
    recording = Recording(writes=memory.answer, reads=memory.answer)
    told = {"replay_of": live.id, "trigger": trigger, "lived": did}
    played = _play(runtime, live.tenant_id, candidate, live.payload, recording, wiring, **told)
    shadow = _shown(played)
    sent = {call.fingerprint: call for call in did.calls if not call.reads and _took_place(call)}
    would = {one.fingerprint: one for one in shadow.requests}
    missing = [_call_shown(call) for key, call in sent.items() if key not in would]
    extra = [one for key, one in would.items() if key not in sent]
    compared = Compared(
        run_id=live.id,
        subject=f"{live.subject_kind} {live.subject_ref}",
        same=not missing and not extra and shadow.status == live.status,
        status=shadow.status,
        was=live.status,
        missing=missing,
        extra=extra,
    )
    _keep(runtime, live.tenant_id, shadow.run_id, compared)
    return compared


def _keep(runtime: Runtime, tenant_id: str, shadow_id: str, compared: Compared) -> None:
    """What came of it, with the shadow: which requests, by their numbers in the journal."""
    with runtime.unit_of_work(tenant_id) as session:
        row = starting.get(session, tenant_id, shadow_id, lock=True)
        kept = {"same": compared.same, "was": compared.was}
        for name in ("missing", "extra"):
            kept[name] = [one.call_id for one in getattr(compared, name)]
        row.result = {COMPARED: kept, "result": row.result}


class _Memory:
    """Answers of a live run, by what was asked; the last one stays."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self._known: dict[str, deque[Reply]] = defaultdict(deque)
        for call in calls:
            if (reply := _answered(call)) is not None:
                self._known[call.fingerprint].append(reply)

    def answer(self, request: Outgoing) -> Reply | None:
        replies = self._known.get(request.fingerprint)
        if not replies:
            return None
        return replies.popleft() if len(replies) > 1 else replies[0]


def _answered(call: Call) -> Reply | None:
    """What a system answered for good, a yes or a no, and the journal kept whole; ``None`` for any other."""
    said = packing.whole(call.response)
    if call.outcome not in _FOR_GOOD or call.answer is None or _MASKED.search(said):
        return None
    try:
        data = orjson.loads(said) if said else None
    except orjson.JSONDecodeError:
        return None  # it was cut, or is no document
    if isinstance(data, dict) and set(data) == {"location"}:
        return Reply(call.answer, {"location": str(data["location"])})
    return Reply.of(data, call.answer) if said else Reply(call.answer)


def _took_place(call: Call) -> bool:
    """What was refused by a limit before it was looked at was not said."""
    return call.outcome not in {"vendor_rate_limited", "auth_expired"}


def _play(
    runtime: Runtime,
    tenant_id: str,
    workflow: Workflow[Any],
    payload: Mapping[str, Any],
    recording: Recording,
    wiring: Wiring | None,
    **told: Any,
) -> Rehearsal:
    with runtime.unit_of_work(tenant_id) as session:
        settings = pipeline.settings_of(session, tenant_id, workflow.name)
    played = Rehearsal(
        runtime,
        tenant_id,
        workflow,
        payload,
        settings=settings,
        transport=wiring.transport if wiring else None,
        mode=RunMode.SHADOW,
        shadow=recording,
        most_lives=MOST_LIVES,
        **told,
    )
    try:
        played.play()
    except NeverEnds:
        played.abandon("It would still wait.")
    except BaseException:
        played.abandon("Its replay broke off.")
        raise
    return played


def _shown(played: Rehearsal) -> DryRun:
    row, wrote = played.row(), Counter(one.fingerprint for one in played.recorded if not one.reads)
    with played.runtime.unit_of_work(played.tenant_id) as session:
        query = select(Call).where(
            Call.tenant_id == played.tenant_id, Call.workflow_id == row.id, Call.at >= played.began_at
        )
        calls = list(session.scalars(query.order_by(Call.id)))
    return DryRun(
        run_id=row.id,
        workflow=row.workflow,
        status=row.status,
        result=row.result,
        error=row.error,
        requests=[_call_shown(one) for one in calls if one.fingerprint in wrote],
    )


def _call_shown(call: Call) -> WouldSend:
    own = {name: getattr(call, name) for name in ("method", "path", "request", "fingerprint")}
    return WouldSend(call_id=call.id, **own)
