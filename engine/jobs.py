"""The engine's housekeeping, tenant by tenant: each job binds its tenant, one failure stops no other.

A round looks first which shops have anything to do, then in those which jobs have, and one process at a time keeps a
tenant's house.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

import structlog
from sqlalchemy.orm import Session

from engine import due
from engine.agentic import carts as agent_carts
from engine.agentic import placed, webhooks
from engine.agentic import requests as agent_requests
from engine.approvals import service as approvals
from engine.approvals import watch as approvals_watch
from engine.backup.hold import reconcile_restore
from engine.carts import discounts
from engine.checkout import recovery
from engine.conversations import deliver
from engine.customers import codes, hearing, loyalty, wallet
from engine.digital.delivering import deliver_due
from engine.finance import settlements
from engine.fulfillment.release import release_due
from engine.fulfillment.tracking import find_lost, poll_carriers
from engine.inventory import adjusting, watching
from engine.kit import audit, clock, holds, idempotency, limits, outbox
from engine.lookout import Lookout
from engine.mail import consumer, sending
from engine.orders.allocation import fill_backorders
from engine.orders.changes.expiry import expire_changes
from engine.orders.documents.invoices import correct_invoiced
from engine.orders.tax_filing import file_taxes
from engine.payments import captures, gateway_events, refunds, stored_value, voids
from engine.privacy import erasing
from engine.returns import collecting, deciding, parcel
from engine.runtime import Runtime
from engine.staff import codes as staff_codes
from engine.staff import sessions as staff_sessions
from engine.support import glances
from engine.support import watch as support
from engine.sync import alerts as sync_alerts
from engine.sync import keeping as sync
from engine.sync import posting, telling
from engine.warranties import parcels, registering, resolving
from engine.warranties import watch as claims
from engine.workflows import hearing as pipeline

log = structlog.get_logger(__name__)


def seal_audit(runtime: Runtime, tenant_id: str) -> None:
    """Chain what was written since the last time."""
    with runtime.unit_of_work(tenant_id) as session:
        audit.seal(session, tenant_id)


def forget_answers(runtime: Runtime, tenant_id: str) -> None:
    """Drop idempotency answers past their time."""
    with runtime.unit_of_work(tenant_id) as session:
        idempotency.forget_old(session, tenant_id)


def tell_conversations(runtime: Runtime, tenant_id: str) -> None:
    """Bring what happened to a payment or its card into its conversation; what fails waits and comes again."""
    with runtime.unit_of_work(tenant_id) as session:
        rows = outbox.claim_batch(session, tenant_id, deliver.CONSUMER)
        outbox.deliver(session, rows, lambda row: deliver.deliver(session, runtime, row), "message not delivered")


def tell_customers(runtime: Runtime, tenant_id: str) -> None:
    """What an order's life means to its customer: whose it is, and its points."""
    with runtime.unit_of_work(tenant_id) as session:
        rows = outbox.claim_batch(session, tenant_id, hearing.CONSUMER)
        outbox.deliver(
            session,
            rows,
            lambda row: hearing.hear(session, row),
            "customer not told",
            together=lambda some: hearing.hear_all(session, some),
        )


def tell_agentic(runtime: Runtime, tenant_id: str) -> None:
    """An order that an agent bought keeps what was said with it."""
    placed.tell(runtime, tenant_id)


def free_promotions(runtime: Runtime, tenant_id: str) -> None:
    """An order that was canceled gives its uses of promotions back."""
    _tell(runtime, tenant_id, discounts.CONSUMER, discounts.hear, "use not given back")


def begin_runs(runtime: Runtime, tenant_id: str) -> None:
    """What happens to an order begins runs of the shop's pipeline."""
    _tell(runtime, tenant_id, pipeline.CONSUMER, pipeline.hear, "run not begun")


def _tell(
    runtime: Runtime, tenant_id: str, name: str, hear: Callable[[Session, outbox.OutboxRow], None], failed: str
) -> None:
    """Deliver what waits for a consumer; what fails waits and comes again."""
    with runtime.unit_of_work(tenant_id) as session:
        rows = outbox.claim_batch(session, tenant_id, name)
        outbox.deliver(session, rows, lambda row: hear(session, row), failed)


def forget_codes(runtime: Runtime, tenant_id: str) -> None:
    """Drop e-mail codes that ran out a day ago."""
    with runtime.unit_of_work(tenant_id) as session:
        codes.forget_old(session, tenant_id)
        staff_codes.forget_old(session, tenant_id)


def forget_carts(runtime: Runtime, tenant_id: str) -> None:
    """Drop carts of agent platforms that ended long ago."""
    with runtime.unit_of_work(tenant_id) as session:
        agent_carts.forget_old(session, tenant_id)


def forget_requests(runtime: Runtime, tenant_id: str) -> None:
    """Drop the record of what agents asked a month ago."""
    with runtime.unit_of_work(tenant_id) as session:
        agent_requests.forget_old(session, tenant_id)


