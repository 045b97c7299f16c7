"""The tax of a checkout: by the shop's tables, or as an engine that was asked before said. Pure.

An answer that is not there, or is one to another question, is not waited for here: the checkout cannot be paid until an
edge has asked (``engine.checkout.taxing``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from engine.checkout.delivery import Way
from engine.checkout.facts import Basket, Facts
from engine.customers.addresses import missing_parts
from engine.kit import clock
from engine.shipping.service import Option
from engine.tax import service as taxes
from engine.tax.engine import AskedLine, Question, bill_of
from engine.tax.models import QuoteStatus, TaxSource

TAX_OPEN: Final = "The tax for this order is not worked out yet."
TAX_UNKNOWN: Final = "The tax for this order cannot be worked out right now. Please try again in a moment."
BY_TABLES: Final = "The tax was worked out by the shop's own tables, as its tax service does not answer."
_LATER: Final = "worked out once the address is known"
_PLACE: Final = ("line_one", "line_two", "city", "state", "postal_code", "country")


class Goods(Protocol):
    """What the tax rests on of a priced line."""

    @property
    def variant_id(self) -> str: ...
    @property
    def tax_category(self) -> str: ...
    @property
    def base(self) -> int: ...
    @property
    def discount(self) -> int: ...
    @property
    def quantity(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Duty:
    """The tax, and who says so. ``asks`` is what an engine still has to be asked."""

    bill: taxes.Bill
    name: str
    source: TaxSource = TaxSource.TABLES
    calculation_id: str | None = None
    problems: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    asks: Question | None = None


def duty(
    basket: Basket,
    found: Facts,
    lines: Sequence[Goods],
    selected: Option | None,
    *,
    blocked: bool,
    ways: Sequence[Way] = (),
) -> Duty:
    """What is due; nothing is asked while something else stands in the way of buying. ``ways``: each option and its
    lines, where not all go the selected one; somebody else's engine hears of them as going where the order goes.
    """
    if not found.tax_policy.elsewhere:
        return _at_each(found, lines, ways) if ways else _by_tables(found, lines, _fee(selected))
    fee = sum(_fee(way.option) for way in ways) if ways else _fee(selected)
    if blocked or selected is None or set(missing_parts(found.goes_to(basket))) - {"name"}:
        return Duty(_nothing(lines), _LATER, TaxSource.STRIPE)
    question = _question(basket, found, lines, fee)
    if not question.lines and not question.shipping:
        return Duty(_nothing(lines), "none", TaxSource.STRIPE)
    held = found.tax_quote
    if held is None or not _fits(held, question):
        return Duty(_nothing(lines), _LATER, TaxSource.STRIPE, problems=(TAX_OPEN,), asks=question)
    if held["status"] == QuoteStatus.ANSWERED:
        return _answered(found, held, lines)
    return _failed(found, lines, fee)


def _fee(option: Option | None) -> int:
    return option.amount if option else 0


def _by_tables(found: Facts, lines: Sequence[Goods], fee: int) -> Duty:
    items = [taxes.Item(line.tax_category, line.base - line.discount, line.quantity) for line in lines]
    bill = found.tax.bill(items, shipping=fee)
    return Duty(bill, found.tax.name, notices=(found.tax.notice,) if found.tax.notice else ())


def _at_each(found: Facts, lines: Sequence[Goods], ways: Sequence[Way]) -> Duty:
    """By the tables of each place that some of it goes to."""
    places: dict[str, tuple[Facts, set[str], int]] = {}
    for way in ways:
        key = way.option.id if way.option and way.option.id in found.elsewhere else ""
        known, ids, fee = places.get(key, (found.elsewhere.get(key, found), set(), 0))
        places[key] = (known, ids | set(way.variant_ids), fee + _fee(way.option))
    duties = []
    for known, ids, fee in places.values():
        here = [line for line in lines if line.variant_id in ids]
        duties.append((here, _by_tables(known, here, fee)))
    if len(duties) == 1:
        return duties[0][1]
    taxed = {line.variant_id: one for here, due in duties for line, one in zip(here, due.bill.items, strict=True)}
    fees = [due.bill.shipping for _, due in duties]
    shipping = taxes.Taxed(sum(one.amount for one in fees), tuple(part for one in fees for part in one.parts))
    names = dict.fromkeys(due.name for _, due in duties)
    notices = dict.fromkeys(words for _, due in duties for words in due.notices)
    bill = taxes.Bill(tuple(taxed[line.variant_id] for line in lines), shipping)
    return Duty(bill, ", ".join(names), notices=tuple(notices))


def _answered(found: Facts, held: Mapping[str, Any], lines: Sequence[Goods]) -> Duty:
    bill = bill_of(held["answer"], [line.variant_id for line in lines])
    names = dict.fromkeys(row["jurisdiction"] for row in bill.by_jurisdiction() if row["amount"])
    free = f"exempt ({found.tax.exempt.replace('_', ' ')})" if found.tax.exempt else "none"
    return Duty(bill, ", ".join(names) or free, TaxSource.STRIPE, held["calculation_id"])


def _failed(found: Facts, lines: Sequence[Goods], fee: int) -> Duty:
    if found.tax_policy.on_failure == "refuse":
        return Duty(_nothing(lines), _LATER, TaxSource.STRIPE, problems=(TAX_UNKNOWN,))
    plain = _by_tables(found, lines, fee)
    return Duty(plain.bill, plain.name, TaxSource.FALLBACK, notices=(*plain.notices, BY_TABLES))


def _question(basket: Basket, found: Facts, lines: Sequence[Goods], fee: int) -> Question:
    policy, address = found.tax_policy, found.goes_to(basket) or {}
    asked = [
        AskedLine(line.variant_id, worth, line.quantity, policy.tax_codes.get(line.tax_category, ""))
        for line in lines
        if (worth := line.base - line.discount)
    ]
    return Question(
        engine=policy.engine,
        currency=basket.currency,
        included=found.tax.included,
        lines=tuple(asked),
        shipping=fee,
        shipping_tax_code=policy.shipping_tax_code or "",
        address=tuple((part, str(address.get(part) or "")) for part in _PLACE),
        exempt=found.tax.exempt,
        day=clock.now().date().isoformat(),
    )


def _fits(held: Mapping[str, Any], question: Question) -> bool:
    alive = datetime.fromisoformat(held["expires_at"]) > clock.now()
    return alive and held["question_hash"] == question.digest


def _nothing(lines: Sequence[Goods]) -> taxes.Bill:
    return taxes.Bill(tuple(taxes.Taxed() for _ in lines), taxes.Taxed())
