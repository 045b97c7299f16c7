"""Support and approvals over HTTP: the whole way of a case, and what waits for another person's yes."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from engine.approvals.models import Approval
from engine.conversations import handoff
from engine.conversations.models import Thread
from engine.conversations.service import thread_for
from engine.customers import service as customers
from engine.jobs import tell_conversations
from engine.kit.ids import new_id
from engine.kit.tenancy import ApiKey, Tenant, hash_secret
from engine.policies import set_policy
from engine.support.models import Case
from tests.app.conftest import Browser, counted
from tests.engine.orders.desk import buy, rule
from tests.shop import Shop


@pytest.fixture
def key_of(runtime) -> Any:
    """A key of a person of the shop."""

    def make(tenant: Tenant, person: str | None, *scopes: str) -> str:
        secret = "ick_" + new_id("key")
        with runtime.store.without_tenant() as session:
            session.add(
                ApiKey(
                    id=new_id("key"),
                    key_hash=hash_secret(secret),
                    tenant_id=tenant.id,
                    scopes=list(scopes or ("staff",)),
                    person=person,
                )
            )
        return f"Bearer {secret}"

    return make


def hand_over(shop: Shop, thread_id: str) -> None:
    with shop.uow() as session:
        owner = session.get_one(Thread, (shop.tenant.id, thread_id)).owner_id
        shopper = customers.shopper(session, shop.tenant.id, owner)
        assert shopper is not None
        thread_for(session, shopper, thread_id)
        handoff.request(session, shopper, thread_id, reason="complaint", summary="The pole broke.")


def test_the_whole_way_of_a_case(open_browser, shop: Shop, key_of) -> None:
    shopper, desk = open_browser(), open_browser()
    thread = shopper.start(shop.tenant)
    hand_over(shop, thread)
    ann = {"authorization": key_of(shop.tenant, "ann")}
    bob = {"authorization": key_of(shop.tenant, "bob")}

    (case,) = desk.get("/v1/cases?queue=true", **ann).json()["items"]
    assert (case["status"], case["priority"], case["assignee"]) == ("open", "high", None)
    taken = desk.post("/v1/staff/cases/next", **ann).json()
    assert (taken["id"], taken["assignee"]) == (case["id"], "ann")
    empty = desk.post("/v1/staff/cases/next", **bob)
    assert (empty.status_code, empty.json()["code"]) == (409, "queue_empty")
    late = desk.post(f"/v1/staff/cases/{case['id']}/assign", {"assignee": "me", "expected": None}, **bob)
    assert (late.status_code, late.json()["code"]) == (409, "case_taken")

    noted = desk.post(f"/v1/staff/cases/{case['id']}/notes", {"text": "Secret word"}, **bob)
    assert [note["text"] for note in noted.json()["notes"]] == ["Secret word"]
    macro = desk.post("/v1/staff/macros", {"name": "Hi", "body": "About {{case.number}}:"}, **ann).json()
    once = [
        desk.post(f"/v1/staff/cases/{case['id']}/reply", {"macro_id": macro["id"]}, key="one", **ann) for _ in range(2)
    ]
    assert [answer.json()["status"] for answer in once] == ["waiting_customer"] * 2
    seen = shopper.get(f"/v1/threads/{thread}").json()
    assert (seen["mode"], [one["content"] for one in seen["messages"]]) == ("human", [f"About {case['number']}:"])

    assert shopper.say(thread, "Thank you").status_code == 202
    assert desk.get(f"/v1/cases/{case['number']}", **ann).json()["status"] == "waiting_staff"
    done = desk.post(f"/v1/staff/cases/{case['id']}/resolve", {"text": "Bye!"}, **ann).json()
    assert (done["status"], done["due_at"]) == ("resolved", None)
    after = shopper.get(f"/v1/threads/{thread}").json()
    assert (after["mode"], after["messages"][-1]["content"]) == ("agent", "Bye!")
    assert "Secret word" not in str(after)
    assert desk.post(f"/v1/staff/cases/{case['id']}/reopen", **bob).json()["assignee"] == "ann"
    assert desk.get("/v1/cases?assignee=me", **ann).json()["items"][0]["id"] == case["id"]
    assert desk.get("/v1/cases?assignee=me", **bob).json()["items"] == []
    assert desk.get("/v1/cases?status=nonsense", **bob).status_code == 400


def test_clients_that_ask_at_once_get_other_cases(open_browser, shop: Shop, key_of) -> None:
    desk = open_browser()
    ann = {"authorization": key_of(shop.tenant, "ann")}
    made = {desk.post("/v1/staff/cases", {"subject": f"Case {n}"}, **ann).json()["id"] for n in range(15)}
    keys = [key_of(shop.tenant, f"person-{number}") for number in range(15)]
    got: list[str] = []

    def ask(browser: Browser, key: str) -> None:
        got.append(browser.post("/v1/staff/cases/next", authorization=key).json()["id"])

    threads = [threading.Thread(target=ask, args=(open_browser(), key)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(got), set(got)) == (15, made)


def test_above_the_limit_it_is_202_and_another_persons_yes_does_it(open_browser, shop: Shop, key_of) -> None:
    shop.add("TENT", price=10000)
    order = buy(shop, "TENT").order_id
    desk = open_browser()
    ann, bob = ({"authorization": key_of(shop.tenant, name)} for name in ("ann", "bob"))
    with shop.uow() as session:
        set_policy(session, shop.tenant.id, "approvals", {"refund_limit": 1000}, actor="test")
    asked = {"order_id": order, "amount": 1000, "reason": "A scratch"}
    done = desk.post("/v1/staff/refunds", asked, **ann)
    assert (done.status_code, done.json()["status"]) == (200, "done")

    waits = [desk.post("/v1/staff/refunds", asked | {"note": "Twice"}, key="two", **ann) for _ in range(2)]
    assert [(answer.status_code, answer.json()["status"]) for answer in waits] == [(202, "pending_approval")] * 2
    approval = waits[0].json()["approval"]
    url = f"/v1/staff/approvals/{approval['id']}"
    own = desk.post(f"{url}/approve", **ann)
    assert (own.status_code, own.json()["code"]) == (403, "own_request")
    other = {"authorization": key_of(shop.tenant, "ann", "admin")}
    assert desk.post(f"{url}/approve", **other).status_code == 403

    said = [desk.post(f"{url}/approve", {"note": "Fine"}, key="yes", **bob).json() for _ in range(2)]
    assert [(one["status"], one["note"]) for one in said] == [("approved", "Fine")] * 2
    assert desk.post(f"{url}/decline", **bob).json()["code"] == "approval_decided"
    refunds = desk.get(f"/v1/refunds?order_id={order}", **ann).json()["items"]
    assert sorted(one["amount"]["amount"] for one in refunds) == [1000, 1000]
    assert [one["id"] for one in desk.get("/v1/approvals?status=approved", **ann).json()["items"]] == [approval["id"]]
    assert desk.get(f"/v1/approvals/{approval['id']}", **ann).json()["outcome"]["order_id"] == order


def test_stock_above_the_limit_is_202(open_browser, shop: Shop, key_of) -> None:
    shop.add("MUG", stock={"EAST": 50})
    desk, ann = open_browser(), {"authorization": key_of(shop.tenant, "ann")}
    wanted = {"sku": "MUG", "location": "EAST", "delta": -21, "reason": "Flood"}

    answer = desk.post("/v1/staff/inventory/adjust", wanted, **ann)

    assert (answer.status_code, answer.json()["approval"]["kind"]) == (202, "write_off")
    assert desk.post("/v1/staff/inventory/adjust", wanted | {"delta": -20}, **ann).status_code == 200


def test_a_change_above_the_limit_is_202_and_approved_it_is_made(open_browser, shop: Shop, key_of) -> None:
    shop.add("TENT", price=10000)
    order = buy(shop, "TENT")
    rule(shop, staff_refund_limit=1000)
    desk = open_browser()
    ann, bob = ({"authorization": key_of(shop.tenant, name)} for name in ("ann", "bob"))
    url = f"/v1/orders/{order.order_id}/changes"
    change = desk.post(url, {"kind": "cancel", "reason": "other"}, **ann).json()

    waits = [desk.post(f"/v1/staff/orders/{order.order_id}/changes/{change['id']}/apply", **ann) for _ in range(2)]

    assert [answer.status_code for answer in waits] == [202, 202]
    assert counted(shop, Approval) == 1
    approval = waits[0].json()["approval"]
    assert desk.post(f"/v1/staff/approvals/{approval['id']}/approve", **bob).json()["status"] == "approved"
    assert order.look().status == "canceled"


def test_from_a_case_its_conversation_hears(open_browser, shop: Shop, key_of) -> None:
    shopper, desk = open_browser(), open_browser()
    thread = shopper.start(shop.tenant)
    hand_over(shop, thread)
    ann, bob = ({"authorization": key_of(shop.tenant, name)} for name in ("ann", "bob"))
    case = desk.post("/v1/staff/cases/next", **ann).json()["id"]
    asked = {"percent_off": 50, "case_id": case, "note": "Angry person"}
    approval = desk.post("/v1/staff/courtesy-codes", asked, **ann).json()["approval"]
    assert desk.post("/v1/staff/courtesy-codes", asked | {"case_id": "cas_x"}, **ann).status_code == 404

    desk.post(f"/v1/staff/approvals/{approval['id']}/approve", {"note": "Hush"}, **bob)
    tell_conversations(shop.runtime, shop.tenant.id)

    (heard,) = [one["content"] for one in shopper.get(f"/v1/threads/{thread}").json()["messages"]]
    assert heard.startswith("Good news: here is a code for your next order, good for one use: TY-")
    assert counted(shop, Case) == 1
