"""The standing invariants, proven from the rows: what ``icommerce check`` prints.

Each check is one query per tenant that counts what it looked at and returns the rows that break the rule. A file
holds the rules of one domain.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from engine.checks import (
    agentic,
    approvals,
    books,
    catalog,
    checkout,
    customers,
    delegation,
    digital,
    fulfillment,
    gateways,
    invoices,
    mail,
    money,
    orders,
    privacy,
    promotions,
    returns,
    staff,
    stock,
    support,
    sync,
    tax,
    warranties,
    workflows,
)
from engine.checks.rule import CheckResult, broken, prove, verdict
from engine.kit import audit
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime

__all__ = ["RULES", "CheckResult", "broken_rules", "check_tenant", "run_checks"]

RULES: Final = (
    *books.RULES,
    *stock.RULES,
    *money.RULES,
    *orders.RULES,
    *checkout.RULES,
    *delegation.RULES,
    *fulfillment.RULES,
    *digital.RULES,
    *customers.RULES,
    *approvals.RULES,
    *support.RULES,
    *mail.RULES,
    *invoices.RULES,
    *privacy.RULES,
    *promotions.RULES,
    *catalog.RULES,
    *returns.RULES,
    *tax.RULES,
    *warranties.RULES,
    *agentic.RULES,
    *staff.RULES,
    *sync.RULES,
    *workflows.RULES,
)


def run_checks(runtime: Runtime) -> list[CheckResult]:
    """Prove every invariant for every tenant, suspended ones too, in one read-only snapshot each."""
    with runtime.store.without_tenant() as session:
        tenants = session.execute(select(Tenant.id, Tenant.slug).order_by(Tenant.number)).all()
    return [result for tenant_id, slug in tenants for result in check_tenant(runtime, tenant_id, slug)]


def check_tenant(runtime: Runtime, tenant_id: str, slug: str) -> list[CheckResult]:
    """Every invariant of one tenant."""
    with runtime.store.unit_of_work(tenant_id, snapshot=True) as session:
        session.execute(text("SET TRANSACTION READ ONLY"))
        results = [prove(session, slug, rule) for rule in RULES]
        results.append(_audit(session, tenant_id, slug))
    return [*results, gateways.compare(runtime, tenant_id, slug)]


def broken_rules(runtime: Runtime, tenant_id: str, slug: str) -> list[CheckResult]:
    """What of one tenant's invariants does not hold now, in a few trips: the same as ``check_tenant`` finds, fast for a
    small shop.
    """
    with runtime.store.unit_of_work(tenant_id) as session:
        rest = [_audit(session, tenant_id, slug)]
    rest.append(gateways.compare(runtime, tenant_id, slug))
    return [*broken(runtime.store, tenant_id, slug, RULES), *(one for one in rest if not one.ok)]


def _audit(session: Session, tenant_id: str, slug: str) -> CheckResult:
    seen = audit.verify(session, tenant_id)
    return verdict("the audit chain is whole", slug, seen.rows, [seen.problem] if seen.problem else [])
