"""Letters of other systems: whose they are is proven by the raw body alone, and each is stored once."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest
from sqlalchemy import event

from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync import connections
from engine.sync.inbox import MOST_BYTES
from engine.sync.models import Connection, System
from engine.sync.work_models import Delivery
from tests.app.conftest import Browser
from tests.conftest import MakeTenant
from tests.engine.sync.scene import connect

FIRST, SECOND, FOREIGN = "shpss_first_secret", "shpss_second_secret", "shpss_of_another_shop"
BODY = b'{"id": 5001,  "name": "#1071"}'


def link(runtime: Runtime, tenant: Tenant, secret: str = FIRST, **more: Any) -> Connection:
    secrets = {"access_token": "shpat_0123456789", "webhook_secret": secret}
    return connect(runtime, tenant, secrets=secrets, **more).connection


def signed(secret: str, body: bytes = BODY, name: str = "w-1") -> dict[str, str]:
    mac = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    return {
        "X-Shopify-Hmac-Sha256": mac,
        "X-Shopify-Webhook-Id": name,
        "X-Shopify-Topic": "orders/create",
        "Content-Type": "application/json",
    }


def stored(runtime: Runtime, tenant: Tenant) -> list[Delivery]:
    with runtime.unit_of_work(tenant.id) as session:
        return list(session.query(Delivery).order_by(Delivery.id))


@pytest.fixture
def post(browser: Browser) -> Any:
    def send(connection: Connection, tenant: Tenant, headers: dict[str, str], body: bytes = BODY) -> int:
        path = f"/webhooks/sync/{connection.id}?shop={tenant.slug}"
        return int(browser.http.post(path, content=body, headers=headers).status_code)

    return send


def test_a_letter_is_stored_once_as_it_came(runtime: Runtime, tenant: Tenant, post: Any) -> None:
    row = link(runtime, tenant)

    assert [post(row, tenant, signed(FIRST)) for _ in range(3)] == [200, 200, 200]

    [kept] = stored(runtime, tenant)
    assert (kept.body, kept.topic, kept.delivery_id, kept.connection_id) == (BODY, "orders/create", "w-1", row.id)
    assert (kept.source, kept.status) == (f"shopify:{row.id}", "waiting")
    assert "hmac" not in str(kept.headers).lower()


def test_while_a_secret_is_replaced_both_count(runtime: Runtime, tenant: Tenant, post: Any) -> None:
    row = link(runtime, tenant)
    with runtime.unit_of_work(tenant.id) as session:
        given = {"webhook_secret": SECOND}
        connections.rotate(session, runtime, tenant.id, row.id, actor="key_test", secrets_given=given)

    assert post(row, tenant, signed(FIRST, name="w-1")) == 200
    assert post(row, tenant, signed(SECOND, name="w-2")) == 200
    assert len(stored(runtime, tenant)) == 2


@pytest.mark.parametrize(
    "headers",
    [
        signed("shpss_nobody"),
        signed(FIRST, BODY.replace(b"  ", b" ")),
        signed(FIRST) | {"X-Shopify-Hmac-Sha256": ""},
        {name: value for name, value in signed(FIRST).items() if "Hmac" not in name},
    ],
)
def test_what_is_not_signed_is_not_stored(runtime: Runtime, tenant: Tenant, post: Any, headers: dict[str, str]) -> None:
    row = link(runtime, tenant)
    assert post(row, tenant, headers) == 401
    assert stored(runtime, tenant) == []


def test_another_shops_secret_opens_nothing(
    runtime: Runtime, tenant: Tenant, make_tenant: MakeTenant, post: Any
) -> None:
    other = make_tenant()
    own, foreign = link(runtime, tenant), link(runtime, other, FOREIGN)

    assert post(own, tenant, signed(FOREIGN)) == 401
    assert post(own, other, signed(FIRST)) == 404
    assert post(own, other, signed(FOREIGN)) == 404
    assert post(foreign, other, signed(FOREIGN)) == 200
    assert (stored(runtime, tenant), len(stored(runtime, other))) == ([], 1)


def test_one_name_at_two_connections_is_two_letters(runtime: Runtime, tenant: Tenant, post: Any) -> None:
    one, other = link(runtime, tenant), link(runtime, tenant, SECOND, name="Second")
    assert (post(one, tenant, signed(FIRST)), post(other, tenant, signed(SECOND))) == (200, 200)
    assert len(stored(runtime, tenant)) == 2


def test_a_connection_that_rests_still_hears_and_one_that_is_closed_does_not(
    runtime: Runtime, tenant: Tenant, post: Any
) -> None:
    row = link(runtime, tenant)
    with runtime.unit_of_work(tenant.id) as session:
        connections.pause(session, tenant.id, row.id, actor="key_test", reason="holiday")
    assert post(row, tenant, signed(FIRST)) == 200
    with runtime.unit_of_work(tenant.id) as session:
        connections.close(session, tenant.id, row.id, actor="key_test", reason="over")
    assert post(row, tenant, signed(FIRST, name="w-2")) == 404
    assert len(stored(runtime, tenant)) == 1


def test_what_is_no_letter(runtime: Runtime, tenant: Tenant, post: Any, browser: Browser) -> None:
    row = link(runtime, tenant)
    nameless = {name: value for name, value in signed(FIRST).items() if name != "X-Shopify-Webhook-Id"}
    assert post(row, tenant, nameless) == 400
    large = b" " * (MOST_BYTES + 1)
    assert post(row, tenant, signed(FIRST, large), large) in {400, 413}
    path = {"webhook_path": "T1/B1/0123456789"}
    dumb = connect(runtime, tenant, name="Chat", system=System.SLACK, secrets=path).connection
    assert post(dumb, tenant, signed(FIRST)) == 404
    assert browser.http.post("/webhooks/sync/con_nobody", content=b"{}").status_code == 404
    assert browser.http.post(f"/webhooks/sync/{row.id}?shop=nobody", content=b"{}").status_code == 404
    assert stored(runtime, tenant) == []


def test_it_takes_one_short_transaction(runtime: Runtime, tenant: Tenant, post: Any) -> None:
    """Counted, not timed: what it costs is what it asks the database."""
    row, said = link(runtime, tenant), list[str]()
    engine = runtime.store.engine

    def heard(_conn: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        said.append(statement)

    event.listen(engine, "before_cursor_execute", heard)
    try:
        assert post(row, tenant, signed(FIRST)) == 200
    finally:
        event.remove(engine, "before_cursor_execute", heard)
    assert len(said) <= 10, said
