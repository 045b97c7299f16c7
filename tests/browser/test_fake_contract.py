"""The fake shop's cards are the engine's views: what the page is tested on is what it will get."""

from __future__ import annotations

from engine.carts.schemas import CartView
from engine.catalog.schemas import ProductDetail, ProductView
from engine.checkout.schemas import CheckoutView, ConsentView, PaymentMethodView
from engine.conversations.schemas import HandoffView
from engine.orders.changes.schemas import ChangeView
from engine.orders.schemas import OrderView
from engine.returns.schemas import ReturnableView, ReturnView
from engine.warranties.schemas import ClaimView, WarrantyPage
from tests.browser import fake_after as after
from tests.browser import fake_data as data

HELD = data.cart({"var_1_0": 2, "var_3_0": 1})


def test_cards_have_the_shape_of_the_engines_views() -> None:
    for item in [*data.TENTS, data.HOSTILE]:
        ProductView.model_validate(item)
    ProductDetail.model_validate(data.DETAIL)
    ProductView.model_validate(data.ON_SALE)
    CartView.model_validate(data.cart({"var_7_0": 1}))
    CheckoutView.model_validate(data.abroad(HELD))
    CartView.model_validate(HELD)
    CheckoutView.model_validate(data.checkout(HELD, ready=True))
    CheckoutView.model_validate(data.checkout(HELD, ready=False))
    ConsentView.model_validate(data.confirmation(HELD, "cnf_1", seconds=600))
    OrderView.model_validate(data.order(HELD, shipped=True))
    order = after.split_order()
    for lane in order.pop("returns"):
        ReturnView.model_validate(after.return_card("in_transit") | lane)
    OrderView.model_validate(order)
    ReturnView.model_validate(after.return_card())
    ClaimView.model_validate(after.claim_card())
    ChangeView.model_validate(after.change()["change"])
    HandoffView.model_validate(after.handoff())
    ReturnableView.model_validate(after.RETURNABLE)
    WarrantyPage.model_validate(after.WARRANTIES)
    receipt = data.receipt(HELD)
    PaymentMethodView.model_validate(receipt.pop("payment_method"))
    receipt.pop("email")
    OrderView.model_validate(receipt)
