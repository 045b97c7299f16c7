"""Files of products: what they would change, item by item, all at once, again without effect, and back out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import event, func, select

from engine.catalog.bulk import exporting, running
from engine.catalog.bulk.running import Report, Verdict
from engine.catalog.bulk.streams import of_text
from engine.catalog.models import Product, Variant
from engine.checks import check_tenant
from engine.imports import kinds
from engine.inventory.models import StockLevel
from engine.kit.errors import InvalidInput
from tests.engine.catalog.test_authoring import staff
from tests.shop import Shop

CSV = """slug,title,category,description,status,materials,attribute:capacity,unit:capacity,sku,option:color,price,\
cost,weight_g,price:EUR,stock:EAST
steel-mug,Steel Mug,mugs,=HYPERLINK(1) a mug,active,steel | cork,1,l,MUG-RED,red,1900,700,120,1700,5
steel-mug,,,,,,,,MUG-BLUE,blue,2000,700,120,,
big-mug,Big Mug,mugs,,draft,,,,BIG-MUG,,-5,700,120,,
cup,Cup,Cups!,,draft,,,,CUP-ONE,,500,100,50,,
"""


def load(shop: Shop, text: str, form: str = "csv", **more: Any) -> Report:
    how = {"dry_run": False, "atomic": False} | more
    return kinds.run(shop.runtime, staff(shop), of_text(text), form, **how)


def counts(report: Report) -> tuple[int, ...]:
    return tuple(report.counts[one] for one in Verdict)


def products(shop: Shop) -> int:
    with shop.uow() as session:
        return session.scalar(select(func.count()).select_from(Product)) or 0


def test_a_dry_run_tells_and_keeps_nothing(shop: Shop) -> None:
    report = load(shop, CSV, dry_run=True)
    assert (counts(report), report.applied, products(shop)) == ((1, 0, 0, 2), False, 0)
    refused = [(row.line, row.key, row.problems) for row in report.rows if row.verdict == Verdict.REFUSED]
    assert refused == [
        (4, "big-mug", ["variants.0.price: at least 0"]),
        (5, "cup", ["category: 2 to 80 small letters and spaces, such as sleeping bags"]),
    ]


def test_all_at_once_is_none_with_one_that_is_bad(shop: Shop) -> None:
    report = load(shop, CSV, atomic=True)
    assert (counts(report), report.applied, products(shop)) == ((1, 0, 0, 2), False, 0)


def test_a_shelf_is_not_locked_for_longer_than_a_chunk(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """All at once is one transaction: what it holds of the stock, those who buy wait for."""
    monkeypatch.setattr(running, "CHUNK", 1)
    head = "slug,title,category,description,sku,price,cost,weight_g"
    goods = [f"mug-{n},Mug {n},mugs,A mug,MUG-{n},1900,700,120" for n in range(2)]
    with_stock = "\n".join([f"{head},stock:EAST", *(f"{row},5" for row in goods)])
    with pytest.raises(InvalidInput, match="at most 1 variants"):
        load(shop, with_stock, atomic=True)
    assert products(shop) == 0
    assert load(shop, "\n".join([head, *goods]), atomic=True).applied
    assert load(shop, with_stock).applied


def test_good_ones_go_in_and_a_second_time_nothing_changes(shop: Shop) -> None:
    report = load(shop, CSV)
    assert (counts(report), report.applied, products(shop)) == ((1, 0, 0, 2), True, 1)
    with shop.uow() as session:
        rows = session.execute(select(Variant.sku, Variant.title, StockLevel.on_hand).outerjoin(
            StockLevel, StockLevel.variant_id == Variant.id).order_by(Variant.sku)).all()  # fmt: skip
    assert [tuple(row) for row in rows] == [("MUG-BLUE", "Steel Mug (blue)", None), ("MUG-RED", "Steel Mug (red)", 5)]
    assert counts(load(shop, CSV)) == (0, 0, 1, 2)
    changed = load(shop, "slug,sku,price,stock:EAST\nsteel-mug,MUG-RED,2100,9\n")
    assert [(one.field, one.before, one.after) for one in changed.rows[0].changes] == [
        ("MUG-RED.price", 1900, 2100), ("MUG-RED.stock.EAST", 5, 9),
    ]  # fmt: skip
    assert [r for r in check_tenant(shop.runtime, shop.tenant.id, shop.tenant.slug) if not r.ok] == []


@pytest.mark.parametrize("form", ["csv", "json"])
def test_what_goes_out_comes_in_without_a_change(shop: Shop, form: str) -> None:
    load(shop, CSV)
    with shop.uow() as session:
        write = exporting.to_csv if form == "csv" else exporting.to_json
        text = write(session, shop.tenant.id)
    assert form == "json" or ",'=HYPERLINK(1) a mug" in text
    assert counts(load(shop, text, form)) == (0, 0, 1, 0)


@pytest.mark.parametrize("form", ["csv", "json"])
def test_many_products_go_out_in_a_few_reads_and_come_in_again(
    shop: Shop, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {"slug": f"p-{n}", "title": f"P {n}", "category": "things", "status": "active", "options": {"size": ["s", "l"]},
         "variants": [{"sku": f"SKU-{n}-{size.upper()}", "options": {"size": size}, "price": 100 + n, "weight_g": 1,
                       "prices": {"EUR": 90 + n}, "stock": {"EAST": n % 2}} for size in ("s", "l")]}
        for n in range(12)
    ]  # fmt: skip
    assert counts(load(shop, json.dumps({"products": rows}), "json")) == (12, 0, 0, 0)
    write = exporting.to_csv if form == "csv" else exporting.to_json

    def out(batch: int) -> tuple[str, int]:
        monkeypatch.setattr(exporting, "BATCH", batch)
        said: list[str] = []
        with shop.uow() as session:
            event.listen(session.connection(), "before_cursor_execute", lambda *args: said.append(args[2]))
            text = write(session, shop.tenant.id)
        batches = sum("FROM app.products" in one for one in said)
        assert len(said) <= 2 + 3 * batches  # prices, stock; products, their variants, the shop
        return text, batches

    whole, few = out(500)
    parts, more = out(5)
    assert parts == whole
    assert (few, more) == (1, 3)
    report = load(shop, whole, form)
    assert counts(report) == (0, 0, 12, 0)


def test_a_large_file_goes_in_by_chunks(shop: Shop) -> None:
    rows = [
        {"slug": f"p-{n}", "title": f"P {n}", "category": "things",
         "variants": [{"sku": f"SKU-{n}", "price": 100, "weight_g": 1}]}
        for n in range(250)
    ]  # fmt: skip
    report = load(shop, json.dumps({"products": rows}), "json")
    assert (counts(report), len(report.rows)) == ((250, 0, 0, 0), 250)


@pytest.mark.parametrize(("text", "form"), [("a,b\n1,2\n", "csv"), ("{", "json"), ('{"products": 1}', "json")])
def test_what_is_no_such_file(shop: Shop, text: str, form: str) -> None:
    with pytest.raises(InvalidInput):
        load(shop, text, form)
