"""What a parcel posts: it earns in the order's currency and costs in the shop's own, and an entry has one currency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from engine.finance import postings
from engine.finance import service as finance
from engine.finance.models import Account
from engine.fulfillment.shares import Earned
from engine.kit.tenancy import Tenant
from engine.orders.models import Order

SHIPPED: Final = "shipment"
RETURNED: Final = "shipment_returned"
LOST: Final = "shipment_lost"
COST: Final = "shipment_cost"
COST_RETURNED: Final = "shipment_cost_returned"
"""Kinds of journal entries; their subject is the shipment. The last two are of sales in a foreign currency."""


@dataclass(frozen=True, slots=True)
class Books:
    """The journal, for one shipment of an order."""

    session: Session
    order: Order
    shipment_id: str

    @property
    def home(self) -> str:
        return self.session.get_one(Tenant, self.order.tenant_id).currency

    def _worth(self, worth: Earned, fee: int, cost: int) -> postings.Amounts:
        """What goods cost that make up for something is no cost of a sale."""
        amounts = postings.shipment(worth.goods, worth.discount, fee, cost)
        expense = self._expense
        if expense and Account.COGS in amounts:
            amounts[expense] = amounts.pop(Account.COGS)
        return amounts

    @property
    def _expense(self) -> Account | None:
        kind = (self.order.origin or {}).get("kind")
        return Account.WARRANTY_EXPENSE if kind == "warranty" else Account.REPLACEMENT_EXPENSE if kind else None

    def earn(self, worth: Earned, fee: int) -> None:
        """Units and a shipping fee are earned: one entry in the home currency, else one in each."""
        home = self.home
        if self.order.currency == home:
            self._post(SHIPPED, self._worth(worth, fee, worth.cost), home)
            return
        self._post(SHIPPED, postings.shipment(worth.goods, worth.discount, fee, 0), self.order.currency)
        self._post(COST, self._cost(worth.cost), home)

    def take_back(self, worth: Earned, fee: int) -> None:
        """What ``earn`` posted, the other way round."""
        home = self.home
        if self.order.currency == home:
            taken = self._worth(worth, fee, worth.cost)
            self._post(RETURNED, postings.mirror(taken), home)
            return
        taken = postings.shipment(worth.goods, worth.discount, fee, 0)
        self._post(RETURNED, postings.mirror(taken), self.order.currency)
        self._post(COST_RETURNED, postings.mirror(self._cost(worth.cost)), home)

    def _cost(self, cost: int) -> postings.Amounts:
        return self._worth(Earned(0, 0, 0), 0, cost)

    def write_off(self, cost: int) -> None:
        """The goods are gone."""
        self._post(LOST, postings.adjustment(-cost), self.home)

    def _post(self, kind: str, amounts: postings.Amounts, currency: str) -> None:
        finance.post(
            self.session,
            self.order.tenant_id,
            kind=kind,
            subject=self.shipment_id,
            currency=currency,
            amounts=amounts,
            order_id=self.order.id,
        )
