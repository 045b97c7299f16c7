"""Purchases and transfers: what is to come, what came, what will not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Final

from engine.sync.canonical import Expected, ExpectedLine
from engine.sync.connectors.netsuite import reading, suiteql, wire
from engine.sync.connectors.netsuite.account import ANNOUNCED, Account, day
from engine.sync.connectors.netsuite.reading import RECORDS
from engine.sync.connectors.netsuite.selling import chosen
from engine.sync.connectors.netsuite.suiteql import Row, quoted, status_is
from engine.sync.errors import FieldFault, Rejected
from engine.sync.models import System
from engine.sync.port import Goods

TYPES: Final[dict[Goods, str]] = {"purchase": "PurchOrd", "transfer": "TrnfrOrd"}
AWAITED: Final[dict[Goods, str]] = {"purchase": "BDE", "transfer": "FE"}
"""Letters of what is still to be received; of a transfer, what left the other place."""
_HEADS: Final = (
    "SELECT id, tranid, status, lastmodifieddate, BUILTIN.DF(entity) AS vendor, location, transferlocation, {flag} "
    "FROM transaction WHERE type = '{type}' AND {status} ORDER BY id"
)
_LINES: Final = (
    "SELECT tl.transaction, tl.id, tl.item, tl.quantity, tl.quantityshiprecv, tl.isclosed "
    "FROM transactionline tl INNER JOIN transaction t ON t.id = tl.transaction "
    "WHERE t.type = '{type}' AND {status} AND tl.mainline = 'F' AND tl.taxline = 'F' "
    "ORDER BY tl.transaction, tl.linesequencenumber"
)
_ONE: Final = "SELECT id, lastmodifieddate, {flag} FROM transaction WHERE type = '{type}' AND id = {id}"
_BY_NUMBER: Final = "SELECT id, type FROM transaction WHERE type IN ('PurchOrd', 'TrnfrOrd') AND tranid = {number}"


def expected(account: Account, kinds: Iterable[Goods]) -> Iterator[Expected]:
    """Two queries for each kind, however many there are. Of a transfer what came already is only in its record."""
    flag = account.setting("announced_flag", ANNOUNCED)
    for kind in kinds:
        letters, short = AWAITED[kind], TYPES[kind]
        heads = _HEADS.format(flag=flag, type=short, status=status_is("status", short, letters))
        lines = _LINES.format(type=short, status=status_is("t.status", short, letters))
        by_order = {
            key: list(rows) for key, rows in groupby(account.queries.rows(lines), lambda row: row["transaction"])
        }
        skus = _skus(account, by_order.values())
        for row in account.queries.rows(heads):
            found = [_line(one, skus, kind) for one in by_order.get(row["id"], []) if one.get("item") in skus]
            yield _head(account, kind, row, flag, found)


def _skus(account: Account, orders: Iterable[list[Row]]) -> dict[str, str]:
    ids = {row["item"] for rows in orders for row in rows if "item" in row}
    return {one: item.sku for one, item in account.catalogue.by_ids(ids).items() if item.goods}


def _line(row: Row, skus: Mapping[str, str], kind: Goods) -> ExpectedLine:
    where = f"item.{row['id']}.quantity"
    came = row.get("quantityshiprecv") if kind == "purchase" else None
    return ExpectedLine(
        line=int(row["id"]),
        sku=skus[row["item"]],
        quantity=reading.units(abs(suiteql.units(row.get("quantity"))), where),
        received=reading.units(suiteql.units(came), where),
        closed=suiteql.truth(row.get("isclosed")),
    )


def _head(account: Account, kind: Goods, row: Row, flag: str, lines: list[ExpectedLine]) -> Expected:
    return Expected(
        source=System.NETSUITE,
        account=account.number,
        source_id=row["id"],
        raw=dict(row),
        kind=kind,
        number=row.get("tranid", ""),
        vendor=row.get("vendor", ""),
        location=row.get("location" if kind == "purchase" else "transferlocation", ""),
        changed_at=row.get("lastmodifieddate", ""),
        announced=suiteql.truth(row.get(flag.lower())),
        lines=tuple(lines),
    )


def one(account: Account, kind: Goods, id: str) -> Expected | None:  # noqa: A002 (what it is)
    """As its record has it."""
    raw = account.records.read(RECORDS[kind], id)
    if raw is None:
        return None
    flag = account.setting("announced_flag", ANNOUNCED)
    text = _ONE.format(flag=flag, type=TYPES[kind], id=reading.transaction(raw).id)
    row: Row = next(iter(account.queries.rows(text)), {})
    items = account.catalogue.by_ids(line.item.id for line in reading.transaction(raw).item.items)
    return reading.expected(
        raw,
        kind=kind,
        account=account.number,
        items={number: item for number, item in items.items() if item.goods},
        currencies=account.currencies,
        changed_at=row.get("lastmodifieddate", ""),
        announced=suiteql.truth(row.get(flag.lower())),
    )


def find(account: Account, number: str) -> tuple[Goods, str] | None:
    """By what people call it."""
    kinds = {short: kind for kind, short in TYPES.items()}
    for row in account.queries.rows(_BY_NUMBER.format(number=quoted(number))):
        return kinds[row["type"]], row["id"]
    return None


def receive(account: Account, kind: Goods, id: str, external_id: str, lines: Mapping[int, int], at: str) -> str:  # noqa: A002 (what it is)
    """Book goods in; lines that are not named stay as they are."""
    return account.once("itemReceipt", external_id, lambda: _receive(account, kind, id, external_id, lines, at))


def _receive(account: Account, kind: Goods, id: str, external_id: str, lines: Mapping[int, int], at: str) -> str:  # noqa: A002 (what it is)
    read = reading.transaction(account.must_read(RECORDS[kind], id))
    known = {one.line: one for one in read.item.items}
    if strange := sorted(set(lines) - set(known)):
        faults = [FieldFault(f"lines.{line}", "the order has no such line") for line in strange]
        raise Rejected("Goods came for lines that the order has not.", fields=faults)
    offered = {line: lines.get(line, 0) for line, one in known.items() if lines.get(line) or not one.is_closed}
    body = wire.ReceiptBody(external_id=external_id, tran_date=day(at), item=chosen(offered, None))
    return account.records.transform(RECORDS[kind], id, "itemReceipt", external_id, body)
