"""Every domain's policy by its section: what a merchant may rule, shown and changed in one place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit import audit
from engine.kit.caps import HOME
from engine.kit.errors import Conflict, InvalidInput
from engine.kit.ids import echo
from engine.kit.policies import Policy, change_policy, read_policy
from engine.kit.tenancy import Tenant
from engine.kit.views import View

POLICIES: Final[Mapping[str, str]] = {
    "addresses": "engine.customers.policy:AddressesPolicy",
    "agentic": "engine.agentic.policy:AgenticPolicy",
    "alerts": "engine.sync.policy:AlertsPolicy",
    "approvals": "engine.approvals.policy:ApprovalsPolicy",
    "catalog": "engine.catalog.policy:CatalogPolicy",
    "embed": "engine.theme.policy:EmbedPolicy",
    "fulfillment": "engine.fulfillment.policies:FulfillmentPolicy",
    "inventory": "engine.inventory.policy:InventoryPolicy",
    "languages": "engine.theme.policy:LanguagesPolicy",
    "loyalty": "engine.customers.policy:LoyaltyPolicy",
    "mail": "engine.mail.policy:MailPolicy",
    "operations": "engine.operations.policy:OperationsPolicy",
    "orders": "engine.orders.policy:OrdersPolicy",
    "pipeline": "engine.workflows.policy:PipelinePolicy",
    "payments": "engine.payments.policy:PaymentsPolicy",
    "promotions": "engine.carts.policy:PromotionsPolicy",
    "reconciliation": "engine.finance.reconciliation:ReconciliationPolicy",
    "reports": "engine.reports.policy:ReportsPolicy",
    "returns": "engine.returns.policy:ReturnsPolicy",
    "risk": "engine.payments.risk:RiskPolicy",
    "routing": "engine.fulfillment.policies:RoutingPolicy",
    "support": "engine.support.policy:SupportPolicy",
    "seller": "engine.orders.seller:SellerPolicy",
    "shipping": "engine.shipping.policy:ShippingPolicy",
    "sync": "engine.sync.policy:SyncPolicy",
    "compliance": "engine.compliance.policy:CompliancePolicy",
    "tax": "engine.tax.policy:TaxPolicy",
    "theme": "engine.theme.policy:ThemePolicy",
    "warranties": "engine.warranties.policy:WarrantiesPolicy",
}
"""Section → ``module:class``, imported when it is asked for. A new policy has one line here."""


class PolicyView(View):
    """One section as it stands: every value, and which of them the shop has set itself."""

    section: str
    about: str
    values: dict[str, Any]
    changed: list[str]
    version: str
    """Another one whenever what the shop has set is another."""


class PolicyChanged(Conflict):
    """It is not any more as whoever changes it has seen it."""

    code = "policy_changed"


class PolicyShape(View):
    """What may be said in a section, and what is so when nothing is."""

    section: str
    about: str
    fields: dict[str, Any]
    """JSON Schema by value."""
    defaults: dict[str, Any]
    schemas: dict[str, Any]
    """What ``fields`` refer to."""


def policy_kind(section: str) -> type[Policy]:
    """The model of a section. Raises ``InvalidInput`` that names the sections there are."""
    place = POLICIES.get(section)
    if place is None:
        raise InvalidInput(
            f"There is no policy {echo(section, 'of that name')}; there are: {', '.join(sorted(POLICIES))}.",
            param="section",
        )
    module, _, name = place.partition(":")
    kind: type[Policy] = getattr(import_module(module), name)
    return kind


def show_policies(session: Session, tenant_id: str, section: str | None = None) -> list[PolicyView]:
    """The tenant's policies, or one of them. Raises ``InvalidInput`` for a section that does not exist."""
    tenant = session.get_one(Tenant, tenant_id)
    return [_view(tenant, policy_kind(name)) for name in ([section] if section else sorted(POLICIES))]


def shape_of(session: Session, tenant_id: str, section: str) -> PolicyShape:
    """The form of one section. Raises ``InvalidInput`` for a section that does not exist."""
    kind = policy_kind(section)
    schema = kind.model_json_schema()
    home = session.get_one(Tenant, tenant_id).currency
    return PolicyShape(
        section=section,
        about=_about(kind),
        fields=schema["properties"],
        defaults=kind.model_validate({}, context={HOME: home}).model_dump(mode="json"),
        schemas=schema.get("$defs", {}),
    )


def set_policy(
    session: Session,
    tenant_id: str,
    section: str,
    values: Mapping[str, Any],
    *,
    actor: str,
    version: str | None = None,
) -> PolicyView:
    """Change values of one section; what is not named stays. With ``version``, only if it still is the one there is.

    Raises ``InvalidInput`` that names the first value that cannot be, or the keys there are, and ``PolicyChanged``;
    nothing is changed then.
    """
    kind = policy_kind(section)
    unknown = sorted(set(values) - set(kind.model_fields))
    if unknown:
        keys = ", ".join(kind.model_fields)
        named = echo(unknown[0], "such value")
        raise InvalidInput(f"{section} has no {named}; it has: {keys}.", param=f"{section}.{named}")
    query = select(Tenant).where(Tenant.id == tenant_id).with_for_update().execution_options(populate_existing=True)
    tenant = session.scalars(query).one()
    stored = tenant.settings.get("policies", {}).get(section, {})
    if version is not None and version != _version(stored):
        raise PolicyChanged("Somebody else changed these rules meanwhile. Nothing of yours was saved.")
    before = kind.model_validate({}, context={HOME: tenant.currency}).model_dump(mode="json") | stored
    after = change_policy(tenant, kind, dict(values)).model_dump(mode="json")
    changes = {key: [before[key], after[key]] for key in after if key in values and before[key] != after[key]}
    if changes:
        audit.record(session, tenant_id, actor=actor, action="policy.changed", subject=section, facts=changes)
    return _view(tenant, kind)


def _view(tenant: Tenant, kind: type[Policy]) -> PolicyView:
    set_here = tenant.settings.get("policies", {}).get(kind.section, {})
    return PolicyView(
        section=kind.section,
        about=_about(kind),
        values=read_policy(tenant.settings, kind, home=tenant.currency).model_dump(mode="json"),
        changed=sorted(set_here),
        version=_version(set_here),
    )


def _version(stored: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(stored, sort_keys=True).encode()).hexdigest()[:16]


def _about(kind: type[Policy]) -> str:
    return " ".join((kind.__doc__ or "").split())
