"""The warehouse of a DCL account."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any, ClassVar, Final, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from engine.sync.canonical import Expected, Receipt, Refused, StockLevel, Taken, WarehouseOrder, WarehouseState
from engine.sync.client import VendorClient
from engine.sync.connectors.dcl import reading
from engine.sync.connectors.dcl.dialect import BatchRefused
from engine.sync.connectors.dcl.wire import (
    AnnouncedLine,
    Announcement,
    BatchOrder,
    ItemRow,
    OrderRow,
    ReceiptRow,
    document,
)
from engine.sync.connectors.paging import chunks, each, numbered
from engine.sync.errors import Rejected, Transient
from engine.sync.models import Connection, System
from engine.sync.port import Capability, Unreadable

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")
PAGE: Final = 100
MOST_ORDERS: Final = 1_000
_NUMBERS: Final = 50
"""Order numbers in one address."""
PATHS: Final[Mapping[str, str]] = {
    "batches": "/batches",
    "orders": "/orders",
    "announce": "/purchase_orders",
    "receipts": "/receipts",
    "items": "/items",
}
"""Known: the first two. The others are assumed, and a connection's setting ``paths`` says where they really are."""
_CANCELED: Final = "canceled"
_USED: Final = "The warehouse has canceled this order, and its number is used."
_UNTOLD: Final = "not_taken"
_LIVE: Final = 0
_ANY: Final = (_LIVE, reading.STATES[WarehouseState.CANCELED])
"""What ``status`` says: 0 is any but canceled."""


