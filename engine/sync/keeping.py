"""The kit's housekeeping: what is over goes."""

from __future__ import annotations

from datetime import timedelta

from engine.kit.policies import policy_of
from engine.runtime import Runtime
from engine.sync import exceptions, inbox, journal, secrets
from engine.sync.policy import SyncPolicy


def forget_old(runtime: Runtime, tenant_id: str) -> None:
    """Drop calls, deliveries and exceptions past their time, and secrets that were replaced."""
    with runtime.unit_of_work(tenant_id) as session:
        policy = policy_of(session, tenant_id, SyncPolicy)
        journal.forget_old(session, tenant_id, keep=timedelta(days=policy.calls_days))
        inbox.forget_old(session, tenant_id, keep=timedelta(days=policy.deliveries_days))
        exceptions.forget_old(session, tenant_id, keep=timedelta(days=policy.exceptions_days))
        secrets.forget_ended(session, tenant_id)
