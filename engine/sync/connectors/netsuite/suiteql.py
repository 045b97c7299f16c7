"""SuiteQL: queries of the few shapes that this connector asks, read to their last page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from engine.sync.client import VendorClient
from engine.sync.errors import Conflict, FieldFault, Rejected, Transient

PATH: Final = "/query/v1/suiteql"
PAGE: Final = 1_000
_HEADERS: Final = {"Prefer": "transient"}
_NAMED: Final = 500
"""Values in one condition (a thousand is the limit of the databases that such systems stand on)."""
Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Queries:
    """One account's tables, for one run."""

    client: VendorClient
    page: int = PAGE

    def rows(self, text: str, *, whole: bool = False, goods: bool = False) -> Iterator[Row]:
        """Every row, page by page, by the address that each page gives for the next. ``whole``: all of it is of one
        moment, else ``Conflict`` (a row that came or went shifts the pages that follow). ``goods``: no row is about a
        person, and the journal keeps them all.
        """
        limit, offset, total = self.page, 0, None
        while True:
            told = self._page(text, limit, offset, goods=goods)
            if whole and total is not None and told.get("totalResults") != total:
                raise Conflict("The rows changed while they were read.")
            total = told.get("totalResults")
            items = told.get("items")
            if not isinstance(items, list):  # an answer without its rows is not an empty one
                raise Rejected("The system's page has no rows.", fields=[FieldFault("items", "there is no list")])
            yield from (_row(one) for one in items)
            if not told.get("hasMore"):
                return
            following = _next(told, limit, offset + len(items), self.page)
            if following[1] <= offset or following[0] <= 0:
                raise Transient("The pages of a query do not end.")
            limit, offset = following

    def named(self, text: str, column: str, values: Iterable[str], *, goods: bool = False) -> Iterator[Row]:
        """Rows of the ones that are named, however many they are: ``text`` has ``{named}`` where the condition goes."""
        wanted = sorted(set(values))
        for start in range(0, len(wanted), _NAMED):
            yield from self.rows(text.format(named=among(column, wanted[start : start + _NAMED])), goods=goods)

    def _page(self, text: str, limit: int, offset: int, *, goods: bool) -> dict[str, Any]:
        params = {"limit": str(limit), "offset": str(offset)}
        asked = {"q": text}
        told = self.client.request(
            "POST", PATH, json=asked, params=params, headers=_HEADERS, reads=True, in_full=goods
        ).data
        if not isinstance(told, dict):
            raise Transient("The system's answer is no page.")
        return told


def _next(told: dict[str, Any], limit: int, offset: int, most: int) -> tuple[int, int]:
    """Where the next page is: as the link has it, else behind what came; as large as the offset lets it be, which has
    to be divisible by the limit.
    """
    for link in told.get("links") or []:
        if link.get("rel") == "next":
            asked = parse_qs(urlsplit(str(link.get("href", ""))).query)
            try:
                limit, offset = int(asked["limit"][0]), int(asked["offset"][0])
            except (KeyError, ValueError):
                break
    return max(limit if offset % limit == 0 else 1, _largest(offset, most)), offset


def _largest(offset: int, most: int) -> int:
    """The largest number up to ``most`` that divides it."""
    return next(size for size in range(most, 0, -1) if offset % size == 0)


def _row(one: dict[str, Any]) -> Row:
    """Values as text; what is null is not there."""
    return {name.lower(): str(value) for name, value in one.items() if name != "links" and value is not None}


def quoted(value: str) -> str:
    """A text of a query."""
    return "'" + value.replace("'", "''") + "'"


def among(column: str, values: Sequence[str]) -> str:
    """The condition that a column is one of these."""
    return f"{column} IN ({', '.join(map(quoted, values))})"


def status_is(column: str, kind: str, letters: str) -> str:
    """Accounts tell a status as ``B`` or as ``SalesOrd:B``: both are asked for."""
    return among(column, [form for one in letters for form in (f"{kind}:{one}", one)])


def letter(told: str) -> str:
    """The letter of a status, in either form."""
    return told.rpartition(":")[2]


def truth(told: str | None) -> bool:
    """``T`` is true; ``F`` and null are not."""
    return told == "T"


def units(told: str | None) -> Decimal:
    """A quantity; nothing told is none. Raises ``Transient`` for what is no number."""
    try:
        return Decimal(told or "0")
    except InvalidOperation:
        raise Transient("The system tells a quantity that is no number.") from None
