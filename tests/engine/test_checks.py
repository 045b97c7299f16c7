"""``check`` must be able to fail: each planted fault is found, in the tenant it was planted in and no other."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from engine.checkout.complete import complete
from engine.checks import run_checks
from engine.db import Addresses, open_engine
from tests.conftest import MakeTenant
from tests.shop import Shop, open_shop

_REFUND = (
    "INSERT INTO app.refunds (tenant_id, id, payment_id, amount, currency, reason, status, created_at)"
    " SELECT tenant_id, 'rfd_x', id, {amount}, currency, 'x', 'succeeded', now() FROM app.payments"
)
FAULTS = {
    "every journal entry balances": "UPDATE app.postings SET amount = amount + 1 WHERE account = 'psp_clearing'",
    "every journal entry has postings": "DELETE FROM app.postings",
    "reserved stock equals the live reservations": "UPDATE app.reservations SET quantity = quantity + 1",
    "stock equals its ledger": "UPDATE app.stock_levels SET on_hand = on_hand + 1",
    "every placed order has its money": "UPDATE app.payments SET amount = amount - 1",
    "every captured payment has its order": "UPDATE app.orders SET placed_at = NULL",
    "every captured payment is in the journal once": "DELETE FROM app.postings; DELETE FROM app.journal_entries",
    "order totals add up": "UPDATE app.orders SET total = total + 1",
    "order lines agree with the order's items and discount": "UPDATE app.order_lines SET unit_price = unit_price + 1",
    "a session is completed exactly when its payment was captured": (
        "UPDATE app.checkout_sessions SET status = 'canceled'"
    ),
    "a session in progress has a payment under way": (
        "UPDATE app.checkout_sessions SET status = 'complete_in_progress'"
    ),
    "every payment rests on a consent used once": "UPDATE app.consents SET status = 'approved'",
    "nothing is held for a payment that ended": "UPDATE app.reservations SET status = 'held'",
    "every unshipped unit of an open order is reserved": "UPDATE app.reservations SET status = 'released'",
    "our payments equal the gateway's": "UPDATE app.payments SET status = 'failed'",
    "no more is refunded than was captured": _REFUND.format(amount="amount + 1"),
    "every refund is in the journal once": _REFUND.format(amount="1"),
    "the audit chain is whole": "DELETE FROM app.audit WHERE seq = 1",
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_planted_in_the_second_tenant_is_found(
    shop: Shop, make_tenant: MakeTenant, addresses: Addresses, name: str
) -> None:
    second = open_shop(shop.runtime, make_tenant())
    for each in (shop, second):
        each.add("A")
        buyer = each.shopper()
        assert complete(each.runtime, buyer, each.approved(buyer, "A")).order is not None
        with each.uow() as session:
            from engine.kit import audit

            audit.seal(session, each.tenant.id)
    mine = {shop.tenant.slug, second.tenant.slug}
    assert [r for r in run_checks(shop.runtime) if r.tenant in mine and not r.ok] == []
    assert addresses.owner is not None
    owner = open_engine(addresses.owner)
    with owner.begin() as connection:
        connection.execute(text("SELECT set_config('app.tenant_id', :t, true)"), {"t": second.tenant.id})
        connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        for statement in FAULTS[name].split(";"):
            connection.execute(text(statement))
    owner.dispose()
    bad = [r for r in run_checks(shop.runtime) if r.tenant in mine and not r.ok]
    assert name in {r.name for r in bad}
    assert {r.tenant for r in bad} == {second.tenant.slug}
    assert all(r.detail and r.looked_at >= 0 for r in bad)
