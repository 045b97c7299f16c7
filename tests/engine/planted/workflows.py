"""What breaks each rule of ``engine/checks/workflows.py``."""

# ruff: noqa: E501
from __future__ import annotations

_RUN = (
    "INSERT INTO app.sync_runs (tenant_id, id, workflow, version, mode, status, turn, subject_kind, subject_ref, payload, trigger, trace_id, step, attempts, error_code, error, executor_id, created_at, ended_at)"
    " SELECT tenant_id, {name}, 'w', '1.0.0', 'live', '{status}', 1, 'order', '#1', '{{}}', 'test', '', 's', 1, 'c', '', '', now(), now()"
    " FROM app.orders LIMIT 1"
)
_NAME = "tenant_id || ':w:1'"
_STEP = (
    "INSERT INTO app.sync_steps (tenant_id, run_id, turn, place, name, status, attempts, started_at, error_code, error, result)"
    " SELECT tenant_id, id, 1, 1, 's', 'running', 1, now(), '', '', '' FROM app.sync_runs"
)
_EXCEPTION = (
    "INSERT INTO app.sync_exceptions (tenant_id, id, workflow, workflow_id, step, subject, code, reason, fields, payload, fingerprint, status, times, retries, first_at, last_at, decided_by)"
    " SELECT tenant_id, 'exc_1', 'w', id, '', 's', 'c', 'r', '[]', '{}', 'f', 'open', 1, 0, now(), now(), '' FROM app.sync_runs"
)
_SETTINGS = (
    "INSERT INTO app.sync_pipeline (tenant_id, id, workflow, version, is_on, settings, note, active, created_by, created_at)"
    " SELECT tenant_id, 'ppl_1', 'w', 2, true, '{}', '', true, 'a', now() FROM app.orders LIMIT 1"
)
_CONNECTION = (
    "INSERT INTO app.sync_connections (tenant_id, id, system, name, base_url, settings, status, reason, status_at, test_error, created_at)"
    " SELECT tenant_id, 'con_1', 'netsuite', 'n', 'https://x.example', '{}', 'active', '', now(), '', now() FROM app.orders LIMIT 1"
)
_BILLS = (
    "INSERT INTO app.sync_calls (tenant_id, connection_id, mode, at, method, path, reads, cost, request, response, answer, outcome, counts, took_ms, fingerprint, idempotency_key, workflow_id, trace_id)"
    " SELECT tenant_id, id, 'live', now(), 'POST', '/record/v1/salesOrder/7/!transform/' || kind, false, 1, '', '', 204, '', false, 1, '', '', '', ''"
    " FROM app.sync_connections, unnest(ARRAY['invoice', 'cashSale']) kind"
)
FAULTS: dict[str, str] = {
    "every run that failed is in the exception queue": _RUN.format(name=_NAME, status="failed"),
    "a run that went well is in nobody's hands": _RUN.format(name=_NAME, status="done") + ";" + _EXCEPTION,
    "a run that is over has no step under way": _RUN.format(name=_NAME, status="done") + ";" + _STEP,
    "a run and its requests bear their own shop's name": _RUN.format(name="'tnt_other:w:1'", status="done"),
    "the versions of a workflow's settings have no gap": _SETTINGS,
    "an order is billed by invoices or by cash sales": _CONNECTION + ";" + _BILLS,
}
