"""The named transforms of mappings: small, exact, without side effects. A new one is a function with one decorator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, field_validator

from engine.kit.ids import echo
from engine.kit.money import exponent, is_currency
from engine.sync.expressions import Misfit


class Args(BaseModel):
    """What a transform is told; none of its own by itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Zone(Args):
    zone: str = "UTC"
    """An IANA time zone."""

    @field_validator("zone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("there is no such time zone") from None
        return value


class Currency(Args):
    currency: str
    """ISO 4217; an expression over the whole document where it begins with ``=``: ``=currency``."""

    @field_validator("currency")
    @classmethod
    def _known(cls, value: str) -> str:
        return value if value.startswith("=") else _currency(value)


class Most(Args):
    most: int
    """Characters."""


class Between(Args):
    between: str


class Words(Args):
    yes: str = "T"
    no: str = "F"


Run = Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Transform:
    """``gives`` is the kind of what comes out, in JSON's words."""

    name: str
    gives: str
    args: type[Args]
    run: Run
    about: str


TRANSFORMS: Final[dict[str, Transform]] = {}


def transform(gives: str, args: type[Args] = Args) -> Callable[[Run], Run]:
    """Make a function a transform of its own name. It raises ``Misfit`` for what it cannot work with."""

    def register(run: Run) -> Run:
        name = run.__name__.rstrip("_")
        TRANSFORMS[name] = Transform(name, gives, args, run, " ".join((run.__doc__ or "").split()))
        return run

    return register


@transform("string")
def text(value: Any, _args: Args) -> str:
    """Text of text, a number or a truth; of nothing else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, float | Decimal):
        return format(_number(value), "f")
    raise Misfit("it is no text")


@transform("string")
def upper(value: Any, _args: Args) -> str:
    """In capitals."""
    return _text(value).upper()


@transform("string")
def lower(value: Any, _args: Args) -> str:
    """In small letters."""
    return _text(value).lower()


@transform("string")
def strip(value: Any, _args: Args) -> str:
    """Without blanks around it."""
    return _text(value).strip()


@transform("string", Most)
def cut(value: Any, args: Most) -> str:
    """Its beginning, in at most so many characters."""
    return _text(value)[: args.most]


@transform("string", Between)
def join(value: Any, args: Between) -> str:
    """A list's texts in one, empty ones left out."""
    if not isinstance(value, list):
        raise Misfit("it is no list")
    return args.between.join(part for part in (text(one, Args()) for one in value if one is not None) if part)


@transform("array", Between)
def split(value: Any, args: Between) -> list[str]:
    """A text's parts, without blanks around them, empty ones left out."""
    return [part.strip() for part in _text(value).split(args.between) if part.strip()]


@transform("integer")
def integer(value: Any, _args: Args) -> int:
    """A whole number; one with a fraction is none."""
    number = _number(value)
    if number != number.to_integral_value():
        raise Misfit("it is no whole number")
    return int(number)


@transform("string")
def decimal(value: Any, _args: Args) -> str:
    """A number, exactly, as text."""
    return format(_number(value), "f")


@transform("string")
def negate(value: Any, _args: Args) -> str:
    """A number with the other sign, as text."""
    return format(-_number(value) if _number(value) else Decimal(0), "f")


@transform("string")
def total(value: Any, _args: Args) -> str:
    """The exact sum of a list of numbers, as text; of an empty one 0."""
    if not isinstance(value, list):
        raise Misfit("it is no list")
    return format(sum((_number(one) for one in value if one is not None), Decimal(0)), "f")


@transform("integer", Currency)
def minor(value: Any, args: Currency) -> int:
    """An amount as minor units: 12.50 USD is 1250. One that has more places than its currency is refused."""
    scaled = _number(value).scaleb(exponent(_currency(args.currency)))
    if scaled != scaled.to_integral_value():
        raise Misfit(f"{args.currency} has no such fraction")
    return int(scaled)


@transform("string", Currency)
def major(value: Any, args: Currency) -> str:
    """Minor units as an amount: 1250 USD is 12.50."""
    places = exponent(_currency(args.currency))
    return f"{Decimal(integer(value, Args())).scaleb(-places):.{places}f}"


@transform("string", Zone)
def date(value: Any, args: Zone) -> str:
    """The day of a moment in a time zone: 2026-11-26."""
    return _moment(value, ZoneInfo(args.zone)).date().isoformat()


@transform("string")
def moment(value: Any, _args: Args) -> str:
    """A moment in UTC, as RFC 3339 writes it."""
    return _moment(value, UTC).isoformat().replace("+00:00", "Z")


@transform("string", Words)
def letter(value: Any, args: Words) -> str:
    """A truth in a system's own words: T or F."""
    if not isinstance(value, bool):
        raise Misfit("it is neither true nor false")
    return args.yes if value else args.no


@transform("boolean", Words)
def truth(value: Any, args: Words) -> bool:
    """A system's own words for a truth: T or F."""
    if value not in {args.yes, args.no}:
        raise Misfit(f"it is neither {args.yes} nor {args.no}")
    return bool(value == args.yes)


@transform("any")
def blank(value: Any, _args: Args) -> Any:
    """Nothing where there is an empty text."""
    return None if isinstance(value, str) and not value.strip() else value


def _currency(code: str) -> str:
    if not is_currency(code):
        raise Misfit(f"{echo(code, 'it')} is not a currency of ISO 4217")
    return code


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Misfit("it is no text")
    return value


def _number(value: Any) -> Decimal:
    """Exactly the digits that were written."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise Misfit("it is no number")
    try:
        number = Decimal(value.strip() if isinstance(value, str) else str(value))
    except InvalidOperation:
        raise Misfit("it is no number") from None
    if not number.is_finite() or abs(number.adjusted()) > 30:
        raise Misfit("it is no number")
    return number


def _moment(value: Any, zone: tzinfo) -> datetime:
    try:
        found = datetime.fromisoformat(_text(value))
    except ValueError:
        raise Misfit("it is no moment") from None
    if found.tzinfo is None:
        raise Misfit("it says no time zone")
    try:
        return found.astimezone(zone)
    except OverflowError:  # at the ends of the calendar: how some systems write that there is none
        raise Misfit("it is no moment of that time zone") from None


def described() -> Mapping[str, str]:
    """Every transform with what it does, by name."""
    return {name: TRANSFORMS[name].about for name in sorted(TRANSFORMS)}
