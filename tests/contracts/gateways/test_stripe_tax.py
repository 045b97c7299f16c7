"""Stripe Tax behind the port, by the official SDK, and sales whose taxes it worked out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from engine.checkout import service
from engine.checkout.complete import Result, complete
from engine.checkout.duty import BY_TABLES, TAX_OPEN, TAX_UNKNOWN
from engine.checkout.errors import CheckoutIncomplete
from engine.checkout.schemas import CheckoutView
from engine.checkout.taxing import with_tax
from engine.checks import check_tenant
from engine.db import Addresses, Store
from engine.kit import clock
from engine.kit.identity import Identity
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.orders.errors import NotDeliverable
from engine.orders.models import Order, OrderLine
from engine.orders.tax_filing import ALERT, MAX_ATTEMPTS, file_taxes
from engine.payments.models import Alert
from engine.runtime import Runtime
from engine.tax.engine import AskedLine, EngineRefused, EngineSilent, Question
from engine.tax.models import TaxFiling, TaxQuote
from engine.tax.policy import TaxPolicy
from engine.tax.stripe_tax import StripeTax
from tests.contracts.gateways.bench import StripeHands
from tests.contracts.gateways.stripe_double import StripeDouble, desk_of
from tests.contracts.gateways.stripe_tax_desk import TaxDesk
from tests.engine.orders.desk import Desk, sibling
from tests.shop import ADDRESS, Shop, open_shop

CALCULATE = "/v1/tax/calculations"
CODES = {"food": "txcd_40060003"}


@pytest.fixture
def desk(stripe: StripeHands) -> TaxDesk:
    """WA: 6.5 % of the state and 2.35 % of the city; food is free."""
    found = desk_of(stripe.ledger)
    found.rates["WA"] = [("Washington", "state", "6.5"), ("Seattle", "city", "2.35")]
    found.by_code["txcd_40060003"] = "0"
    return found


@pytest.fixture
def engine(store: Store, addresses: Addresses, double: StripeDouble, stripe: StripeHands) -> StripeTax:
    return StripeTax(store, addresses.secret_key, api_base=double.url)


@pytest.fixture
def shop(runtime: Runtime, tenant: Tenant, desk: TaxDesk, engine: StripeTax) -> Shop:
    found = open_shop(replace(runtime, tax_engines={engine.name: engine}), tenant)
    rule(found, engine="stripe_tax", tax_codes=CODES)
    found.add("A")
    found.add("B", price=2000, tax_category="food")
    return found


def rule(shop: Shop, **values: Any) -> None:
    with shop.uow() as session:
        change_policy(session.get_one(Tenant, shop.tenant.id), TaxPolicy, values)


def say(shop: Shop, buyer: Identity, **said: str) -> CheckoutView:
    details = service.Details(**({"email": "ada@example.com"} | ADDRESS | said))
    return with_tax(shop.runtime, buyer, lambda session: service.update(session, buyer, details))


def asked(double: StripeDouble) -> int:
    return sum(path == CALCULATE for _, path in double.calls)


def question(**fields: Any) -> Question:
    usual: dict[str, Any] = {
        "engine": "stripe_tax",
        "currency": "USD",
        "included": False,
        "lines": (AskedLine("a", 10_000, 2),),
        "shipping": 595,
        "shipping_tax_code": "",
        "address": tuple({**{k: v for k, v in ADDRESS.items() if k != "name"}, "line_two": ""}.items()),
        "exempt": "",
        "day": "2026-03-05",
    }
    return Question(**(usual | fields))


def paid(shop: Shop, buyer: Identity) -> Any:
    consent = shop.card(buyer)
    shop.approve(buyer, consent.id)
    return complete(shop.runtime, buyer, consent.id)


def test_what_is_asked_and_what_is_read(engine: StripeTax, desk: TaxDesk, tenant: Tenant) -> None:
    wanted = question(lines=(AskedLine("a", 10_000, 2), AskedLine("b", 999, 1, "txcd_40060003")))
    answer = engine.calculate(wanted, merchant=tenant.id, key="k")
    (sent,) = desk.asked
    assert sent["currency"] == "usd"
    assert sent["line_items"] == [
        {"reference": "a", "amount": "10000", "quantity": "2", "tax_behavior": "exclusive"},
        {
            "reference": "b",
            "amount": "999",
            "quantity": "1",
            "tax_behavior": "exclusive",
            "tax_code": "txcd_40060003",
        },
    ]
    assert sent["shipping_cost"] == {"amount": "595", "tax_behavior": "exclusive"}
    assert sent["customer_details"] == {
        "address": {
            "line1": "12 Pine St",
            "city": "Portland",
            "state": "WA",
            "postal_code": "97204",
            "country": "US",
        },
        "address_source": "shipping",
    }
    state = {"jurisdiction": "Washington", "level": "region", "rate_ppm": 65_000}
    city = {"jurisdiction": "Seattle", "level": "city", "rate_ppm": 23_500}
    assert answer.told() == {
        "lines": {"a": [state | {"amount": 650}, city | {"amount": 235}], "b": []},
        "shipping": [state | {"amount": 39}, city | {"amount": 14}],
    }
    assert answer.calculation_id in desk.calculations


def test_taxes_within_prices_and_a_currency_without_cents(engine: StripeTax, desk: TaxDesk, tenant: Tenant) -> None:
    desk.rates["13"] = [("Japan", "country", "10.0")]
    place = (("city", "Tokyo"), ("state", "13"), ("postal_code", "100-0001"), ("country", "JP"))
    wanted = question(currency="JPY", included=True, lines=(AskedLine("a", 1100, 1),), shipping=550, address=place)
    answer = engine.calculate(wanted, merchant=tenant.id, key="k")
    assert desk.asked[0]["currency"] == "jpy"
    assert (answer.lines["a"].amount, answer.shipping.amount) == (100, 50)
    assert answer.lines["a"].parts[0].rate_ppm == 100_000


@pytest.mark.parametrize(("kind", "override"), [("reverse_charge", "reverse_charge"), ("resale", "customer_exempt")])
def test_a_certificate_is_told(engine: StripeTax, desk: TaxDesk, tenant: Tenant, kind: str, override: str) -> None:
    answer = engine.calculate(question(exempt=kind), merchant=tenant.id, key="k")
    assert desk.asked[0]["customer_details"]["taxability_override"] == override
    assert (answer.lines["a"].amount, answer.shipping.amount) == (0, 0)


def test_more_lines_than_a_page_are_read_to_the_end(engine: StripeTax, desk: TaxDesk, tenant: Tenant) -> None:
    lines = tuple(AskedLine(f"v{place}", 1000, 1) for place in range(25))
    answer = engine.calculate(question(lines=lines), merchant=tenant.id, key="k")
    assert {reference: one.amount for reference, one in answer.lines.items()} == {f"v{n}": 89 for n in range(25)}


@pytest.mark.parametrize("fault", ["lost_before", "lost_after", "429"])
def test_one_failure_is_made_good_by_the_same_request(
    engine: StripeTax, desk: TaxDesk, tenant: Tenant, double: StripeDouble, fault: str
) -> None:
    before = asked(double)
    double.plant(CALCULATE, fault)
    assert engine.calculate(question(), merchant=tenant.id, key=f"k-{fault}").lines["a"].amount == 885
    assert asked(double) - before == 2
    assert len(desk.calculations) == 1


def test_two_failures_are_the_end(engine: StripeTax, desk: TaxDesk, tenant: Tenant, double: StripeDouble) -> None:
    before = asked(double)
    for _ in range(2):
        double.plant(CALCULATE, "lost_before")
    with pytest.raises(EngineSilent):
        engine.calculate(question(), merchant=tenant.id, key="k")
    assert asked(double) - before == 2


@pytest.mark.parametrize("currency", ["ISK", "UGX", "KWD"])
def test_amounts_that_stripe_counts_otherwise_are_not_asked_about(
    engine: StripeTax, desk: TaxDesk, tenant: Tenant, currency: str
) -> None:
    with pytest.raises(EngineRefused):
        engine.calculate(question(currency=currency), merchant=tenant.id, key="k")
    assert desk.asked == []


def test_a_place_it_cannot_find_is_a_definite_no(engine: StripeTax, desk: TaxDesk, tenant: Tenant) -> None:
    with pytest.raises(EngineRefused) as refused:
        engine.calculate(question(address=(("country", "US"),)), merchant=tenant.id, key="k")
    assert refused.value.message == "The tax engine said no: customer_tax_location_invalid."
    assert len(desk.asked) == 1


def test_a_shop_without_an_account_is_told_so(engine: StripeTax, make_tenant: Any) -> None:
    with pytest.raises(EngineRefused, match="no stripe account"):
        engine.calculate(question(), merchant=make_tenant().id, key="k")


def test_a_sale_rests_on_the_answer_and_asks_once(shop: Shop, desk: TaxDesk, double: StripeDouble) -> None:
    buyer = shop.shopper()
    shop.fill(buyer, "A", 2)
    shop.fill(buyer, "B")
    before = asked(double)
    view = say(shop, buyer)  # 2 x 50.00 at 8.85 %, 20.00 free, 5.95 at 6.5 % + 2.35 %
    assert (view.problems, view.status) == ([], "ready_for_payment")
    assert [(row.type, row.amount) for row in view.totals][-2:] == [("tax", 938), ("total", 13533)]
    done = paid(shop, buyer)
    assert done.result == Result.PAID
    assert asked(double) - before == 1
    with shop.uow() as session:
        order = session.scalars(select(Order)).one()
        lines = {line.sku: (line.tax, line.taxes) for line in session.scalars(select(OrderLine))}
    (calculation,) = desk.calculations
    assert (order.tax_engine, order.tax_calculation_id) == ("stripe_tax", calculation)
    assert (order.tax, order.shipping_tax) == (938, 53)
    state = {"jurisdiction": "Washington", "level": "region", "rate_ppm": 65_000}
    city = {"jurisdiction": "Seattle", "level": "city", "rate_ppm": 23_500}
    assert lines == {"A": (885, [state | {"amount": 650}, city | {"amount": 235}]), "B": (0, [])}
    assert order.taxes == [state | {"amount": 689, "of_shipping": 39}, city | {"amount": 249, "of_shipping": 14}]
    assert [one for one in check_tenant(shop.runtime, shop.tenant.id, shop.tenant.slug) if not one.ok] == []


def test_whatever_the_tax_rests_on_is_asked_anew_and_nothing_else(shop: Shop, double: StripeDouble) -> None:
    buyer = shop.shopper()
    shop.fill(buyer, "A")
    before = asked(double)
    counts = []
    for said in ({}, {"phone": "555"}, {"fulfillment_option_id": "overnight"}, {"postal_code": "98101"}, {}):
        say(shop, buyer, **(said | ({"postal_code": "98101"} if len(counts) == 4 else {})))
        counts.append(asked(double) - before)
    assert counts == [1, 1, 2, 3, 3]


def test_nothing_is_asked_while_the_address_is_not_known_or_something_is_in_the_way(
    shop: Shop, double: StripeDouble
) -> None:
    buyer = shop.shopper()
    shop.fill(buyer, "A")
    before = asked(double)
    started = with_tax(shop.runtime, buyer, lambda session: service.start(session, buyer))
    assert (started.problems, started.totals[-2].amount) == ([], 0)
    assert asked(double) == before
    abroad = say(shop, buyer, country="CA", state="ON", postal_code="K1A 0B6")
    assert abroad.problems == ["We do not ship this order to that address."]
    assert asked(double) == before


def test_without_an_edge_that_asks_it_cannot_be_paid(shop: Shop) -> None:
    buyer = shop.shopper()
    shop.ready(buyer, "A")
    with shop.uow() as session:
        view = service.current(session, buyer)
    assert (view.problems, view.status) == ([TAX_OPEN], "not_ready_for_payment")
    assert shop.card(buyer).checkout.totals[-2].amount == 496  # the card itself asks: 3.25 + 1.18 + 0.39 + 0.14


def test_a_shop_that_refuses_cannot_be_paid_while_nobody_answers(shop: Shop, double: StripeDouble) -> None:
    buyer = shop.shopper()
    shop.fill(buyer, "A")
    for _ in range(2):
        double.plant(CALCULATE, "lost_before")
    assert say(shop, buyer).problems == [TAX_UNKNOWN]
    before = asked(double)
    with pytest.raises(CheckoutIncomplete, match="cannot be worked out right now"):
        shop.card(buyer)
    assert asked(double) == before  # it was just asked
    with shop.uow() as session:
        assert session.scalar(select(func.count()).select_from(Order)) == 0
        assert [row.kind for row in session.scalars(select(Alert)) if not row.resolved_at] == ["tax_engine_unavailable"]
    with clock.shifted(timedelta(seconds=21)):
        assert say(shop, buyer).problems == []
    with shop.uow() as session:
        assert [row for row in session.scalars(select(Alert)) if not row.resolved_at] == []


def test_a_shop_that_falls_back_sells_by_its_tables_and_says_so(shop: Shop, double: StripeDouble) -> None:
    rule(shop, on_failure="fallback")
    buyer = shop.shopper()
    shop.fill(buyer, "A")
    for _ in range(2):
        double.plant(CALCULATE, "lost_before")
    view = say(shop, buyer)
    assert (view.problems, view.notices, view.totals[-2].amount) == ([], [BY_TABLES], 560)
    assert paid(shop, buyer).result == Result.PAID
    with shop.uow() as session:
        order = session.scalars(select(Order)).one()
        assert (order.tax, order.tax_engine, order.tax_calculation_id) == (560, "tables_fallback", None)
    assert file_taxes(shop.runtime, shop.tenant.id) == 0


def test_an_answer_that_is_over_is_asked_for_again_before_the_money_moves(
    shop: Shop, desk: TaxDesk, double: StripeDouble
) -> None:
    buyer = shop.shopper()
    shop.fill(buyer, "A")
    say(shop, buyer)
    consent = shop.card(buyer)
    shop.approve(buyer, consent.id)
    with shop.uow() as session:
        session.scalars(select(TaxQuote)).one().expires_at = clock.now()
    before = asked(double)
    assert complete(shop.runtime, buyer, consent.id).result == Result.PAID
    assert asked(double) - before == 1
    with shop.uow() as session:
        order = session.scalars(select(Order)).one()
    assert order.tax_calculation_id == list(desk.calculations)[-1]


def test_an_answer_that_changed_asks_the_shopper_again(shop: Shop, desk: TaxDesk) -> None:
    buyer = shop.shopper()
    shop.fill(buyer, "A")
    say(shop, buyer)
    consent = shop.card(buyer)
    shop.approve(buyer, consent.id)
    with shop.uow() as session:
        session.scalars(select(TaxQuote)).one().expires_at = clock.now()
    desk.rates["WA"] = [("Washington", "state", "7")]
    assert complete(shop.runtime, buyer, consent.id).result == Result.CHANGED
    with shop.uow() as session:
        assert session.scalar(select(func.count()).select_from(Order)) == 0


def test_the_sale_and_what_goes_back_are_filed_once_each(shop: Shop, desk: TaxDesk) -> None:
    buyer = shop.shopper()
    shop.fill(buyer, "A", 2)
    say(shop, buyer)
    done = paid(shop, buyer)
    files = lambda: file_taxes(shop.runtime, shop.tenant.id)  # noqa: E731 (a local shorthand)
    assert (files(), files()) == (1, 0)
    assert desk.filed() == [("transaction", None)]
    cart = Desk(shop, buyer, done.order.id)
    line = cart.line("A")
    cart.do("cancel", reason="other", lines=[{"line_id": line.id, "quantity": 1}])
    assert (files(), files()) == (1, 0)
    assert desk.filed()[1:] == [("reversal", -5443)]


def sold(shop: Shop, quantity: int = 1) -> Desk:
    buyer = shop.shopper()
    shop.fill(buyer, "A", quantity)
    shop.fill(buyer, "B")
    say(shop, buyer)
    return Desk(shop, buyer, paid(shop, buyer).order.id)


def test_a_swap_is_taxed_at_the_rates_of_the_order(shop: Shop, double: StripeDouble) -> None:
    sibling(shop, "A", "A2", price=6000)
    desk = sold(shop)
    before = asked(double)
    change = desk.do(
        "items", swaps=[{"line_id": desk.line("A").id, "to_variant_id": shop.variants["A2"], "quantity": 1}]
    )
    assert (change.status, desk.line("A2").tax) == ("applied", 531)  # 60.00 at 8.85 %
    assert asked(double) == before
    assert [one for one in check_tenant(shop.runtime, shop.tenant.id, shop.tenant.slug) if not one.ok] == []


def test_another_door_moves_no_tax_and_another_place_is_refused(shop: Shop) -> None:
    desk = sold(shop)
    total, rows = desk.look().total.amount, desk.rows()
    with pytest.raises(NotDeliverable, match="taxes hold for its own place"):
        desk.ask("address", ship_to=ADDRESS | {"city": "Spokane", "postal_code": "99201"})
    assert desk.rows() == rows
    change = desk.do("address", ship_to=ADDRESS | {"line_one": "14 Pine St"})
    assert (change.status, desk.look().total.amount) == ("applied", total)
    with shop.uow() as session:
        order = session.scalars(select(Order)).one()
    assert (order.shipping_tax, sum(row["amount"] for row in order.taxes)) == (53, order.tax)


def test_a_lost_answer_files_nothing_twice(shop: Shop, desk: TaxDesk, double: StripeDouble) -> None:
    buyer = shop.shopper()
    shop.fill(buyer, "A")
    say(shop, buyer)
    paid(shop, buyer)
    double.plant("/create_from_calculation", "lost_after")
    assert file_taxes(shop.runtime, shop.tenant.id) == 0
    with clock.shifted(timedelta(minutes=2)):
        assert file_taxes(shop.runtime, shop.tenant.id) == 1
    assert desk.filed() == [("transaction", None)]


def test_what_cannot_be_filed_is_shown_to_staff(shop: Shop, desk: TaxDesk) -> None:
    buyer = shop.shopper()
    shop.fill(buyer, "A")
    say(shop, buyer)
    paid(shop, buyer)
    desk.calculations.clear()
    assert file_taxes(shop.runtime, shop.tenant.id) == 0
    with shop.uow() as session:
        filing = session.scalars(select(TaxFiling)).one()
        (alert,) = session.scalars(select(Alert).where(Alert.kind == ALERT))
    assert (filing.status, filing.problem) == ("failed", "The tax engine said no: resource_missing.")
    assert alert.subject == filing.order_id


def test_nobody_tries_for_ever(shop: Shop, double: StripeDouble) -> None:
    buyer = shop.shopper()
    shop.fill(buyer, "A")
    say(shop, buyer)
    paid(shop, buyer)
    double.plant("/create_from_calculation", "lost_before")
    file_taxes(shop.runtime, shop.tenant.id)
    with shop.uow() as session:
        session.scalars(select(TaxFiling)).one().attempts = MAX_ATTEMPTS - 1
    double.plant("/create_from_calculation", "lost_before")
    with clock.shifted(timedelta(hours=2)):
        file_taxes(shop.runtime, shop.tenant.id)
    with shop.uow() as session:
        assert session.scalars(select(TaxFiling)).one().status == "failed"
