"""What breaks each rule of ``engine/checks/support.py``: SQL that the owner runs in the second tenant."""

# ruff: noqa: E501
from __future__ import annotations

_CASE = (
    "INSERT INTO app.cases (tenant_id, id, number, subject, reason, summary, priority, rank, status, version, due_at, first_response_due_at,"
    " resolution_due_at, paused_at, reopened, opened_by, created_at, updated_at)"
    " SELECT tenant_id, 'cas_x', 'H-X', 'x', 'other', '', 'normal', 2, '{status}', 1, {due}, now(), now(), {paused}, 0, 'x', now(), now() FROM app.orders"
)
FAULTS: dict[str, str] = {
    "a conversation that people have is one of a case": (
        "INSERT INTO app.threads (tenant_id, id, owner_id, mode, last_event, created_at, updated_at)"
        " SELECT tenant_id, 'thr_x', 'shp_x', 'waiting_human', 0, now(), now() FROM app.orders"
    ),
    "a case's clock stands still exactly while nobody waits for the shop": _CASE.format(
        status="open", due="now()", paused="now()"
    ),
    "a case that is over says since when": _CASE.format(status="closed", due="NULL", paused="now()"),
}
