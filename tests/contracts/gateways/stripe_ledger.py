"""What stands behind the double of Stripe's API: one account's objects and the rules they follow.

Shapes and rules are those of the public API reference, as far as our gateway touches them.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from engine.kit import clock

DECLINES = {
    "pm_card_visa_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "pm_card_chargeDeclinedExpiredCard": ("expired_card", None),
    "pm_card_chargeDeclinedIncorrectCvc": ("incorrect_cvc", None),
}
FEE_FIXED, FEE_PER_MILLE, DISPUTE_FEE = 30, 29, 1500
HOLD_DAYS = 7
NOBODY = {"address": None, "email": None, "name": None, "phone": None, "tax_id": None}


class ApiError(Exception):
    """An answer that is no success: status and the ``error`` object."""

    def __init__(self, status: int, **error: Any) -> None:
        super().__init__(error.get("message"))
        self.status = status
        self.error = error


def invalid(message: str, *, code: str | None = None, param: str | None = None, status: int = 400) -> ApiError:
    known = {"type": "invalid_request_error", "message": message}
    return ApiError(status, **known, **({"code": code} if code else {}), **({"param": param} if param else {}))


def missing(what: str, name: str) -> ApiError:
    return invalid(f"No such {what}: '{name}'", code="resource_missing", param="id", status=404)


def now() -> int:
    return int(clock.now().timestamp())


def fresh(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"


def shown(thing: dict[str, Any]) -> dict[str, Any]:
    """A thing without our own marks on it."""
    return {key: value for key, value in thing.items() if not key.startswith("_")}


class Ledger:
    """One account at the double."""

    def __init__(self) -> None:
        self.intents: dict[str, dict[str, Any]] = {}
        self.charges: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.disputes: dict[str, dict[str, Any]] = {}
        self.methods: dict[str, dict[str, Any]] = {}
        self.customers: dict[str, dict[str, Any]] = {}
        self.used: set[str] = set()
        """Methods that paid for nobody, or were detached: they are never attached again."""
        self.transactions: list[dict[str, Any]] = []
        self.payouts: dict[str, dict[str, Any]] = {}
        self.behaviors: dict[str, str] = {}
        self.proven: set[str] = set()
        self.multicapture = False
        self.events: list[dict[str, Any]] = []

    # what a test does at the vendor's side

    def add_card(
        self, behavior: str = "pm_card_visa", *, customer: str | None = None, wallet: str | None = None
    ) -> str:
        method_id = fresh("pm")
        self.behaviors[method_id] = behavior
        self.methods[method_id] = {
            "id": method_id, "object": "payment_method", "type": "card", "customer": customer, "created": now(),
            "livemode": False, "metadata": {}, "allow_redisplay": "unspecified", "billing_details": {**NOBODY},
            "card": {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2040, "funding": "credit",
                     "regulated_status": "unregulated",
                     "wallet": {"type": wallet, "dynamic_last4": "9900", wallet: {}} if wallet else None},
        }  # fmt: skip
        return method_id

    def pass_challenge(self, intent_id: str) -> None:
        """The card's holder said yes at the bank."""
        intent = self.intents[intent_id]
        self.proven.add(intent_id)
        intent |= {"status": "requires_confirmation", "next_action": None}

    def settle_refund(self, refund_id: str, status: str) -> None:
        """A refund that was pending comes to its end, or one that was made comes back."""
        refund = self.refunds[refund_id]
        if status == "failed":
            refund["failure_reason"] = "expired_or_canceled_card"
            self.charges[refund["charge"]]["amount_refunded"] -= refund["amount"]
            self._book(refund["amount"], 0, "refund_failure", "refund_failure", refund)
        refund["status"] = status
        self.tell("refund.failed" if status == "failed" else "refund.updated", refund)

    def open_dispute(self, intent_id: str, amount: int | None = None, *, status: str = "needs_response") -> str:
        charge = self.charges[self.intents[intent_id]["latest_charge"]]
        dispute_id = fresh("dp")
        due = int((clock.now() + timedelta(days=7)).timestamp())
        dispute = {
            "id": dispute_id, "object": "dispute", "amount": amount or charge["amount_captured"],
            "currency": charge["currency"], "charge": charge["id"], "payment_intent": intent_id,
            "reason": "fraudulent", "status": status, "created": now(), "metadata": {},
            "evidence": {"enhanced_evidence": {}},
            "is_charge_refundable": False, "livemode": False, "balance_transactions": [],
            "enhanced_eligibility_types": [],
            "evidence_details": {"due_by": due, "has_evidence": False, "past_due": False, "submission_count": 0,
                                 "enhanced_eligibility": {}, "submission_method": "manual"},
        }  # fmt: skip
        self.disputes[dispute_id] = dispute
        charge["disputed"] = True
        if not status.startswith("warning_"):
            taken = self._book(-dispute["amount"], DISPUTE_FEE, "adjustment", "dispute", dispute)
            dispute["balance_transactions"] = [shown(taken)]
        self.tell("charge.dispute.created", dispute)
        return dispute_id

    def close_dispute(self, dispute_id: str, *, won: bool) -> None:
        dispute = self.disputes[dispute_id]
        dispute["status"] = "won" if won else "lost"
        if won:
            back = self._book(dispute["amount"], 0, "adjustment", "dispute_reversal", dispute)
            dispute["balance_transactions"] = [*dispute["balance_transactions"], shown(back)]
        self.tell("charge.dispute.closed", dispute)

    def pay_out(self) -> str:
        """Send what is on the balance to the bank."""
        payout_id = fresh("po")
        rows = [row for row in self.transactions if row["_payout"] is None]
        payout = {
            "id": payout_id, "object": "payout", "amount": sum(row["net"] for row in rows), "currency": "usd",
            "arrival_date": now(), "created": now(), "status": "paid", "automatic": True, "method": "standard",
            "type": "bank_account", "livemode": False, "metadata": {}, "source_type": "card",
            "reconciliation_status": "completed",
        }  # fmt: skip
        for row in rows:
            row["_payout"] = payout_id
        self.payouts[payout_id] = payout
        paid = self._book(-payout["amount"], 0, "payout", "payout", payout)
        paid["_payout"] = payout_id
        self.tell("payout.paid", payout)
        return payout_id

    def tell(self, kind: str, thing: dict[str, Any]) -> None:
        """An event, as it will be delivered; what it shows is how the thing is now."""
        self.events.append(
            {
                "id": fresh("evt"), "object": "event", "api_version": "2026-10-28.endive", "created": now(),
                "type": kind, "livemode": False, "pending_webhooks": 1, "request": {"id": None},
                "data": {"object": shown(thing)},
            }
        )  # fmt: skip

    # customers and their methods

    def create_customer(self, params: dict[str, Any]) -> dict[str, Any]:
        customer = {
            "id": fresh("cus"), "object": "customer", "created": now(), "livemode": False, "email": None,
            "name": None, "metadata": dict(params.get("metadata") or {}),
        }  # fmt: skip
        self.customers[customer["id"]] = customer
        return customer

    def attach(self, method_id: str, customer: str) -> dict[str, Any]:
        if method_id not in self.methods:
            raise missing("payment_method", method_id)
        if customer not in self.customers:
            raise missing("customer", customer)
        if method_id in self.used:
            raise invalid(
                "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment,"
                " shared with a connected account without Customer attachment, or was detached from a Customer."
                " It may not be used again."
            )
        if self.methods[method_id]["customer"] not in {None, customer}:
            raise invalid("The payment method you provided has already been attached to a customer.")
        self.methods[method_id]["customer"] = customer
        return self.methods[method_id]

    def detach(self, method_id: str) -> dict[str, Any]:
        if method_id not in self.methods:
            raise missing("payment_method", method_id)
        if self.methods[method_id]["customer"] is None:
            raise invalid("The payment method you provided is not attached to a customer so detachment is impossible.")
        self.methods[method_id]["customer"] = None
        self.used.add(method_id)
        return self.methods[method_id]

    # payment intents

    def create_intent(self, params: dict[str, Any]) -> dict[str, Any]:
        amount = int(params.get("amount") or 0)
        if amount < 50 and params.get("currency") == "usd":
            message = "Amount must be at least $0.50 usd"
            raise invalid(message, code="amount_too_small", param="amount")
        method = params.get("payment_method")
        if method is not None and method not in self.methods:
            raise invalid(f"No such PaymentMethod: '{method}'", code="resource_missing", param="payment_method")
        intent_id = fresh("pi")
        card = (params.get("payment_method_options") or {}).get("card") or {}
        if card.get("request_multicapture") and not self.multicapture:
            raise invalid("This account cannot request multicapture.", param="payment_method_options[card]")
        intent = {
            "id": intent_id, "object": "payment_intent", "amount": amount, "amount_capturable": 0,
            "amount_received": 0, "currency": params["currency"], "customer": params.get("customer"),
            "payment_method": method, "status": "requires_confirmation" if method else "requires_payment_method",
            "capture_method": params.get("capture_method", "automatic"), "created": now(), "livemode": False,
            "confirmation_method": params.get("confirmation_method", "automatic"), "latest_charge": None,
            "metadata": dict(params.get("metadata") or {}), "next_action": None, "last_payment_error": None,
            "canceled_at": None, "cancellation_reason": None, "client_secret": f"{intent_id}_secret_x",
            "setup_future_usage": params.get("setup_future_usage"),
            "payment_method_types": ["card"], "_many": bool(card.get("request_multicapture")),
        }  # fmt: skip
        self.intents[intent_id] = intent
        self.tell("payment_intent.created", intent)
        return intent

    def find_intent(self, intent_id: str) -> dict[str, Any]:
        if intent_id not in self.intents:
            raise missing("payment_intent", intent_id)
        intent = self.intents[intent_id]
        self._lapse(intent)
        return intent

    def update_intent(self, intent_id: str, params: dict[str, Any]) -> dict[str, Any]:
        intent = self.find_intent(intent_id)
        self._mark(intent, params)
        return intent

    def confirm_intent(self, intent_id: str, params: dict[str, Any]) -> dict[str, Any]:
        intent = self.find_intent(intent_id)
        if intent["status"] not in {"requires_confirmation", "requires_payment_method"}:
            raise self._unexpected(intent)
        behavior = self.behaviors.get(intent["payment_method"], "pm_card_visa")
        if behavior in DECLINES:
            raise self._decline(intent, *DECLINES[behavior])
        if behavior == "pm_card_threeDSecure2Required" and intent_id not in self.proven:
            return self._ask_holder(intent, params)
        self._authorize(intent)
        method = self.methods.get(intent["payment_method"])
        if method and intent["setup_future_usage"] and intent["customer"]:
            method["customer"] = intent["customer"]
        elif method and method["customer"] is None:
            self.used.add(method["id"])
        if intent["capture_method"] == "automatic":
            self._take(intent, intent["amount"], last=True)
        return intent

    def capture_intent(self, intent_id: str, params: dict[str, Any]) -> dict[str, Any]:
        intent = self.find_intent(intent_id)
        if intent["status"] != "requires_capture":
            raise self._unexpected(intent)
        amount = int(params.get("amount_to_capture") or intent["amount_capturable"])
        if amount > intent["amount_capturable"]:
            raise invalid("The amount is too large.", code="amount_too_large", param="amount_to_capture")
        if "final_capture" in params and not intent["_many"]:
            raise invalid("Multicapture is not available.", param="final_capture")
        self._mark(intent, params)
        last = params.get("final_capture") != "false" if intent["_many"] else True
        self._take(intent, amount, last=last)
        return intent

    def cancel_intent(self, intent_id: str, reason: str | None = None) -> dict[str, Any]:
        intent = self.find_intent(intent_id)
        if intent["status"] in {"succeeded", "canceled"}:
            raise self._unexpected(intent)
        if intent["latest_charge"] and intent["status"] == "requires_capture":
            self.charges[intent["latest_charge"]]["refunded"] = not intent["amount_received"]
        intent |= {
            "status": "canceled", "amount_capturable": 0, "canceled_at": now(), "cancellation_reason": reason,
            "next_action": None,
        }  # fmt: skip
        self.tell("payment_intent.canceled", intent)
        return intent

    # refunds, disputes, lists

    def create_refund(self, params: dict[str, Any]) -> dict[str, Any]:
        intent = self.find_intent(params["payment_intent"])
        charge = self.charges.get(intent["latest_charge"] or "")
        if charge is None or not intent["amount_received"]:
            raise invalid(f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.")
        if charge["disputed"]:
            raise invalid("Charge has been charged back.", code="charge_disputed")
        left = intent["amount_received"] - charge["amount_refunded"]
        amount = int(params.get("amount") or left)
        if not left:
            raise invalid("Charge has already been refunded.", code="charge_already_refunded")
        if amount > left:
            raise invalid(f"Refund amount is greater than unrefunded amount on charge ({left}).", param="amount")
        behavior = self.behaviors.get(intent["payment_method"], "")
        refund = {
            "id": fresh("re"), "object": "refund", "amount": amount, "currency": intent["currency"],
            "charge": charge["id"], "payment_intent": intent["id"], "created": now(), "reason": None,
            "metadata": dict(params.get("metadata") or {}), "failure_reason": None,
            "status": "pending" if behavior == "pm_card_pendingRefund" else "succeeded",
        }  # fmt: skip
        self.refunds[refund["id"]] = refund
        charge["amount_refunded"] += amount
        self._book(-amount, 0, "refund", "refund", refund)
        self.tell("refund.created", refund)
        return refund

    def find_dispute(self, dispute_id: str) -> dict[str, Any]:
        if dispute_id not in self.disputes:
            raise missing("dispute", dispute_id)
        return self.disputes[dispute_id]

    def update_dispute(self, dispute_id: str, params: dict[str, Any]) -> dict[str, Any]:
        dispute = self.find_dispute(dispute_id)
        if dispute["evidence_details"]["submission_count"] or dispute["status"] in {"won", "lost"}:
            raise invalid("This dispute is already under review.")
        dispute["evidence"] |= params.get("evidence") or {}
        dispute["metadata"] |= params.get("metadata") or {}
        if params.get("submit") == "true":
            dispute["evidence_details"] |= {"submission_count": 1, "has_evidence": True}
            dispute["status"] = "under_review"
            self.tell("charge.dispute.updated", dispute)
        return dispute

    def transactions_of(self, payout_id: str) -> Iterator[dict[str, Any]]:
        return (row for row in reversed(self.transactions) if row["_payout"] == payout_id)

    # rules

    def _authorize(self, intent: dict[str, Any]) -> None:
        until = int((clock.now() + timedelta(days=HOLD_DAYS)).timestamp())
        charge = {
            "id": fresh("ch"), "object": "charge", "amount": intent["amount"], "amount_captured": 0,
            "amount_refunded": 0, "captured": False, "created": now(), "currency": intent["currency"],
            "billing_details": {**NOBODY}, "disputed": False, "livemode": False, "metadata": dict(intent["metadata"]),
            "paid": True, "payment_intent": intent["id"],
            "payment_method": intent["payment_method"], "refunded": False, "status": "succeeded",
            "payment_method_details": {
                "type": "card",
                "card": {
                    "brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2040, "capture_before": until,
                    "regulated_status": "unregulated",
                    "multicapture": {"status": "available" if intent["_many"] else "unavailable"},
                },
            },
        }  # fmt: skip
        self.charges[charge["id"]] = charge
        intent |= {
            "latest_charge": charge["id"], "status": "requires_capture", "amount_capturable": intent["amount"],
            "last_payment_error": None,
        }  # fmt: skip
        if intent["capture_method"] == "manual":
            self.tell("payment_intent.amount_capturable_updated", intent)

    def _take(self, intent: dict[str, Any], amount: int, *, last: bool) -> None:
        charge = self.charges[intent["latest_charge"]]
        intent["amount_received"] += amount
        charge["amount_captured"] += amount
        charge["captured"] = True
        left = intent["amount_capturable"] - amount
        done = last or not left
        intent |= {"amount_capturable": 0 if done else left, "status": "succeeded" if done else "requires_capture"}
        self._book(amount, amount * FEE_PER_MILLE // 1000 + FEE_FIXED, "charge", "charge", charge)
        self.tell("payment_intent.succeeded" if done else "payment_intent.amount_capturable_updated", intent)

    def _lapse(self, intent: dict[str, Any]) -> None:
        if intent["status"] != "requires_capture":
            return
        card = self.charges[intent["latest_charge"]]["payment_method_details"]["card"]
        if card["capture_before"] <= now():
            self.cancel_intent_quietly(intent)

    def cancel_intent_quietly(self, intent: dict[str, Any]) -> None:
        intent |= {
            "status": "canceled", "amount_capturable": 0, "canceled_at": now(), "cancellation_reason": "automatic",
        }  # fmt: skip
        self.tell("payment_intent.canceled", intent)

    def _ask_holder(self, intent: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
        url = f"https://hooks.example/3ds/{intent['id']}"
        back = {"url": url, "return_url": params.get("return_url")}
        intent |= {"status": "requires_action", "next_action": {"type": "redirect_to_url", "redirect_to_url": back}}
        self.tell("payment_intent.requires_action", intent)
        return intent

    def _decline(self, intent: dict[str, Any], code: str, decline_code: str | None) -> ApiError:
        problem = {"type": "card_error", "code": code, "message": "Your card was declined.", "charge": fresh("ch")}
        if decline_code:
            problem["decline_code"] = decline_code
        intent |= {"status": "requires_payment_method", "last_payment_error": problem}
        self.tell("payment_intent.payment_failed", intent)
        return ApiError(402, **problem)

    def _unexpected(self, intent: dict[str, Any]) -> ApiError:
        message = f"This PaymentIntent's status is {intent['status']}."
        return invalid(message, code="payment_intent_unexpected_state")

    @staticmethod
    def _mark(intent: dict[str, Any], params: dict[str, Any]) -> None:
        marks = {**intent["metadata"], **(params.get("metadata") or {})}
        intent["metadata"] = {key: value for key, value in marks.items() if value != ""}

    def _book(self, amount: int, fee: int, kind: str, category: str, source: dict[str, Any]) -> dict[str, Any]:
        row = {
            "id": fresh("txn"), "object": "balance_transaction", "amount": amount, "fee": fee, "net": amount - fee,
            "currency": "usd", "type": kind, "reporting_category": category, "source": source["id"],
            "created": now(), "status": "available", "_payout": None,
            "available_on": now(), "fee_details": [], "balance_type": "payments",
        }  # fmt: skip
        self.transactions.append(row)
        return row
