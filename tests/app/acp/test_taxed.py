"""Sessions of a shop whose taxes somebody else works out: asked between transactions, once, whoever dies."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.site import Site
from engine.checkout.models import CheckoutSession
from engine.kit import clock
from engine.kit.idempotency import LEASE
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.orders.models import Order
from engine.tax.engine import Answer, EngineSilent, Question
from engine.tax.levies import Part, Taxed
from engine.tax.models import TaxQuote
from engine.tax.policy import TaxPolicy
from tests.app.acp.conftest import ADDRESS, BUYER, Checkout, codes, total
from tests.app.conftest import counted
from tests.shop import Shop


class Died(BaseException):
    """The process, in the middle of it."""


class Far:
    """A tax engine far away: a tenth of everything, or silence, or our own death while it is asked."""

    name = "stripe_tax"

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.asked: list[Question] = []
        self.silent = self.deadly = False

    def calculate(self, question: Question, *, merchant: str, key: str) -> Answer:  # noqa: ARG002 (the port)
        assert counted(self.shop, CheckoutSession) == 1, "it is asked before anything was committed"
        self.asked.append(question)
        if self.deadly:
            raise Died
        if self.silent:
            raise EngineSilent("It does not answer.")
        lines = {one.reference: _tenth(one.amount) for one in question.lines}
        return Answer(f"taxcalc_{len(self.asked)}", lines, _tenth(question.shipping))

    def file_sale(self, calculation_id: str, *, merchant: str, reference: str) -> str:  # noqa: ARG002 (the port)
        return f"tx_{calculation_id}"

    def file_reversal(self, transaction_id: str, *, merchant: str, amount: int, reference: str) -> str:  # noqa: ARG002 (the port)
        return f"back_{transaction_id}"


def _tenth(amount: int) -> Taxed:
    return Taxed(amount // 10, (Part("WA", "region", 100_000, amount // 10),)) if amount else Taxed(0, ())


@pytest.fixture
def far(shop: Shop, site: Site) -> Far:
    found = Far(shop)
    site.opened = replace(shop.runtime, tax_engines={found.name: found})
    shop.add("TENT", price=5000)
    with shop.uow() as session:
        change_policy(session.get_one(Tenant, shop.tenant.id), TaxPolicy, {"engine": "stripe_tax"})
    return found


def test_a_session_is_taxed_when_it_is_opened_and_updated_and_pays(buying: Checkout, far: Far, shop: Shop) -> None:
    session = buying.opened("TENT")
    assert (session["status"], len(far.asked)) == ("ready_for_payment", 1)
    # 50.00 and 5.95 to ship it, and a tenth of both
    assert total(session) == 5595 + 500 + 59
    again = buying.update(session, {}).json()
    assert (total(again), len(far.asked)) == (total(session), 1)
    more = buying.update(session, {"line_items": [{"id": shop.variants["TENT"], "quantity": 2}]}).json()
    assert (more["status"], total(more), len(far.asked)) == ("ready_for_payment", 10595 + 1000 + 59, 2)
    paid = buying.complete(more, buying.token(more)).json()

    assert (paid["status"], paid["totals"], len(far.asked)) == ("completed", more["totals"], 2)
    with shop.uow() as db:
        assert [row.total for row in db.scalars(select(Order))] == [total(more)]


def test_without_an_address_there_is_nothing_to_ask(buying: Checkout, far: Far) -> None:
    session = buying.agent.post("/checkout_sessions", buying.wish("TENT")).json()
    assert (session["status"], far.asked) == ("not_ready_for_payment", [])
    said = {"buyer": BUYER, "fulfillment_details": {"address": ADDRESS}}
    assert buying.update(session, said).json()["status"] == "ready_for_payment"


def test_an_answer_that_lapsed_is_asked_for_again_by_complete(buying: Checkout, far: Far) -> None:
    session = buying.opened("TENT")
    token = buying.token(session)
    with buying.shop.uow() as db:
        db.scalars(select(TaxQuote)).one().expires_at = clock.now()
    read = buying.get(session)
    assert (read["status"], len(far.asked)) == ("not_ready_for_payment", 1)
    (said,) = read["messages"]
    assert (said["code"], said["param"], said["resolution"]) == ("expired", "$.totals", "recoverable")
    assert "no tax" in said["content"]
    assert (buying.complete(session, token).json()["status"], len(far.asked)) == ("completed", 2)


def test_a_silent_engine_is_told_and_the_session_is_payable_when_it_speaks(buying: Checkout, far: Far) -> None:
    far.silent = True
    session = buying.opened("TENT")
    assert session["status"] == "not_ready_for_payment"
    (said,) = session["messages"]
    assert (said["code"], said["param"], said["resolution"]) == ("unsupported", "$.totals", "recoverable")
    assert buying.get(session)["messages"] == session["messages"]
    refused = buying.complete(session, buying.token(session, amount=9000))
    assert (refused.json()["status"], counted(buying.shop, Order)) == ("not_ready_for_payment", 0)
    far.silent = False
    with clock.shifted(timedelta(seconds=30)):
        assert buying.complete(session, buying.token(session, amount=9000)).json()["status"] == "completed"


def test_whoever_dies_while_it_is_asked_leaves_one_session(buying: Checkout, far: Far, shop: Shop) -> None:
    wish = buying.wish("TENT") | {"buyer": BUYER, "fulfillment_details": {"address": ADDRESS}}
    far.deadly = True
    with contextlib.suppress(Died):
        buying.agent.post("/checkout_sessions", wish, key="k")
    assert len(far.asked) == 1
    far.deadly = False
    assert buying.agent.post("/checkout_sessions", wish, key="k").status_code == 409
    with clock.shifted(LEASE):
        made = buying.agent.post("/checkout_sessions", wish, key="k")
        again = buying.agent.post("/checkout_sessions", wish, key="k")
    assert (made.status_code, made.json()["status"]) == (201, "ready_for_payment")
    assert (again.content, again.headers["idempotent-replayed"]) == (made.content, "true")
    assert (counted(shop, CheckoutSession), codes(made.json())) == (1, [])
