"""``icommerce import stock``: shows the difference first, changes it when told to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import app
from tests.engine.inventory.stocked import levels
from tests.shop import Shop


@pytest.fixture
def run(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    @contextmanager
    def opened(*_: object, **__: object) -> Iterator[object]:
        yield shop.runtime

    monkeypatch.setattr("app.commands.opened.runtime", opened)
    file = tmp_path / "stock.csv"

    def invoke(text: str, *options: str) -> Any:
        file.write_text(text, encoding="utf-8-sig")
        return CliRunner().invoke(app, ["import", "stock", "--tenant", shop.tenant.slug, str(file), *options])

    return invoke


def test_a_file_is_shown_and_then_applied(shop: Shop, run: Any) -> None:
    shop.add("AAA", stock={"EAST": 5})
    text = "sku,location,on_hand\nAAA,EAST,7\n"
    shown = run(text)
    assert (shown.exit_code, shown.stdout.splitlines()) == (
        0,
        ["AAA at EAST: on_hand 5 → 7", "1 rows, 1 differ: use --apply to change it."],
    )
    assert levels(shop, "AAA") == {"EAST": (5, 0)}
    assert run(text, "--apply").stdout.splitlines()[-1] == "1 rows, 1 differ: applied."
    assert levels(shop, "AAA") == {"EAST": (7, 0)}


def test_a_bad_row_ends_in_a_failure(shop: Shop, run: Any) -> None:
    shop.add("AAA", stock={"EAST": 5})
    done = run("sku,location,on_hand\nAAA,EAST,7\nBBB,EAST,1\n", "--apply")
    assert done.exit_code == 1
    assert "line 3: There is no item BBB." in done.stdout
    assert levels(shop, "AAA") == {"EAST": (5, 0)}
