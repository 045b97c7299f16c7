"""The console's page of rules, and the shape of a section: for admins to change, from the policy's own schema."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.kit.identity import Role
from engine.policies import POLICIES
from engine.runtime import Runtime
from tests.app.conftest import Browser
from tests.app.staff.conftest import Console, Hire
from tests.shop import Shop


@pytest.mark.parametrize("role", list(Role))
def test_the_page_is_the_admins(
    runtime: Runtime, shop: Shop, hire: Hire, console: Callable[..., Console], role: Role
) -> None:
    by = console(runtime, hire(shop.tenant, role))
    assert by.page("/staff/tenant?section=returns").status_code == (200 if role is Role.ADMIN else 403)


def test_every_section_says_what_may_be_said_in_it(shop: Shop, browser: Browser, make_key: Callable[..., str]) -> None:
    key = make_key(shop.tenant, "staff")
    for section in POLICIES:
        shape = browser.get(f"/v1/staff/policies/{section}/shape", Authorization=key).json()
        values = browser.get(f"/v1/staff/policies/{section}", Authorization=key).json()["values"]
        assert set(shape["fields"]) == set(shape["defaults"])
        assert shape["defaults"] == values
    assert browser.get("/v1/staff/policies/weather/shape", Authorization=key).status_code == 400


def test_who_saves_rules_that_somebody_else_changed_is_told(
    shop: Shop, browser: Browser, make_key: Callable[..., str]
) -> None:
    path, key = "/v1/staff/policies/returns", make_key(shop.tenant, "admin")

    def change(values: dict[str, int], seen: str | None = None) -> tuple[int, str]:
        match = {"If-Match": f'"{seen}"'} if seen else {}
        headers = {"Authorization": key, "Idempotency-Key": f"{values}{seen}"} | match
        answer = browser.http.patch(path, json=values, headers=headers)
        return answer.status_code, answer.json().get("code") or answer.json()["version"]

    read = browser.get(path, Authorization=key).json()["version"]
    status, after = change({"window_days": 45}, read)
    assert (status, after != read) == (200, True)
    assert change({"review_days": 3}, read) == (409, "policy_changed")
    values = browser.get(path, Authorization=key).json()["values"]
    assert (values["window_days"], values["review_days"] != 3) == (45, True)
    assert change({"review_days": 3}, after)[0] == 200
    assert change({"review_days": 4})[0] == 200


def test_what_a_rule_means_stands_beside_it(shop: Shop, browser: Browser, make_key: Callable[..., str]) -> None:
    key = make_key(shop.tenant, "staff")
    fields = browser.get("/v1/staff/policies/approvals/shape", Authorization=key).json()["fields"]
    [money, _] = fields["refund_limit"]["anyOf"]
    assert money["format"] == "money"
    assert fields["refund_limit"]["description"]
