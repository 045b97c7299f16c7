"""What the shop says about itself: from its tenant row and its shipping zones."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.catalog.prices import currencies_of
from engine.catalog.schemas import ShippingRateInfo, ShippingZoneInfo, ShopInfo
from engine.kit.errors import NotFound
from engine.kit.money import format_minor
from engine.kit.tenancy import Tenant
from engine.shipping.models import ShippingZone


def shop_info(session: Session, tenant_id: str) -> ShopInfo:
    """Name, policies and shipping prices as text. Raises ``NotFound``."""
    tenant = session.get(Tenant, tenant_id)
    if tenant is None:
        raise NotFound("There is no such shop.")
    zones = session.scalars(
        select(ShippingZone).where(ShippingZone.tenant_id == tenant_id).order_by(ShippingZone.position)
    ).all()
    said = tenant.settings
    return ShopInfo(
        name=tenant.name,
        tagline=said.get("tagline", ""),
        currency=tenant.currency,
        currencies=list(currencies_of(tenant.currency, tenant.settings)),
        returns_policy=said.get("returns_policy", ""),
        support_hours=said.get("support_hours", ""),
        support_email=said.get("support_email", ""),
        shipping=[
            ShippingZoneInfo(zone=zone.name, rates=[_rate(rate, tenant.currency) for rate in zone.rates])
            for zone in zones
        ],
        ships_to=sorted({country for zone in zones for country in zone.countries}),
    )


def _rate(rate: dict[str, Any], currency: str) -> ShippingRateInfo:
    low, high, over = rate["min_days"], rate["max_days"], rate.get("free_over")
    price = format_minor(rate["price"], currency) if rate["price"] else "free"
    per_kg = rate.get("per_kg", 0)
    return ShippingRateInfo(
        title=rate["title"],
        price=f"{price} + {format_minor(per_kg, currency)} for each kg above the first" if per_kg else price,
        days=f"{low}-{high}" if low != high else str(low),
        free_over=format_minor(over, currency) if over is not None else None,
    )
