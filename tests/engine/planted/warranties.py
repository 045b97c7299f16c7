"""What breaks each rule of ``engine/checks/warranties.py``: SQL that the owner runs in the second tenant."""

# ruff: noqa: E501, S608 (the only text put in is our own)
from __future__ import annotations

_UNIT = (
    "INSERT INTO app.warranties (tenant_id, id, order_id, order_line_id, unit, variant_id, sku, title, starts_on, ends_on, terms, status, root_id, created_at)"
    " SELECT tenant_id, 'wty_x', order_id, id, 1, variant_id, 'x', 'x', current_date, current_date, '{{}}', '{status}', 'wty_x', now() FROM app.order_lines ORDER BY id LIMIT 1"
)
_CLAIM = (
    "; INSERT INTO app.warranty_claims (tenant_id, id, number, warranty_id, order_id, status, requested_by, symptom, description, offers, resolution, comes_back, currency, amount, tax, refund_to, label_cost, back_cost, resolved_at, created_at, version)"
    " SELECT tenant_id, 'clm_x', 'x', id, order_id, 'refunded', 'x', 'x', 'x', '{}', 'refund', false, 'USD', 1, 0, 'original', %s, 0, now(), now(), 1 FROM app.warranties"
)
_VOID = _UNIT.format(status="void")
_PAID = _UNIT.format(status="void") + _CLAIM % 0
FAULTS: dict[str, str] = {
    "warranties are of units that arrived": _UNIT.format(status="active"),
    "a claim is made good once, by what was decided": _PAID
    + "; UPDATE app.warranty_claims SET resolution = 'replacement', replacement_order_id = 'ord_x'",
    "a claim gave back what its refunds and its order say": _PAID,
    "a unit is paid back at most once": _PAID,
    "what was chosen for a claim is what its card offered": "INSERT INTO app.consents (tenant_id, id, kind, subject_id, owner_id, digest, summary, status, choice, created_at, expires_at)"
    " SELECT tenant_id, 'cnf_x', 'warranty', 'x', 'x', 'x', '{\"offers\": [\"repair\"]}', 'claimed', 'refund', now(), now() FROM app.orders LIMIT 1",
    "every parcel of a claim is in the books": _VOID + _CLAIM % 5,
}
