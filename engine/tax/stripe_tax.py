"""Stripe Tax behind the port: calculations, and the transactions that make its reports, by the shop's own Stripe key.

The vendor's SDK is an optional extra and is imported at the first call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from threading import Lock
from typing import Any, Final, TypeVar

from engine.db import Store
from engine.kit.money import exponent
from engine.kit.tenancy import hash_secret
from engine.payments.errors import GatewayMisconfigured, GatewayNotConfigured
from engine.payments.gateway import GatewayTimeout
from engine.payments.gateways import accounts
from engine.payments.gateways.stripe.calls import Calls, Json, Refused
from engine.tax.engine import Answer, EngineRefused, EngineSilent, Question, check
from engine.tax.levies import Part, Taxed
from engine.tax.models import ExemptionKind, Level, TaxSource

GATEWAY: Final = "stripe"
"""Whose account's key it is."""
TIMEOUT_SECONDS: Final = 4
"""Of one call; a shopper waits for it, and for one repeat."""
MAX_LINES: Final = 100
_LEVELS: Final = {"state": Level.REGION}
_PPM_OF_A_PERCENT: Final = 10_000
_ELSEWHERE: Final = frozenset({"ISK", "UGX", "MGA"})
"""Currencies whose smallest unit is another one at Stripe than in ISO 4217."""
_EXPAND: Final = ["line_items.data.tax_breakdown", "shipping_cost.tax_breakdown"]
T = TypeVar("T")


class StripeTax:
    """The engine. Cheap to build."""

    name = TaxSource.STRIPE.value

    def __init__(
        self,
        store: Store,
        secret_key: bytes,
        *,
        api_base: str | None = None,
        timeout_seconds: int = TIMEOUT_SECONDS,
    ) -> None:
        self._store = store
        self._secret_key = secret_key
        self._api_base = api_base
        self._timeout_seconds = timeout_seconds
        self._doors: dict[str, Calls] = {}
        self._lock = Lock()

    def calculate(self, question: Question, *, merchant: str, key: str) -> Answer:
        """Asked twice at most, under one key: a repeat is the same request."""
        _require_possible(question)
        calls = self._calls(merchant)
        found = _told(lambda: _twice(lambda: calls.create_calculation(_params(question), key=key)))
        lines = found["line_items"]
        rows = _told(lambda: list(calls.calculation_lines(found["id"]))) if lines["has_more"] else lines["data"]
        return check(question, _answer(found, rows))

    def file_sale(self, calculation_id: str, *, merchant: str, reference: str) -> str:
        calls = self._calls(merchant)
        params = {"calculation": calculation_id, "reference": reference}
        return str(_told(lambda: calls.create_tax_transaction(params, key=f"tax:{reference}"))["id"])

    def file_reversal(self, transaction_id: str, *, merchant: str, amount: int, reference: str) -> str:
        calls = self._calls(merchant)
        params = {
            "mode": "partial",
            "original_transaction": transaction_id,
            "reference": reference,
            "flat_amount": amount,
        }
        return str(_told(lambda: calls.reverse_tax_transaction(params, key=f"tax:{reference}"))["id"])

    def _calls(self, merchant: str) -> Calls:
        try:
            with self._store.unit_of_work(merchant) as session:
                api_key = accounts.read(session, self._secret_key, merchant, GATEWAY).secret_key
        except (GatewayNotConfigured, GatewayMisconfigured) as error:
            raise EngineRefused(error.message) from None
        return self._door(api_key)

    def _door(self, api_key: str) -> Calls:
        digest = hash_secret(api_key)
        with self._lock:
            if digest not in self._doors:
                self._doors[digest] = Calls(api_key, api_base=self._api_base, timeout_seconds=self._timeout_seconds)
            return self._doors[digest]


def _twice(send: Callable[[], T]) -> T:
    try:
        return send()
    except GatewayTimeout:
        return send()


def _told(send: Callable[[], T]) -> T:
    """What came back, or our words for why nothing did."""
    try:
        return send()
    except GatewayTimeout:
        raise EngineSilent("The tax engine did not answer in time.") from None
    except GatewayMisconfigured as error:
        raise EngineRefused(error.message) from None
    except Refused as refusal:
        raise EngineRefused(f"The tax engine said no: {refusal.code or 'no reason given'}.") from None


def _require_possible(question: Question) -> None:
    if question.currency in _ELSEWHERE or exponent(question.currency) > 2:
        raise EngineRefused(f"Stripe Tax is not asked about amounts in {question.currency}.")
    if len(question.lines) > MAX_LINES:
        raise EngineRefused(f"Stripe Tax takes at most {MAX_LINES} lines.")


def _params(question: Question) -> Json:
    behavior = "inclusive" if question.included else "exclusive"
    code = question.shipping_tax_code
    shipping = {"amount": question.shipping, "tax_behavior": behavior} | ({"tax_code": code} if code else {})
    return {
        "currency": question.currency.lower(),
        "line_items": [
            {
                "reference": line.reference,
                "amount": line.amount,
                "quantity": line.quantity,
                "tax_behavior": behavior,
                **({"tax_code": line.tax_code} if line.tax_code else {}),
            }
            for line in question.lines
        ],
        "customer_details": _customer(question),
        "expand": _EXPAND,
        **({"shipping_cost": shipping} if question.shipping else {}),
    }


def _customer(question: Question) -> dict[str, Any]:
    known = dict(question.address)
    names = {"line_one": "line1", "line_two": "line2"}
    address = {names.get(part, part): value for part, value in known.items() if value}
    details: dict[str, Any] = {"address": address, "address_source": "shipping"}
    if question.exempt:
        reverse = question.exempt == ExemptionKind.REVERSE_CHARGE
        details["taxability_override"] = "reverse_charge" if reverse else "customer_exempt"
    return details


def _answer(found: Json, rows: Sequence[Json]) -> Answer:
    shipping = found.get("shipping_cost")
    ends = found.get("expires_at")
    return Answer(
        calculation_id=found["id"],
        lines={row["reference"]: _taxed(row) for row in rows},
        shipping=_taxed(shipping) if shipping else Taxed(),
        expires_at=datetime.fromtimestamp(ends, UTC) if ends else None,
    )


def _taxed(row: Json) -> Taxed:
    """A line's tax and whose it is: each jurisdiction once for each of its rates."""
    sums: dict[tuple[str, str, int], int] = {}
    for one in row["tax_breakdown"] or ():
        if one["amount"] or one["tax_rate_details"]:
            key = _whose(one)
            sums[key] = sums.get(key, 0) + one["amount"]
    parts = (Part(name, level, ppm, amount) for (name, level, ppm), amount in sums.items())
    return Taxed(row["amount_tax"], tuple(parts))


def _whose(one: Mapping[str, Any]) -> tuple[str, str, int]:
    place = one["jurisdiction"]
    level = str(_LEVELS.get(place["level"], place["level"]))
    percent = Decimal((one["tax_rate_details"] or {}).get("percentage_decimal") or "0")
    ppm = (percent * _PPM_OF_A_PERCENT).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    return str(place["display_name"]), level, int(ppm)
