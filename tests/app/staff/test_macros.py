"""Macros at the console: a page for everybody, and of two who change the same one the second is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.kit.identity import Role
from engine.runtime import Runtime
from engine.support.macros import NAMES
from tests.app.staff.conftest import Console, Hire
from tests.shop import Shop


@pytest.mark.parametrize("role", list(Role))
def test_the_page_is_everybodys(
    runtime: Runtime, shop: Shop, hire: Hire, console: Callable[..., Console], role: Role
) -> None:
    page = console(runtime, hire(shop.tenant, role)).page("/staff/macros")
    assert page.status_code == 200
    assert 'href="/staff/macros" aria-current="page"' in page.text
    assert f'data-names="{" ".join(NAMES)}"' in page.text


def test_who_changes_what_was_changed_meanwhile_is_told(
    runtime: Runtime, shop: Shop, hire: Hire, console: Callable[..., Console]
) -> None:
    sam, noor = (console(runtime, hire(shop.tenant, Role.SUPPORT)) for _ in range(2))
    made = sam.post("/v1/staff/macros", {"name": "Hello", "body": "Hello {{ customer.first_name }}"}).json()
    path = f"/v1/staff/macros/{made['id']}"

    def change(by: Console, body: str, key: str, **more: int) -> tuple[int, str]:
        headers = {"X-Staff": "1", "Origin": "http://127.0.0.1:8000", "Idempotency-Key": key}
        answer = by.http.patch(path, json={"body": body} | more, headers=headers)
        return answer.status_code, answer.json().get("code") or answer.json()["body"]

    assert change(noor, "Hi", "a", version=1) == (200, "Hi")
    assert change(sam, "Hey", "b", version=1) == (409, "macro_changed")
    assert sam.get(f"/v1/macros/{made['id']}").json()["body"] == "Hi"
    assert change(sam, "Hey", "c", version=2) == (200, "Hey")
    assert change(noor, "{{ evil }}", "d") == (422, "macro_invalid")
