"""What breaks each rule of ``engine/checks/approvals.py``: SQL that the owner runs in the second tenant."""

# ruff: noqa: E501
from __future__ import annotations

_APPROVAL = (
    "INSERT INTO app.approvals (tenant_id, id, kind, subject_id, subject_version, digest, args, amount, currency, rule, reason, requested_by,"
    " requested_who, status, needed, agreed, note, expires_at, attempts, outcome, created_at)"
    " SELECT tenant_id, 'apv_x', 'refund', id, '', 'x', '{{}}', 1, 'USD', 'x', '', 'key_a', 'ann', '{status}', {needed}, '{agreed}', '', now(), 0,"
    " {outcome}, now() FROM app.orders"
)
_BOB = '[{"by": "key_b", "who": "bob"}]'
FAULTS: dict[str, str] = {
    "what was approved was done, once": _APPROVAL.format(status="approved", needed=1, agreed=_BOB, outcome="'{}'"),
    "nobody approves what they asked for": _APPROVAL.format(
        status="pending", needed=2, agreed='[{"by": "key_c", "who": "ann"}]', outcome="NULL"
    ),
    "as many people agreed as it took": _APPROVAL.format(status="claimed", needed=2, agreed=_BOB, outcome="NULL"),
    "what moved on an approval rests on one that was given, and is no more than that": (
        "INSERT INTO app.stock_adjustments (tenant_id, id, actor, units, value, approved, at)"
        " SELECT tenant_id, 'mov_x', 'x', 1, 1, 'apv_y', now() FROM app.orders"
    ),
    "what people gave away is what was counted": (
        "INSERT INTO app.courtesies (tenant_id, id, kind, actor, amount, currency, at)"
        " SELECT tenant_id, 'sva_x', 'gift_card', 'x', 1, 'USD', now() FROM app.orders LIMIT 1"
    ),
}
