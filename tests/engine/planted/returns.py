"""What breaks each rule of ``engine/checks/returns.py``: SQL that the owner runs in the second tenant."""

# ruff: noqa: E501, S608 (the only text put in is our own)
from __future__ import annotations

_RETURN = (
    "INSERT INTO app.returns (tenant_id, id, number, order_id, change_id, kind, status, requested_by, refund_to, refund_at, keep, credit, credit_tax, fee, replacement, replacement_tax, charge, charge_tax, refund, given, moved_tax, location_id, label_cost, label_at, events, unexpected, expires_at, created_at, approved_at, version)"
    " SELECT o.tenant_id, 'ret_x', 'x', o.id, 'chg_x', '{kind}', 'label_ready', 'x', 'original', 'received', false, 1, 0, 0, 0, 0, 0, 0, 1, {given}, 0, (SELECT id FROM app.locations WHERE tenant_id = o.tenant_id LIMIT 1), 5, now(), '[]', '[]', now(), now(), now(), 1 FROM app.orders o"
)
_LINE = (
    "; INSERT INTO app.return_lines (tenant_id, id, return_id, order_line_id, position, title, quantity, reason, condition, goods, discount, tax, shipping, shipping_tax, fee, withheld, withheld_tax, received, inspected, rejected, settled, restocked, refurbished, scrapped, to_vendor, quarantined, exchange)"
    " SELECT tenant_id, 'rtl_x', 'ret_x', id, 0, 'x', 1, 'x', 'unopened', 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '{\"line_id\": \"oli_x\", \"quantity\": 1}' FROM app.order_lines"
)
_GIVEN = _RETURN.format(kind="return", given=1)
_OPEN = _RETURN.format(kind="exchange", given=0)
_STEP = (
    "; INSERT INTO app.return_events (tenant_id, id, return_id, step, lines, amount, tax, actor, note, at)"
    " SELECT tenant_id, 'rte_x', id, 'inspected', '[{\"stocked\": 1}]', 0, 0, 'x', '', now() FROM app.returns"
)
FAULTS: dict[str, str] = {
    "returned units are the returns' units": _OPEN + _LINE + "; UPDATE app.return_lines SET settled = 1",
    "no more comes back than arrived": _OPEN + _LINE,
    "the lines of a return add up to it": _OPEN + _LINE,
    "a return gave back what its refunds and steps say": _GIVEN,
    "what is due moved by what a return charged and gave": _GIVEN,
    "no return gives back more than was agreed to": _GIVEN
    + "; UPDATE app.returns SET credit = 2, fee = 1, replacement = 1, refund = 0",
    "every return was agreed to": _OPEN,
    "goods that came back are in the stock ledger": _OPEN + _STEP,
    "goods for an exchange under way are set aside": _OPEN + _LINE,
    "every label of a return is in the books": _OPEN,
    "a return that its shopper gave up on a card is over": _OPEN
    + "; INSERT INTO app.consents (tenant_id, id, kind, subject_id, owner_id, digest, summary, status, created_at, expires_at)"
    " SELECT tenant_id, 'cnf_x', 'return_cancel', 'ret_x', 'x', 'x', '{}', 'claimed', now(), now() FROM app.returns LIMIT 1",
}
