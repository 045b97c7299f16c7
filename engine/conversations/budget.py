"""What a tenant's models may cost in a day. Beyond it the shop's people answer (trust rule 11).

Counted in millionths of a US dollar, as LiteLLM prices the model; the offline model costs nothing. A model without a
known price is not counted: give it one in LiteLLM's ``model_cost``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy.orm import Session

from engine.kit import limits
from engine.kit.direct import Ask, Row
from engine.kit.tenancy import Tenant

DEFAULT_MICROS_PER_DAY: Final = 50_000_000
SETTING: Final = "model_budget_micros_per_day"
_DAY: Final = timedelta(days=1)
SPENT: Final = f"""
SELECT coalesce((SELECT used >= (SELECT coalesce(CAST(settings ->> '{SETTING}' AS bigint), {DEFAULT_MICROS_PER_DAY})
    FROM app.tenants WHERE id = %(tenant)s)
  FROM app.rate_limits WHERE bucket = %(bucket)s AND window_start = %(day)s AND used > 0), false)
"""  # noqa: S608 (our own)
"""What ``is_spent`` says, beside other things; ``spent_values`` are its values."""


def spend(session: Session, tenant_id: str, micros: int) -> None:
    """Count what a run's models cost."""
    if micros > 0:
        limits.add(session, _bucket(tenant_id), micros, window=_DAY)


def spending(tenant_id: str, micros: int) -> Ask:
    """The same beside other statements."""
    return limits.adding(_bucket(tenant_id), micros, window=_DAY)


def spent_values(tenant_id: str) -> Row:
    return {"bucket": _bucket(tenant_id), "day": limits.window_start(_DAY)}


def is_spent(session: Session, tenant_id: str) -> bool:
    """Whether the tenant's models have had their day's money (UTC)."""
    used = limits.used(session, _bucket(tenant_id), window=_DAY)
    if not used:
        return False
    settings = session.get_one(Tenant, tenant_id).settings
    return used >= int(settings.get(SETTING, DEFAULT_MICROS_PER_DAY))


def _bucket(tenant_id: str) -> str:
    return f"model-cost:{tenant_id}"
