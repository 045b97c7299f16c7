"""How a fulfillment and a shipment may move."""

from __future__ import annotations

from typing import Final

from engine.fulfillment.models import FulfillmentStatus as F
from engine.kit.state_machine import StateMachine
from engine.orders.models import ShipmentStatus as S

FULFILLMENT: Final = StateMachine(
    "fulfillment",
    {
        F.RELEASED: frozenset(
            {F.ACCEPTED, F.CANCEL_REQUESTED, F.PARTIALLY_SHIPPED, F.SHIPPED, F.EXCEPTION, F.CANCELED}
        ),
        F.ACCEPTED: frozenset({F.CANCEL_REQUESTED, F.PARTIALLY_SHIPPED, F.SHIPPED, F.EXCEPTION, F.CANCELED}),
        F.CANCEL_REQUESTED: frozenset({F.RELEASED, F.ACCEPTED, F.PARTIALLY_SHIPPED, F.SHIPPED, F.CANCELED}),
        F.PARTIALLY_SHIPPED: frozenset(
            {F.RELEASED, F.ACCEPTED, F.CANCEL_REQUESTED, F.SHIPPED, F.EXCEPTION, F.CANCELED}
        ),
        F.SHIPPED: frozenset({F.CANCELED}),
        F.EXCEPTION: frozenset({F.ACCEPTED, F.CANCEL_REQUESTED, F.PARTIALLY_SHIPPED, F.SHIPPED, F.CANCELED}),
        F.CANCELED: frozenset(),
    },
)
_UNDER_WAY: Final = frozenset(
    {S.SHIPPED, S.IN_TRANSIT, S.OUT_FOR_DELIVERY, S.DELIVERED, S.EXCEPTION, S.LOST, S.RETURNED}
)
SHIPMENT: Final = StateMachine(
    "shipment",
    {
        S.LABEL_CREATED: _UNDER_WAY,
        S.SHIPPED: _UNDER_WAY - {S.SHIPPED},
        S.IN_TRANSIT: _UNDER_WAY - {S.IN_TRANSIT},
        S.OUT_FOR_DELIVERY: _UNDER_WAY - {S.OUT_FOR_DELIVERY},
        S.EXCEPTION: _UNDER_WAY - {S.EXCEPTION},
        S.LOST: _UNDER_WAY - {S.LOST},  # parcels are found again
        S.DELIVERED: frozenset(),
        S.RETURNED: frozenset(),
    },
)
FINAL: Final = frozenset({S.DELIVERED, S.RETURNED})