class Dcl:
    """Settings of a connection: ``username``, ``account_number``; ``paths`` (see ``PATHS``), ``time_zone`` of times
    that come without one (UTC), ``location`` (what its stock is called), ``busy_codes`` (error codes of an order that
    may be sent again as it is).
    """

    system: ClassVar[System] = System.DCL
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.SUBMIT, Capability.ANNOUNCE, Capability.RECEIPTS, Capability.STOCK}
    )

    def __init__(self, client: VendorClient, connection: Connection) -> None:
        settings = connection.settings
        self._client = client
        self._paths = {**PATHS, **(settings.get("paths") or {})}
        self._zone = ZoneInfo(str(settings.get("time_zone") or "UTC"))
        self._location = str(settings.get("location") or "")
        self._busy = frozenset(str(code) for code in settings.get("busy_codes") or ())
        self.account = str(settings.get("account_number") or "")

    def submit(self, orders: Sequence[BaseModel]) -> dict[str, Taken | Refused]:
        """Looks for the numbers first and sends what is not there: safe to repeat, whatever became of the last time.
        Of a batch of which anything was refused it looks again; what is there then is ``Taken``. Raises ``Transient``
        where the warehouse was only busy with an order, ``UnknownOutcome`` where nobody knows.
        """
        written = [self._own(one) for one in orders]
        found = self._there([one.order_number for one in written], live=True)
        for batch in chunks([one for one in written if one.order_number not in found], MOST_ORDERS):
            found |= self._sent(batch)
        return found

    def _own(self, order: BaseModel) -> BatchOrder:
        given = order if isinstance(order, BatchOrder) else BatchOrder.model_validate(order.model_dump())
        return given if given.account_number else given.model_copy(update={"account_number": self.account})

    def _sent(self, batch: Sequence[BatchOrder]) -> dict[str, Taken | Refused]:
        numbers = [one.order_number for one in batch]
        body = {"allow_partial": True, "orders": [document(one) for one in batch]}
        try:
            self._client.request("POST", self._paths["batches"], json=body)
        except BatchRefused as refused:
            return self._parted(numbers, refused)
        return {number: Taken(order_ref=number) for number in numbers}

    def _parted(self, numbers: Sequence[str], refused: BatchRefused) -> dict[str, Taken | Refused]:
        """No code of an order is believed where the batch went wrong: what is there was taken."""
        there = self._there(numbers)
        words = {fault.path: fault.message for fault in refused.fields}
        for number in numbers:
            code = refused.codes.get(number, "0")
            if number not in there and code in self._busy:
                raise Transient(words.get(number) or refused.message, answer=refused.answer)
        return {number: there.get(number) or self._refusal(number, refused, words) for number in numbers}

    def _refusal(self, number: str, refused: BatchRefused, words: Mapping[str, str]) -> Refused:
        code = refused.codes.get(number, "0")
        return Refused(
            order_ref=number, code=_UNTOLD if code == "0" else code, message=words.get(number) or refused.message
        )

    def _there(self, numbers: Sequence[str], *, live: bool = False) -> dict[str, Taken | Refused]:
        """What the warehouse has of these already; one that it called off is not taken again under its number."""
        found: dict[str, Taken | Refused] = {}
        for one in self._named(numbers, (_LIVE,) if live else _ANY):
            number = one.order_ref
            gone = one.state == WarehouseState.CANCELED
            found[number] = (
                Refused(order_ref=number, code=_CANCELED, message=_USED) if gone else Taken(order_ref=number)
            )
        return found

    def orders(
        self,
        *,
        numbers: Sequence[str] = (),
        modified_from: datetime | None = None,
        state: WarehouseState | None = None,
        unread: Unreadable | None = None,
    ) -> Iterator[WarehouseOrder]:
        """Without a ``state`` canceled ones too. ``SHIPPED`` are all of which something has left. Of numbers no more
        is asked once each was found.
        """
        usual = {"modified_from": reading.said(modified_from)} if modified_from else {}
        asked = (reading.STATES[state],) if state else _ANY
        if numbers:
            yield from self._named(numbers, asked, usual)
            return
        for status in asked:
            yield from self._listed(usual | {"status": status}, unread)

    def _named(
        self, numbers: Sequence[str], asked: Sequence[int], usual: Mapping[str, Any] | None = None
    ) -> Iterator[WarehouseOrder]:
        for some in chunks(numbers, _NUMBERS):
            left, names = set(some), {"order_numbers": ",".join(some)}
            for status in asked:
                found = self._listed({**(usual or {}), **names, "status": status}) if left else iter(())
                yield from _until_all(found, left)

    def _listed(self, filters: Mapping[str, Any], unread: Unreadable | None = None) -> Iterator[WarehouseOrder]:
        def read(row: OrderRow) -> WarehouseOrder:
            return reading.order_of(row, self.account, self._zone)

        return self._pages("orders", OrderRow, read, "order_number", filters, unread)

    def announce(self, expected: Expected) -> str:
        """Assumed. A number that is known is amended."""
        body = document(self._announcement(expected))
        try:
            self._client.request("POST", self._paths["announce"], json=body)
        except Rejected as refused:
            self._amend(expected.number, body, refused)
        return expected.number

    def _amend(self, number: str, body: Mapping[str, Any], refused: Rejected) -> None:
        """Which of the two is wrong DCL's codes do not say for sure: both answers are told."""
        try:
            self._client.request("PUT", f"{self._paths['announce']}/{number}", json=body, repeatable=True)
        except Rejected as again:
            words = f"Announced: {refused.message} Amended: {again.message}"
            raise Rejected(words, fields=again.fields or refused.fields, answer=again.answer) from None

    def _announcement(self, expected: Expected) -> Announcement:
        open_lines = [line for line in expected.lines if not line.closed and line.quantity]
        lines = [AnnouncedLine(line_number=one.line, item_number=one.sku, quantity=one.quantity) for one in open_lines]
        if not lines:
            raise Rejected(f"{expected.number} has nothing left to announce.")
        at = expected.expected_at.date().isoformat() if expected.expected_at else None
        return Announcement(
            po_number=expected.number,
            account_number=self.account,
            vendor=expected.vendor,
            expected_date=at,
            lines=lines,
        )

    def receipts(self, since: datetime, *, unread: Unreadable | None = None) -> Iterator[Receipt]:
        """Assumed."""

        def read(row: ReceiptRow) -> Receipt:
            return reading.receipt_of(row, self.account, self._zone)

        params = {"received_from": reading.said(since)}
        return self._pages("receipts", ReceiptRow, read, "receipt_id", params, unread)

    def items(self) -> Iterator[StockLevel]:
        """Assumed."""
        return self._pages("items", ItemRow, lambda row: reading.level_of(row, self._location), "item_number", {})

    def _pages(
        self,
        name: str,
        model: type[M],
        read: Callable[[M], T],
        key: str,
        params: Mapping[str, Any],
        unread: Unreadable | None = None,
    ) -> Iterator[T]:
        """A list to its end, which is an empty page, however short the ones before were."""

        def page(number: int) -> list[Any]:
            asked = {**params, "page": number, "page_size": PAGE}
            return reading.rows(self._client.request("GET", self._paths[name], params=asked).data, name)

        def called(row: Any) -> str:
            return str(row.get(key)) if isinstance(row, dict) else ""

        place = count()
        rows = numbered(page, called, size=PAGE)
        return each(
            rows,
            lambda row: read(reading.row(model, row, f"{name}[{next(place)}]")),
            unread,
            name=key,
            changed="modified_at",
        )


def _until_all(found: Iterator[WarehouseOrder], left: set[str]) -> Iterator[WarehouseOrder]:
    """Orders, until all that are ``left`` have come; what came is left no more."""
    for one in found:
        left.discard(one.order_ref)
        yield one
        if not left:
            return
