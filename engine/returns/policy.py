"""A merchant's rules for goods that come back: what, until when, in which state, at whose cost."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.kit.caps import Caps
from engine.kit.policies import Policy
from engine.kit.refusals import worded
from engine.orders.policy import RefundTo
from engine.returns.models import Condition

Days = Annotated[int, Field(ge=0, le=3_650)]
Percent = Annotated[int, Field(ge=0, le=100)]
RefundAt = Literal["received", "inspected", "in_transit"]
_PPM: Final = 10_000


class ReturnReason(BaseModel):
    """One entry of the closed list of reasons to send something back."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    code: Annotated[str, Field(pattern=r"[a-z][a-z0-9_]{0,59}"), worded("small letters, digits and _, a letter first")]
    text: Annotated[str, Field(min_length=1, max_length=120)]
    shop_fault: bool = False
    """The shop made the mistake: no fee, a free label, the shipping back, and no final sale."""


class ReturnsPolicy(Policy):
    """Windows count from the day a unit arrived; amounts are by currency; a bare number is
    of the shop's own currency.
    """

    section: ClassVar[str] = "returns"

    enabled: bool = True
    window_days: Days | None = 30
    """``None``: as long as one likes."""
    window_by_category: dict[str, Days | None] = Field(default_factory=dict)
    fault_window_days: Days | None = 60
    """For reasons that are the shop's fault, where it is longer."""
    final_sale_categories: tuple[str, ...] = ()
    final_sale_skus: tuple[str, ...] = ()
    final_sale_discount_percent: Percent | None = None
    """What was sold at least so much cheaper is not taken back."""
    reasons: Annotated[tuple[ReturnReason, ...], Field(min_length=1, max_length=50)] = (
        ReturnReason(code="does_not_fit", text="Does not fit"),
        ReturnReason(code="changed_mind", text="Changed my mind"),
        ReturnReason(code="found_cheaper", text="Found cheaper elsewhere"),
        ReturnReason(code="arrived_late", text="Arrived too late", shop_fault=True),
        ReturnReason(code="damaged", text="Damaged or defective", shop_fault=True),
        ReturnReason(code="wrong_item", text="Not what I ordered", shop_fault=True),
        ReturnReason(code="other", text="Another reason"),
    )
    conditions: tuple[Condition, ...] = (Condition.UNOPENED, Condition.OPENED)
    """In which state goods are taken back; in any, when the fault is the shop's."""
    restocking_fee_percent: Percent = 0
    """Of the price without tax; never for a fault of the shop."""
    restocking_fee_by_category: dict[str, Percent] = Field(default_factory=dict)
    opened_fee_percent: Percent | None = None
    """Instead, for what is not unopened."""
    exchange_restocking: Literal["never", "difference", "always"] = "difference"
    """For what share of the fee an exchange is asked: for what the new goods are worth less than the old, so that an
    exchange for something cheap is no way around it.
    """
    label_paid_by: Literal["shop", "customer"] = "shop"
    label_fee: Caps = None
    """What a label costs a customer who pays for it; nothing in a currency that is not listed."""
    free_exchange_label: bool = True
    keep_below: Caps = None
    """Goods worth no more than this, all that is kept of an order together, need not come back: the money goes back
    at once. In a currency that is not listed everything comes back.
    """
    keep_only_for_fault: bool = True
    refund_at: RefundAt = "received"
    refund_shipping: Literal["never", "full_return", "share"] = "never"
    """What the shopper paid for shipping; a fault of the shop gives back its share in any case."""
    refund_to: Annotated[tuple[RefundTo, ...], Field(min_length=1)] = ("original", "store_credit", "account")
    exchanges: bool = True
    exchange_refund_to: Annotated[tuple[RefundTo, ...], Field(min_length=1)] | None = None
    """Where the difference goes that an exchange gives back; ``None``: where money of returns may go."""
    exchange_charge_at: Literal["approved", "received"] = "approved"
    """When goods in exchange that cost more are paid for: at the yes to it, or once the old goods have come as far as
    ``refund_at``. A gift card or credit must be enough for it at the yes.
    """
    auto_approve: bool = True
    review_above: Caps = None
    """Worth more than this, with what of the order came back unseen before, somebody of the shop looks at it first; in
    a currency that is not listed always.
    """
    review_reasons: tuple[str, ...] = ()
    review_days: Annotated[int, Field(ge=1, le=30)] = 5
    send_within_days: Annotated[int, Field(ge=1, le=365)] = 14
    returns_per_order: Annotated[int, Field(ge=1)] | None = None
    evidence_files: Annotated[int, Field(ge=0, le=50)] = 10
    """How many pictures a return may hold."""
    return_to: str | None = None
    """Code of the location that takes goods back; without one the first that ships."""
    quarantine_location: str | None = None
    """Code of the location where goods lie that cannot be sold now; without one they are in no stock."""

    def refunds_to(self, *, exchange: bool) -> tuple[RefundTo, ...]:
        """Where money may go: of goods that come back, or the difference of an exchange."""
        return self.exchange_refund_to if exchange and self.exchange_refund_to is not None else self.refund_to

    def reason(self, code: str) -> ReturnReason | None:
        """The reason of that code; ``None`` for one that is not on the list."""
        return next((reason for reason in self.reasons if reason.code == code), None)

    def window(self, category: str, *, shop_fault: bool) -> int | None:
        """Days after it arrived; ``None`` without end."""
        days = self.window_by_category.get(category, self.window_days)
        if not shop_fault or days is None:
            return days
        return None if self.fault_window_days is None else max(days, self.fault_window_days)

    def restocking_ppm(self, category: str, condition: Condition) -> int:
        """The restocking fee in millionths of the price."""
        if condition != Condition.UNOPENED and self.opened_fee_percent is not None:
            return self.opened_fee_percent * _PPM
        return self.restocking_fee_by_category.get(category, self.restocking_fee_percent) * _PPM
