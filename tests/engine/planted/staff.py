"""What breaks each rule of ``engine/checks/staff.py``: SQL that the owner runs in the second tenant."""

# ruff: noqa: S608
from __future__ import annotations

_LEFT = (
    "INSERT INTO app.staff_members (tenant_id, id, email, name, person, role, status, demo, invited_by, invited_at,"
    " disabled_at) SELECT DISTINCT tenant_id, 'stf_x', 'x@example.com', 'X', 'x', '{role}', 'disabled', false, 'cli',"
    " now(), now() FROM app.orders"
)
FAULTS: dict[str, str] = {
    "nobody is signed in to the console who does not work there": f"{_LEFT.format(role='support')};"
    "INSERT INTO app.staff_sessions (token_hash, tenant_id, member_id, created_at, seen_at, expires_at)"
    " SELECT 'planted' || tenant_id, tenant_id, id, now(), now(), now() FROM app.staff_members WHERE id = 'stf_x'",
    "no key works in the name of who left": f"{_LEFT.format(role='support')};"
    "INSERT INTO app.api_keys (id, key_hash, tenant_id, scopes, label, person, created_at)"
    " SELECT 'key_' || substr(tenant_id, 5), tenant_id, tenant_id, '{staff}', '', 'x', now()"
    " FROM app.staff_members WHERE id = 'stf_x'",
    "a shop that had an admin has one": _LEFT.format(role="admin"),
}
