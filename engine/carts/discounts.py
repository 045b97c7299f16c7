"""What discount codes take off, shared out over the lines to the cent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import update
from sqlalchemy.orm import Session

from engine.carts.models import Discount
from engine.kit import clock
from engine.kit.money import allocate, format_minor, share_ppm

_PERCENT_PPM: Final = 10_000


@dataclass(frozen=True, slots=True)
class Discountable:
    """A line as discounts see it: its category and what it costs before them."""

    category: str
    base: int


@dataclass(frozen=True, slots=True)
class Applied:
    """Minor units taken off each line, which codes did it, and why others did not."""

    per_line: tuple[int, ...]
    titles: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a code asks for and gives in one currency, in its minor units."""

    amount_off: int
    minimum: int


def terms_of(row: Discount, currency: str, *, home: str) -> Terms | None:
    """The code's terms; ``None`` where it has no meaning. Nothing is converted: what is worth money, or asks for a
    minimum, says so for each currency; a plain percentage is one in any.
    """
    if currency == home:
        return Terms(row.amount_off or 0, row.minimum)
    said: dict[str, int] | None = row.amounts.get(currency)
    if said is None:
        return None if row.amount_off is not None or row.minimum else Terms(0, 0)
    return Terms(said.get("amount_off", 0), said.get("minimum", 0))


def work_out(
    known: Mapping[str, Discount], codes: Sequence[str], lines: Sequence[Discountable], currency: str, *, home: str
) -> Applied:
    """Apply codes in the order given, each to what the ones before left. A code counts once. ``home`` is the currency
    of the codes' own columns.
    """
    left = [line.base for line in lines]
    titles, problems = [], []
    for code in dict.fromkeys(codes):
        row = known.get(code)
        terms = terms_of(row, currency, home=home) if row else None
        problem = _refusal(row, terms, code, lines, left, currency)
        if problem or row is None or terms is None:
            problems.append(problem)
            continue
        weights = [
            amount if row.category in {None, line.category} else 0 for line, amount in zip(lines, left, strict=True)
        ]
        for index, part in enumerate(allocate(_worth(row, terms, sum(weights)), weights)):
            left[index] -= part
        titles.append(f"{row.title} ({row.code})")
    taken = tuple(line.base - rest for line, rest in zip(lines, left, strict=True))
    return Applied(taken, tuple(titles), tuple(problems))


def use(session: Session, tenant_id: str, codes: Sequence[str]) -> bool:
    """Count one use of each code, in code order; false when one has been used up by somebody else."""
    for code in sorted(set(codes)):
        done = session.execute(
            update(Discount)
            .where(
                Discount.tenant_id == tenant_id,
                Discount.code == code,
                Discount.usage_limit.is_(None) | (Discount.used < Discount.usage_limit),
            )
            .values(used=Discount.used + 1)
            .returning(Discount.code)
        ).first()
        if done is None:
            return False
    return True


def give_back(session: Session, tenant_id: str, codes: Sequence[str]) -> None:
    """The payment came to nothing: its uses are free again."""
    for code in sorted(set(codes)):
        session.execute(
            update(Discount)
            .where(Discount.tenant_id == tenant_id, Discount.code == code, Discount.used > 0)
            .values(used=Discount.used - 1)
        )


def _worth(row: Discount, terms: Terms, eligible: int) -> int:
    if row.percent_off is not None:
        return share_ppm(eligible, row.percent_off * _PERCENT_PPM)
    return min(terms.amount_off, eligible)


def _refusal(
    row: Discount | None,
    terms: Terms | None,
    code: str,
    lines: Sequence[Discountable],
    left: Sequence[int],
    currency: str,
) -> str:
    if problem := not_now(row, code):
        return problem
    if row is None or terms is None:
        return not_in(code, currency)
    if sum(left) < terms.minimum:
        return f"{code} needs goods worth {format_minor(terms.minimum, currency)}."
    if row.category and all(line.category != row.category for line in lines):
        return f"{code} is for {row.category} only."
    return ""


def not_now(row: Discount | None, code: str) -> str:
    """Why a code cannot be used at this moment, whatever is bought; empty when it can."""
    now = clock.now()
    if row is None or (row.starts_at and row.starts_at > now):
        return f"{code} is not a code of this shop."
    if row.ends_at and row.ends_at <= now:
        return f"{code} has expired."
    if row.usage_limit is not None and row.used >= row.usage_limit:
        return f"{code} has been used up."
    return ""


def not_in(code: str, currency: str) -> str:
    """The refusal of a code that has no terms in a currency."""
    return f"{code} cannot be used in {currency}."
