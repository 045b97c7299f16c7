"""One run, from its claim to its last event."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from engine.conversations import asking, events, runs, turns
from engine.conversations.errors import LeaseLost
from engine.conversations.events import Emitted
from engine.conversations.models import RunStatus
from engine.conversations.runs import Claim, Report
from engine.kit import tracing
from engine.kit.direct import Refused
from engine.kit.errors import DomainError
from engine.kit.passing import patiently
from engine.runtime import Runtime
from graph.build import Graph
from graph.checkpointer import thread_key
from graph.emitter import Emitter
from graph.failures import failure_of
from graph.state import RunContext, decisions, new_turn
from icommerce_agents.threads import in_thread

RUN_SECONDS: Final = 180
_NEXT_PART: Final[Command[Any]] = Command(goto="agent")
RENEW_SECONDS: Final = runs.LEASE.total_seconds() / 3
log = logging.getLogger(__name__)


async def execute(runtime: Runtime, graph: Graph, claim: Claim) -> bool:
    """Run the claimed turn and close it, well or badly; whether another may wait in its thread. Raises only when the
    store does not take the end.
    """
    emitter = Emitter(runtime, claim.identity.tenant_id, claim.thread_id, claim.run_id, attempt=claim.attempt)
    context = RunContext(runtime, claim, emitter)
    emitter.cost_micros = lambda: context.turn.meter.cost_micros
    renewing = asyncio.create_task(_keep(runtime, claim, asyncio.current_task()))
    try:
        with tracing.traced(claim.trace_id):
            await asyncio.wait_for(_walk(graph, context), RUN_SECONDS)
        return await in_thread(_finish, context, emitter, await emitter.take())
    except LeaseLost:
        await _goes_on_elsewhere(claim, emitter)
    except asyncio.CancelledError:
        await asyncio.shield(_goes_on_elsewhere(claim, emitter))
        raise
    except DomainError as error:
        log.warning("run %s failed: %s", claim.run_id, error.code)
        await _fail(context, emitter, error)
    except Exception as error:
        log.exception("run %s failed", claim.run_id)
        await _fail(context, emitter, error)
    finally:
        renewing.cancel()
    return True


async def _goes_on_elsewhere(claim: Claim, emitter: Emitter) -> None:
    """What this try cost is paid; what it has not said is left to the next."""
    log.warning("run %s goes on elsewhere", claim.run_id)
    try:
        await emitter.drop()
        await in_thread(emitter.charge)
    except Exception:
        log.exception("cost of run %s not counted", claim.run_id)


async def _walk(graph: Graph, context: RunContext) -> None:
    """Go through the graph, once for each part of the message. What it remembers is written down when it has been
    through (or was broken off): a part that a killed process had begun is begun again, with the calls that were made.
    """
    claim = context.claim
    config: RunnableConfig = {"configurable": {"thread_id": thread_key(context.tenant_id, claim.thread_id)}}
    given, over = await _input(graph, config, claim)
    while not over:
        state = await graph.ainvoke(given, config, context=context, durability="exit")
        given, over = _NEXT_PART, not state.get("tasks")


async def _input(graph: Graph, config: RunnableConfig, claim: Claim) -> tuple[Any, bool]:
    """What to enter the graph with, and whether it has been through already.

    A press resumes the thread's interrupt of this moment if that waits for its card, else it enters at the confirm
    node. A run that was cut off goes on from its checkpoint, and presses again where the press had not reached it: an
    interrupt lists only cards that were open when it began. It is over when no task is left, done or not.
    """
    decided = decisions(claim.input)
    if not decided and claim.attempt == 1:
        return new_turn(claim.run_id), False
    snapshot = await graph.aget_state(config)
    begun = claim.attempt > 1 and snapshot.values.get("run_id") == claim.run_id
    wanted = {entry["id"] for entry in decided}
    for waiting in snapshot.interrupts:
        if wanted & set(waiting.value["cards"]):
            turn = None if begun else new_turn(claim.run_id, decided)
            return Command(resume={waiting.id: decided}, update=turn), False
    if begun and not snapshot.tasks and snapshot.values.get("tasks"):
        return _NEXT_PART, False
    if begun:
        return None, not snapshot.tasks or bool(snapshot.interrupts)
    return new_turn(claim.run_id, decided), False


def _finish(context: RunContext, emitter: Emitter, unwritten: Sequence[Emitted]) -> bool:
    """Close it as the walk left it; where that is not how things are any more, as they are now."""
    if context.open_cards is not None:
        status = RunStatus.INTERRUPTED if context.open_cards else RunStatus.COMPLETED
        report, cost = _report(context, status), emitter.due_micros
        with contextlib.suppress(Refused):
            return turns.end(
                context.runtime, context.claim, report, unwritten, cards=context.open_cards, cost_micros=cost
            )
    patiently(lambda: _finish_as_it_is(context, emitter, unwritten))
    return True


def _finish_as_it_is(context: RunContext, emitter: Emitter, unwritten: Sequence[Emitted]) -> None:
    """A press takes the thread's row, too: the cards are read once it is ours."""
    claim, tenant_id = context.claim, context.tenant_id
    with context.tools.unit_of_work() as session:
        runs.hold(session, tenant_id, claim.thread_id, claim.run_id, claim.attempt)
        open_cards = asking.open_cards(session, claim.identity, claim.thread_id)
        status = RunStatus.INTERRUPTED if open_cards else RunStatus.COMPLETED
        told = [*unwritten, events.run_finished(claim.thread_id, claim.run_id, open_cards)]
        runs.finish(session, tenant_id, claim, _report(context, status), told, cost_micros=emitter.due_micros)


async def _fail(context: RunContext, emitter: Emitter, error: Exception) -> None:
    """End the run in view. When the store is gone too, the lease runs out and the run is taken up again later."""
    with contextlib.suppress(Exception):
        await emitter.flush()
    if isinstance(emitter.error, LeaseLost):
        await _goes_on_elsewhere(context.claim, emitter)
        return
    await in_thread(patiently, lambda: _close_failed(context, emitter, emitter.error or error))


def _close_failed(context: RunContext, emitter: Emitter, error: Exception) -> None:
    claim, failure = context.claim, failure_of(error)
    last = events.run_error(claim.run_id, code=failure.code, message=failure.message, retryable=failure.retryable)
    with context.tools.unit_of_work() as session:
        report = _report(context, RunStatus.FAILED, error=failure.code)
        runs.finish(session, context.tenant_id, claim, report, [last], cost_micros=emitter.due_micros)


def _report(context: RunContext, status: RunStatus, *, error: str | None = None) -> Report:
    turn = context.turn
    return Report(
        status=status,
        usage=turn.meter.as_json(),
        agent_path=context.agent_path,
        tool_calls=[call.as_json() for call in turn.calls],
        active_agent=context.agent_path[-1] if context.agent_path else None,
        error=error,
    )


async def _keep(runtime: Runtime, claim: Claim, task: asyncio.Task[Any] | None) -> None:
    """Renew the lease until the run ends; stop the run when another worker has taken it."""
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        try:
            held = await in_thread(_renew, runtime, claim)
        except Exception:
            log.exception("lease of run %s not renewed", claim.run_id)
            continue
        if not held and task is not None:
            task.cancel("lease lost")
            return


def _renew(runtime: Runtime, claim: Claim) -> bool:
    tenant_id = claim.identity.tenant_id
    with runtime.unit_of_work(tenant_id) as session:
        return runs.renew(session, tenant_id, claim)