def apply_gateway_events(runtime: Runtime, tenant_id: str) -> None:
    """Apply what gateways told and could not be applied before."""
    gateway_events.retry_waiting(runtime, tenant_id, on_charge=recovery.on_gateway_event)


def free_expired_holds(runtime: Runtime, tenant_id: str) -> None:
    """Stock put aside by hand comes free when its time is over."""
    with runtime.unit_of_work(tenant_id) as session:
        adjusting.expire_reservations(session, tenant_id)


def watch_stock(runtime: Runtime, tenant_id: str) -> None:
    """Low-stock alerts come and go."""
    with runtime.unit_of_work(tenant_id) as session:
        watching.watch_stock(session, tenant_id)


def watch_approvals(runtime: Runtime, tenant_id: str) -> None:
    """What nobody decides is told in time, and runs out."""
    with runtime.unit_of_work(tenant_id) as session:
        approvals_watch.end_old(session, tenant_id)
        approvals_watch.warn(session, tenant_id)


def poll_parcels(runtime: Runtime, tenant_id: str) -> int:
    """Ask the carrier for every parcel that comes to the shop or goes back from a repair; how many it was asked for."""
    return parcel.poll(runtime, tenant_id) + parcels.poll(runtime, tenant_id)


def tell_late_cases(runtime: Runtime, tenant_id: str) -> None:
    """Who waits too long for an answer is an alert."""
    with runtime.unit_of_work(tenant_id) as session:
        support.tell_late(session, tenant_id)


def close_old_cases(runtime: Runtime, tenant_id: str) -> None:
    """What was resolved long ago is closed."""
    with runtime.unit_of_work(tenant_id) as session:
        support.close_old(session, tenant_id)


def watch_systems(runtime: Runtime, tenant_id: str) -> None:
    """Trouble with the shop's other systems becomes an alert, and stops being one."""
    with runtime.unit_of_work(tenant_id) as session:
        sync_alerts.watch(session, tenant_id)


def end_glances(runtime: Runtime, tenant_id: str) -> None:
    """Who of the shop's people left a case without a word is gone."""
    with runtime.unit_of_work(tenant_id) as session:
        glances.end_old(session, tenant_id)


Job = Callable[[Runtime, str], object]
EVERY_SECOND: Final[tuple[Job, ...]] = (
    recovery.recover_payments,
    approvals.finish_claimed,
    captures.finish_pending,
    refunds.finish_pending,
    voids.finish_requested,
    voids.expire_authorizations,
    apply_gateway_events,
    reconcile_restore,
    recovery.expire,
    expire_changes,
    deciding.expire_returns,
    collecting.collect_due,
    fill_backorders,
    deliver_due,
    tell_conversations,
    tell_customers,
    tell_agentic,
    free_promotions,
    begin_runs,
    registering.hear_orders,
    resolving.finish_approved,
    consumer.write_letters,
    webhooks.tell_platforms,
    seal_audit,
    free_expired_holds,
    end_glances,
    telling.tell,
    posting.send_posts,
    sending.send_mail,
)
EVERY_MINUTE: Final[tuple[Job, ...]] = (
    watch_stock,
    release_due,
    poll_carriers,
    wallet.keep_wanted,
    wallet.forget_removed,
    tell_late_cases,
    watch_approvals,
    claims.watch_claims,
    sending.erase_codes,
    correct_invoiced,
    file_taxes,
    watch_systems,
)
EVERY_HOUR: Final[tuple[Job, ...]] = (
    forget_answers,
    settlements.import_payouts,
    stored_value.expire,
    loyalty.expire,
    forget_codes,
    forget_carts,
    forget_requests,
    erasing.erase_deferred,
    find_lost,
    poll_parcels,
    deciding.retry_blocked,
    resolving.retry_blocked,
    close_old_cases,
    sync.forget_old,
)
DUE: Final[Mapping[Job, tuple[str, ...]]] = {
    recovery.recover_payments: (due.PAYMENTS_UNFINISHED,),
    captures.finish_pending: (due.CAPTURES_PENDING,),
    refunds.finish_pending: (due.REFUNDS_PENDING,),
    voids.finish_requested: (due.VOIDS_REQUESTED,),
    voids.expire_authorizations: (due.AUTHORIZATIONS_OVER,),
    apply_gateway_events: (due.GATEWAY_EVENTS,),
    reconcile_restore: (due.RESTORED,),
    recovery.expire: (due.CARDS_OVER, due.CHECKOUTS_OVER),
    expire_changes: (due.CHANGES_OVER,),
    deciding.expire_returns: (due.RETURNS_OVER,),
    collecting.collect_due: (due.RETURNS_TO_CHARGE,),
    fill_backorders: (due.BACKORDERS,),
    deliver_due: (due.DIGITAL,),
    approvals.finish_claimed: (due.APPROVALS,),
    consumer.write_letters: (due.LETTERS,),
    sending.send_mail: (due.MAIL,),
    tell_conversations: (due.CONVERSATIONS,),
    tell_customers: (due.CUSTOMERS,),
    tell_agentic: (due.AGENTIC,),
    free_promotions: (due.PROMOTIONS,),
    begin_runs: (due.PIPELINE,),
    webhooks.tell_platforms: (due.PLATFORMS,),
    registering.hear_orders: (due.WARRANTIES,),
    resolving.finish_approved: (due.CLAIMS_DECIDED,),
    seal_audit: (due.UNSEALED,),
    free_expired_holds: (due.HOLDS_OVER,),
    end_glances: (due.GLANCES_OVER,),
    telling.tell: (due.ALERTS, due.ALERTS_OVER, due.DIGEST),
    posting.send_posts: (due.POSTS,),
}
"""What says that a job of every second has something to do."""
HOUSE: Final = "house"
SECOND, MINUTE, HOUR = "jobs of every second", "jobs of every minute", "jobs of every hour"
"""What a process is alone at: one lock each, or the rare ones would miss their turn beside the others."""
_LOOK: Final = due.look(DUE.values())
OUTWARD: Final[frozenset[Job]] = frozenset(
    {release_due, deliver_due, sending.send_mail, file_taxes, posting.send_posts}
)
"""Jobs that tell or ask a partner for something new (a label, a release, a webhook). After a restore they
wait until the tenant's books are reconciled; recovery, which only brings to an end what was begun, does not.
"""


