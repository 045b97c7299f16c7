"""What somebody sends as a name comes back to them only when it looks like one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.kit.ids import echo
from tests.app.conftest import Browser
from tests.shop import Shop

RAW = ("<script>alert(1)</script>", "4242 4242 4242 4242", "4242-4242-4242-4242", "x" * 41, "a b", "Ünïcode", "")


@pytest.mark.parametrize("value", ["SKU-1", "FN-BLU", "var_01jabc", "a.b/c", "x" * 40])
def test_names_are_shown(value: str) -> None:
    assert echo(value, "of that name") == value


@pytest.mark.parametrize("value", RAW)
def test_anything_else_is_not(value: str) -> None:
    assert echo(value, "of that name") == "of that name"


@pytest.mark.parametrize("raw", RAW[:3])
def test_staff_see_no_raw_input_in_a_refusal(
    shop: Shop, open_browser: Callable[[], Browser], make_key: Callable[..., str], raw: str
) -> None:
    shop.add("A")
    desk, key = open_browser(), make_key(shop.tenant, "staff", "admin", "ops")
    url = "/v1/staff/inventory"
    file = f"sku,location,on_hand\n{raw},EAST,1\nA,{raw},1\nA,EAST,{raw}\n"
    answers = [
        desk.post(f"{url}/adjust", {"sku": raw, "location": "EAST", "delta": 1, "reason": "x"}, authorization=key),
        desk.post(f"{url}/adjust", {"sku": "A", "location": raw, "delta": 1, "reason": "x"}, authorization=key),
        desk.post(f"{url}/import?dry_run=true", {"csv": file}, authorization=key),
        desk.get(f"/v1/staff/policies/{raw.replace('/', '')}", authorization=key),
    ]
    assert [answer.status_code for answer in answers][:3] == [404, answers[1].status_code, 200]
    assert {answers[1].status_code, answers[3].status_code} <= {400, 404}
    assert all(raw not in answer.text for answer in answers)
