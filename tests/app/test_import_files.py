"""``icommerce import products`` and ``promotions``: the good rows go in, the bad ones are told, and it is a failure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import select
from typer.testing import CliRunner

from app.cli import app
from engine.carts.models import Discount
from engine.catalog.models import Variant
from engine.inventory.models import StockLevel
from tests.shop import Shop

PRODUCTS = """slug,title,category,status,sku,price,weight_g,stock:EAST
mug,Mug,mugs,active,MUG,1900,120,5
cup,Cup,mugs,active,CUP,-1,120,
"""
PROMOTIONS = """code,title,percent_off
TEN,Ten,10
ALL,All,100
"""
Run = Callable[..., Result]


@pytest.fixture
def run(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    @contextmanager
    def opened(*_: object, **__: object) -> Iterator[object]:
        yield shop.runtime

    monkeypatch.setattr("app.commands.opened.runtime", opened)

    def invoke(kind: str, text: str, *options: str, name: str = "file.csv") -> Result:
        file = tmp_path / name
        file.write_text(text, encoding="utf-8-sig")
        return CliRunner().invoke(app, ["import", kind, "--tenant", shop.tenant.slug, str(file), *options])

    return invoke


def there(shop: Shop) -> tuple[list[Any], list[Any]]:
    with shop.uow() as session:
        return (
            list(session.scalars(select(Variant.sku).order_by(Variant.sku))),
            list(session.scalars(select(Discount.code).order_by(Discount.code))),
        )


def test_products_are_told_and_then_brought_in(shop: Shop, run: Run) -> None:
    tried = run("products", PRODUCTS, "--dry-run")
    assert (tried.exit_code, there(shop)) == (1, ([], []))
    lines = tried.stdout.splitlines()
    assert lines[0] == "line 2: mug added: MUG.stock.EAST None → 5"
    assert lines[1].startswith("line 3: cup refused: variants.0.price: ")
    assert lines[2] == "1 added, 0 changed, 0 unchanged, 1 refused: nothing was changed."
    done = run("products", PRODUCTS)
    assert (done.exit_code, there(shop)) == (1, (["MUG"], []))
    assert done.stdout.splitlines()[-1] == "1 added, 0 changed, 0 unchanged, 1 refused: in the shop."
    with shop.uow() as session:
        assert list(session.scalars(select(StockLevel.on_hand))) == [5]
    good = "".join(PRODUCTS.splitlines(keepends=True)[:2])
    again = run("products", good.replace("1900", "2100"))
    assert again.exit_code == 0
    assert again.stdout.splitlines()[0] == "line 2: mug changed: MUG.price 1900 → 2100"


def test_all_or_nothing(shop: Shop, run: Run) -> None:
    done = run("products", PRODUCTS, "--atomic")
    assert (done.exit_code, there(shop)) == (1, ([], []))
    assert done.stdout.splitlines()[-1].endswith("nothing was changed.")


def test_promotions_go_by_what_one_person_may_give_away(shop: Shop, run: Run) -> None:
    done = run("promotions", PROMOTIONS)
    assert (done.exit_code, there(shop)) == (1, ([], ["TEN"]))
    assert done.stdout.splitlines() == [
        "line 2: TEN added",
        "line 3: ALL refused: More than 50 % off takes another person's approval.",
        "1 added, 0 changed, 0 unchanged, 1 refused: in the shop.",
    ]


def test_lines_of_json_and_an_answer_in_json(shop: Shop, run: Run) -> None:
    text = json.dumps({"code": "TEN", "title": "Ten", "percent_off": 10}) + "\n"
    done = run("promotions", text, "--json", name="file.jsonl")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["counts"]["added"], told["applied"]) == (0, 1, True)
    assert there(shop) == ([], ["TEN"])


def test_what_is_no_such_file_changes_nothing(shop: Shop, run: Run) -> None:
    done = run("products", "a,b\n1,2\n")
    assert done.exit_code != 0
    assert there(shop) == ([], [])
