"""What a shop rules about its pipeline: one form for all workflows. A workflow's own values go before the shared ones
(``engine.workflows.pipeline``).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from engine.kit.errors import Conflict
from engine.sync.models import System

Code = Annotated[str, Field(min_length=1, max_length=120)]


class SettingsBroken(Conflict):
    """What is in force was written before a rule was tightened: nothing goes on by it."""

    code = "settings_broken"


class Billing(StrEnum):
    INVOICE = "invoice"
    CASH_SALE = "cash_sale"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Location(_Part):
    """One place by what each system calls it; empty where a system does not know it."""

    erp: str = ""
    ours: str = ""
    storefront: str = ""
    warehouse: str = ""


class Carriage(_Part):
    """What a warehouse calls a way of shipping."""

    carrier: str
    service: str = ""


GONE: Final = frozenset({"alert_after"})
"""Values of earlier versions: where one is kept it means nothing any more."""


class PipelineSettings(_Part):
    connections: dict[System, str] = {}
    """Which connection, where a shop has more than one at a system."""
    billing: Billing = Billing.INVOICE
    locations: tuple[Location, ...] = ()
    default_location: str = ""
    """The ERP's id of the place that orders leave from where nothing else is said."""
    safety_stock: Annotated[int, Field(ge=0)] = 0
    """Units that are never told to the shop."""
    safety_stock_of: dict[str, Annotated[int, Field(ge=0)]] = {}
    """By SKU, instead."""
    largest_swing_percent: Annotated[int, Field(ge=1, le=100)] = 50
    """If the stock of everything together falls by so much at once, nothing is pushed and somebody is told."""
    ship_methods: dict[str, Code] = {}
    """The shop's code of a way of shipping → the ERP's."""
    carriages: dict[str, Carriage] = {}
    """The ERP's ship method → the warehouse's carrier and service."""
    carrier_names: dict[str, Code] = {}
    """The warehouse's carrier → as the shop spells it."""
    receipt_tolerance_percent: Annotated[int, Field(ge=0, le=100)] = 0
    """How much more or less than was ordered may come without anybody being asked."""
    close_short: bool = False
    """What comes short beyond the tolerance closes its line."""
    payment_account: str = ""
    """The ERP's account on which payments are booked; empty: undeposited funds."""
    charge_items: dict[str, Code] = {}
    """What taxes, discounts and shipping are in the ERP: ``tax``, ``discount``, ``shipping`` → item."""
    erp_defaults: dict[str, Any] = {}
    """Further fields of every sales order: subsidiary, department …"""
    time_zone: str = "UTC"
    overlap_seconds: Annotated[int, Field(ge=0, le=86_400)] = 300
    """How far back a poll looks once more."""
