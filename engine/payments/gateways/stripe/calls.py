"""Calls to Stripe's API by its SDK: plain dictionaries out, our errors out, no key in any of them.

The SDK is imported at the first call. It never retries by itself here: a repeat is the caller's decision, under the
caller's key, after asking what happened.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, NoReturn

import structlog

from engine.payments.errors import GatewayMisconfigured
from engine.payments.gateway import GatewayTimeout

Json = Mapping[str, Any]
INTENT: Final = {"expand": ["latest_charge"]}
_PAGE: Final = 100
log = structlog.get_logger(__name__)


class Refused(Exception):
    """Stripe's definite no: nothing happened. ``card`` when it was the bank's."""

    def __init__(self, *, code: str, decline_code: str = "", param: str = "", card: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.decline_code = decline_code
        self.param = param
        self.card = card


def installed() -> bool:
    """Whether the extra ``stripe`` is there; looks without importing it."""
    return importlib.util.find_spec("stripe") is not None


class Calls:
    """One merchant's door to the API."""

    def __init__(self, api_key: str, *, api_base: str | None, timeout_seconds: int) -> None:
        import stripe

        stripe.enable_telemetry = False
        logging.getLogger("stripe").setLevel(logging.ERROR)
        self._client: Any = stripe.StripeClient(
            api_key,
            base_addresses={"api": api_base} if api_base else None,
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=timeout_seconds),
        )

    def create_intent(self, params: Json, *, key: str) -> Json:
        return self._one(lambda v1: v1.payment_intents.create({**params, **INTENT}, _keyed(key)))

    def intent(self, intent_id: str) -> Json:
        return self._one(lambda v1: v1.payment_intents.retrieve(intent_id, {**INTENT}))

    def update_intent(self, intent_id: str, params: Json, *, key: str) -> Json:
        return self._one(lambda v1: v1.payment_intents.update(intent_id, {**params, **INTENT}, _keyed(key)))

    def confirm_intent(self, intent_id: str, params: Json, *, key: str) -> Json:
        return self._one(lambda v1: v1.payment_intents.confirm(intent_id, {**params, **INTENT}, _keyed(key)))

    def capture_intent(self, intent_id: str, params: Json, *, key: str) -> Json:
        return self._one(lambda v1: v1.payment_intents.capture(intent_id, {**params, **INTENT}, _keyed(key)))

    def cancel_intent(self, intent_id: str, *, key: str) -> Json:
        return self._one(lambda v1: v1.payment_intents.cancel(intent_id, {**INTENT}, _keyed(key)))

    def create_refund(self, params: Json, *, key: str) -> Json:
        return self._one(lambda v1: v1.refunds.create(params, _keyed(key)))

    def payment_method(self, method_id: str) -> Json:
        return self._one(lambda v1: v1.payment_methods.retrieve(method_id))

    def attach_method(self, method_id: str, customer: str) -> Json:
        return self._one(lambda v1: v1.payment_methods.attach(method_id, {"customer": customer}))

    def create_customer(self, params: Json, *, key: str) -> Json:
        return self._one(lambda v1: v1.customers.create(params, _keyed(key)))

    def detach_method(self, method_id: str) -> Json:
        return self._one(lambda v1: v1.payment_methods.detach(method_id))

    def dispute(self, dispute_id: str) -> Json:
        return self._one(lambda v1: v1.disputes.retrieve(dispute_id))

    def update_dispute(self, dispute_id: str, params: Json, *, key: str) -> Json:
        return self._one(lambda v1: v1.disputes.update(dispute_id, params, _keyed(key)))

    def balance(self) -> Json:
        return self._one(lambda v1: v1.balance.retrieve())

    def create_calculation(self, params: Json, *, key: str) -> Json:
        return self._one(lambda v1: v1.tax.calculations.create(params, _keyed(key)))

    def calculation_lines(self, calculation_id: str) -> Iterator[Json]:
        wanted = {"expand": ["data.tax_breakdown"]}
        return self._all(lambda v1, page: v1.tax.calculations.line_items.list(calculation_id, {**wanted, **page}))

    def create_tax_transaction(self, params: Json, *, key: str) -> Json:
        return self._one(lambda v1: v1.tax.transactions.create_from_calculation(params, _keyed(key)))

    def reverse_tax_transaction(self, params: Json, *, key: str) -> Json:
        return self._one(lambda v1: v1.tax.transactions.create_reversal(params, _keyed(key)))

    def intents(self, *, created: Json | None = None) -> Iterator[Json]:
        wanted = {"expand": ["data.latest_charge"], **({"created": created} if created else {})}
        return self._all(lambda v1, page: v1.payment_intents.list({**wanted, **page}))

    def refunds(self, intent_id: str | None = None) -> Iterator[Json]:
        of = {"payment_intent": intent_id} if intent_id else {}
        return self._all(lambda v1, page: v1.refunds.list({**of, **page}))

    def disputes(self) -> Iterator[Json]:
        return self._all(lambda v1, page: v1.disputes.list(page))

    def payouts(self, since: int) -> Iterator[Json]:
        wanted = {"status": "paid", "arrival_date": {"gte": since}}
        return self._all(lambda v1, page: v1.payouts.list({**wanted, **page}))

    def payout_transactions(self, payout_id: str) -> Iterator[Json]:
        wanted = {"payout": payout_id, "expand": ["data.source"]}
        return self._all(lambda v1, page: v1.balance_transactions.list({**wanted, **page}))

    def _one(self, send: Callable[[Any], Any]) -> Json:
        import stripe

        try:
            answer: dict[str, Any] = send(self._client.v1).to_dict()
        except stripe.StripeError as error:
            _translate(error)
        return answer

    def _all(self, send: Callable[..., Any]) -> Iterator[Json]:
        """Every row of a list, page by page: lists are read from the books, unlike searches, which lag."""
        after: Json = {}
        while True:
            page = {"limit": _PAGE, **after}
            answer = self._one(partial(send, page=page))
            yield from answer["data"]
            if not answer["has_more"]:
                return
            after = {"starting_after": answer["data"][-1]["id"]}


def _keyed(key: str) -> Json:
    return {"idempotency_key": key}


def _translate(error: Any) -> NoReturn:
    """Stripe's error as ours. What is not a definite no is unknown, and unknown is ``GatewayTimeout``."""
    import stripe

    known = error.error
    facts = {"kind": type(error).__name__, "code": error.code, "status": error.http_status}
    log.info("stripe said no", request_id=error.request_id, **facts)
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        raise GatewayMisconfigured("The payment provider does not accept this shop's key.") from None
    if isinstance(error, stripe.CardError | stripe.InvalidRequestError):
        raise Refused(
            code=error.code or "",
            decline_code=(known.decline_code if known and "decline_code" in known else None) or "",
            param=error.param or "",
            card=isinstance(error, stripe.CardError),
        ) from None
    raise GatewayTimeout("The payment provider did not answer in time.") from None
