"""Staff: who left is out, and somebody is left who can let others in."""

# ruff: noqa: S608

from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule

_MINE: Final = "tenant_id = current_setting('app.tenant_id', true)"

RULES: Final = (
    Rule(
        "nobody is signed in to the console who does not work there",
        f"SELECT count(*) FROM app.staff_sessions WHERE {_MINE}",
        "SELECT s.member_id, 'is signed in and ' || coalesce(m.status, 'nobody') FROM app.staff_sessions s"
        " LEFT JOIN app.staff_members m ON m.tenant_id = s.tenant_id AND m.id = s.member_id"
        f" WHERE s.{_MINE} AND m.status IS DISTINCT FROM 'active'",
    ),
    Rule(
        "no key works in the name of who left",
        f"SELECT count(*) FROM app.api_keys WHERE {_MINE} AND person IS NOT NULL",
        "SELECT k.id, 'works in the name of ' || m.id || ', who left' FROM app.api_keys k"
        " JOIN app.staff_members m ON m.tenant_id = k.tenant_id AND m.person = k.person AND m.status = 'disabled'"
        f" WHERE k.{_MINE} AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())",
    ),
    Rule(
        "a shop that had an admin has one",
        "SELECT count(*) FROM app.staff_members WHERE role = 'admin'",
        "SELECT had.who, 'was an admin, and nobody is one now' FROM ("
        "SELECT id AS who FROM app.staff_members WHERE role = 'admin'"
        " UNION SELECT subject FROM app.audit WHERE action = 'staff.role_changed' AND facts ->> 'from' = 'admin') had"
        " WHERE NOT EXISTS (SELECT FROM app.staff_members m WHERE m.role = 'admin' AND m.status = 'active')",
    ),
)
