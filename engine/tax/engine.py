"""The port of a tax engine that is somebody else's house: asked over the network, never inside a transaction.

What is asked is a value with a digest of its own. An answer is kept under that digest and holds for nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Protocol

from engine.kit.errors import DomainError, Unavailable
from engine.kit.idempotency import canonical_json
from engine.tax.levies import Bill, Part, Taxed


class EngineSilent(Unavailable):
    """It did not answer, or not in time: nobody knows, and it may be asked again."""

    code = "tax_engine_silent"


class EngineRefused(DomainError):
    """It answered that it cannot say: asking the same again is of no use."""

    code = "tax_engine_refused"


@dataclass(frozen=True, slots=True)
class AskedLine:
    """Goods of one line after discount; with the tax in them where prices include it."""

    reference: str
    amount: int
    quantity: int
    tax_code: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """Everything an answer rests on; amounts in minor units of ``currency``."""

    engine: str
    currency: str
    included: bool
    lines: tuple[AskedLine, ...]
    shipping: int
    shipping_tax_code: str
    address: tuple[tuple[str, str], ...]
    """line_one, line_two, city, state, postal_code, country."""
    exempt: str
    """The kind of certificate that frees the buyer; empty for none."""
    day: str
    """ISO: rates change with the day."""

    @property
    def digest(self) -> str:
        return hashlib.sha256(canonical_json(asdict(self))).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What is due on each line by its reference, and on the shipping."""

    calculation_id: str
    lines: Mapping[str, Taxed]
    shipping: Taxed = field(default_factory=Taxed)
    expires_at: datetime | None = None

    def told(self) -> dict[str, Any]:
        """As it is kept."""
        lines = {reference: _told(one) for reference, one in self.lines.items()}
        return {"lines": lines, "shipping": _told(self.shipping)}


class TaxEngine(Protocol):
    """Raises ``EngineSilent`` where it is unknown what happened, ``EngineRefused`` for a definite no."""

    name: str

    def calculate(self, question: Question, *, merchant: str, key: str) -> Answer:
        """The tax of a sale; ``key`` makes a repeat the same request."""

    def file_sale(self, calculation_id: str, *, merchant: str, reference: str) -> str:
        """Tell it that the sale took place; its id of that. ``reference`` is ours, and once only."""

    def file_reversal(self, transaction_id: str, *, merchant: str, amount: int, reference: str) -> str:
        """Take ``amount`` (tax included, negative) of a filed sale back; its id of that."""


def bill_of(answer: Mapping[str, Any], references: Sequence[str]) -> Bill:
    """The taxes of a document as a kept answer has them; a line that was worth nothing bears none."""
    lines = answer["lines"]
    return Bill(tuple(_taxed(lines.get(one, ())) for one in references), _taxed(answer["shipping"]))


def check(question: Question, answer: Answer) -> Answer:
    """The answer, if it is one to this question. Raises ``EngineRefused``."""
    amounts = {line.reference: line.amount for line in question.lines}
    taxed = [*((one, amounts.get(reference, 0)) for reference, one in answer.lines.items())]
    taxed.append((answer.shipping, question.shipping))
    if set(answer.lines) != set(amounts) or not all(_sound(one, of, question.included) for one, of in taxed):
        raise EngineRefused("The tax engine's answer does not add up.")
    return answer


def _sound(one: Taxed, of: int, included: bool) -> bool:
    whole = sum(part.amount for part in one.parts) == one.amount
    return whole and one.amount >= 0 and (not included or one.amount <= of)


def _told(one: Taxed) -> list[dict[str, Any]]:
    return [part.told() for part in one.parts]


def _taxed(parts: Sequence[Mapping[str, Any]]) -> Taxed:
    return Taxed(sum(part["amount"] for part in parts), tuple(Part(**part) for part in parts))
