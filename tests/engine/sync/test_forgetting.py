"""Who is forgotten is forgotten in what went to other systems and came from them, and nobody else is."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote, urlencode

import pytest
from sqlalchemy import text

from engine.checks import check_tenant
from engine.db import Addresses
from engine.kit import clock
from engine.kit.tenancy import RUNTIME_ROLE
from engine.privacy import erasing
from engine.sync import exceptions, inbox, keeping
from engine.sync.errors import FieldFault, Rejected
from engine.sync.models import Call
from engine.sync.work_models import Delivery, ExceptionRow
from graph.checkpointer import setup
from tests.engine.customers.people import known
from tests.engine.sync.scene import Scene, connect
from tests.shop import Shop

TABLES = ("sync_calls", "sync_deliveries", "sync_exceptions")
HERS, OTHERS = "Ada@Example.com", "grace@example.com"


@pytest.fixture(autouse=True)
def _memory(addresses: Addresses) -> None:
    assert addresses.owner is not None
    setup(addresses.owner, RUNTIME_ROLE)


def tell(scene: Scene, email: str) -> None:
    """A call, a delivery and an exception about somebody."""
    scene.client().request("POST", "/orders", json={"email": email, "name": "Zaphod"})
    with scene.uow() as session:
        body = f'{{"email": "{email}", "name": "Zaphod"}}'.encode()
        inbox.receive(
            session, tenant_id=scene.tenant.id, source="shopify", delivery_id=email, topic="t", body=body, headers={}
        )
        exceptions.put(
            session,
            scene.tenant.id,
            workflow="w",
            workflow_id=email,
            subject="order #1",
            error=Rejected("No.", fields=[FieldFault("email", "no address")]),
            payload={"email": email, "name": "Zaphod"},
        )


def mentions(scene: Scene, word: str) -> dict[str, int]:
    with scene.uow() as session:
        count = "SELECT count(*) FROM app.{} t WHERE position(lower(:word) in lower(t::text)) > 0"
        said = "SELECT count(*) FROM app.sync_deliveries WHERE position(:word in convert_from(body, 'UTF8')) > 0"
        found = {table: session.scalar(text(count.format(table)), {"word": word}) or 0 for table in TABLES}
        return found | {"sync_deliveries": session.scalar(text(said), {"word": word}) or 0}


def test_what_names_their_address_says_nothing_any_more(shop: Shop) -> None:
    ada, scene = known(shop), connect(shop.runtime, shop.tenant)
    for email in (HERS, OTHERS):
        tell(scene, email)
    assert mentions(scene, "Zaphod") == dict.fromkeys(TABLES, 2)

    with shop.uow() as session:
        erasing.request(session, shop.tenant.id, ada.customer_id or "", requested_by="key_test", reason="asked")

    assert mentions(scene, "Zaphod") == dict.fromkeys(TABLES, 1)
    with shop.uow() as session:
        left = session.query(ExceptionRow).filter(ExceptionRow.status == "dismissed").one()
        assert (left.payload, left.fields, left.reason, left.closed_at is not None) == ({}, [], "erased", True)
        assert [row.delivery_id for row in inbox.claim(session, shop.tenant.id)] == [OTHERS]
        dead = session.query(Delivery).filter(Delivery.status == "dead").one()
        assert (dead.body, dead.error) == (b"", "erased")
        assert not inbox.receive(
            session, tenant_id=shop.tenant.id, source="shopify", delivery_id=HERS, topic="t", body=b"x", headers={}
        )[1]
    assert [r for r in check_tenant(shop.runtime, shop.tenant.id, shop.tenant.slug) if not r.ok] == []


def test_an_address_that_stands_in_the_path_or_a_form_is_found(shop: Shop) -> None:
    ada, scene = known(shop), connect(shop.runtime, shop.tenant)
    for email in ("ada@example.com", "grace@example.com"):
        scene.client().request("GET", f"/customers/{quote(email, safe='')}/Zaphod")
        scene.client().request("POST", "/search", content=urlencode({"of": email, "name": "Zaphod"}).encode())

    with shop.uow() as session:
        erasing.request(session, shop.tenant.id, ada.customer_id or "", requested_by="key_test", reason="asked")

    assert [(call.path, bool(call.request)) for call in scene.calls()] == [
        ("", False),
        ("", False),
        ("/customers/grace%40example.com/Zaphod", False),
        ("/search", True),
    ]


def test_what_is_old_goes_by_the_shops_own_policy(shop: Shop) -> None:
    scene = connect(shop.runtime, shop.tenant)
    tell(scene, OTHERS)
    with scene.uow() as session:
        (delivery,) = session.query(Delivery)
        (stopped,) = session.query(ExceptionRow)
        inbox.done(session, shop.tenant.id, delivery.id)
        exceptions.dismiss(session, shop.tenant.id, stopped.id, actor="stf_1")

    def left(days: int) -> list[int]:
        with clock.shifted(timedelta(days=days)):
            keeping.forget_old(shop.runtime, shop.tenant.id)
        with scene.uow() as session:
            return [session.query(model).count() for model in (Call, Delivery, ExceptionRow)]

    assert [left(29), left(31), left(181)] == [[1, 1, 1], [0, 0, 1], [0, 0, 0]]