def _watching(runtime: Runtime) -> Lookout:
    lookout = Lookout(runtime.store)
    watch(lookout)
    return lookout


def watch(lookout: Lookout) -> None:
    """Have it look for what the jobs of every second wait for."""
    lookout.watch({HOUSE: tuple(one for any_of in DUE.values() for one in any_of)})


def run_once(runtime: Runtime, lookout: Lookout | None = None, *, minutely: bool = False, hourly: bool = False) -> None:
    """One round of housekeeping, in suspended shops too: a payment under way must come to its end. A shop in which
    nothing waits has its turn with the jobs of every minute and hour alone. Without a ``lookout`` that watches it looks
    around itself. Never raises: what failed is logged and tried again next time.
    """
    if minutely or hourly:
        shops = runtime.store.tenant_ids(suspended=True)
    else:
        shops = (lookout or _watching(runtime)).due(HOUSE, suspended=True)
    for tenant_id in shops:
        keep_house(runtime, tenant_id, minutely=minutely, hourly=hourly)
    if hourly:
        with runtime.store.without_tenant() as session:
            limits.forget_old(session)
            staff_sessions.forget_old(session)


def keep_house(runtime: Runtime, tenant_id: str, *, minutely: bool = False, hourly: bool = False) -> None:
    """One tenant's round. Never raises. What another process is at is left to it."""
    try:
        if first := due_now(runtime, tenant_id):
            with runtime.store.alone(tenant_id, SECOND) as mine:
                if mine:
                    _run_due(runtime, tenant_id, first)
        for wanted, task, jobs in ((minutely, MINUTE, EVERY_MINUTE), (hourly, HOUR, EVERY_HOUR)):
            if wanted:
                with runtime.store.alone(tenant_id, task) as mine:
                    if mine:
                        _run(runtime, tenant_id, jobs)
    except Exception:
        log.exception("house not kept", tenant=tenant_id)


def due_now(runtime: Runtime, tenant_id: str, *, but: Collection[Job] = ()) -> list[Job]:
    """Which of the jobs of every second have something to do, in their order; one round trip."""
    ((found,),) = runtime.store.ask(tenant_id, (_LOOK, {"tenant": tenant_id, "now": clock.now()}))
    idle = {job for place, job in enumerate(DUE) if not found[f"due_{place}"]}
    return [job for job in EVERY_SECOND if job not in idle and job not in but]


def _held(runtime: Runtime, tenant_id: str) -> bool:
    with runtime.unit_of_work(tenant_id) as session:
        return holds.held(session, tenant_id)


def _run_due(runtime: Runtime, tenant_id: str, jobs: Collection[Job]) -> None:
    """These, and what they leave for each other to do; each once in a round."""
    ran: set[Job] = set()
    while jobs:
        _run(runtime, tenant_id, jobs)
        ran.update(jobs)
        jobs = due_now(runtime, tenant_id, but=ran)


def _run(runtime: Runtime, tenant_id: str, jobs: Collection[Job]) -> None:
    for job in jobs:
        try:
            if job not in OUTWARD or not _held(runtime, tenant_id):
                job(runtime, tenant_id)
        except Exception:
            log.exception("job failed", job=job.__name__, tenant=tenant_id)
