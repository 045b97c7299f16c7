"""Runs of workflows: each is where it says, by itself or in somebody's hands, and nothing was done twice.

What only the other systems can tell (one sales order per order there, quantities alike) the chaos runs prove
(``tests/chaos``); here is what our own rows show of it.
"""

from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule

_BILLED: Final = (
    "mode = 'live' AND outcome = '' AND method = 'POST' AND path ~ '/salesOrder/[^/]+/!transform/(invoice|cashSale)$'"
)
"""Requests that billed an order of the ERP."""
RULES: Final = (
    Rule(
        "every run that failed is in the exception queue",
        "SELECT count(*) FROM app.sync_runs WHERE status = 'failed' AND mode = 'live'",
        "SELECT r.id, 'failed at ' || coalesce(nullif(r.step, ''), 'its begin') || ' and nobody is told'"
        " FROM app.sync_runs r WHERE r.status = 'failed' AND r.mode = 'live' AND NOT EXISTS ("
        "SELECT FROM app.sync_exceptions e WHERE e.tenant_id = r.tenant_id AND e.workflow_id = r.id)",
    ),
    Rule(
        "a run that went well is in nobody's hands",
        "SELECT count(*) FROM app.sync_runs WHERE status = 'done' AND mode = 'live'",
        "SELECT r.id, 'is done, and its exception is ' || e.status FROM app.sync_runs r"
        " JOIN app.sync_exceptions e ON e.tenant_id = r.tenant_id AND e.workflow_id = r.id"
        " WHERE r.status = 'done' AND r.mode = 'live' AND e.status = 'open'",
    ),
    Rule(
        "a run that is over has no step under way",
        "SELECT count(*) FROM app.sync_runs WHERE status IN ('done', 'failed')",
        "SELECT r.id, 'is ' || r.status || ', and ' || s.name || ' is ' || s.status FROM app.sync_runs r"
        " JOIN app.sync_steps s ON s.tenant_id = r.tenant_id AND s.run_id = r.id AND s.turn = r.turn"
        " WHERE r.status IN ('done', 'failed') AND s.status IN ('running', 'waiting')",
    ),
    Rule(
        "a run and its requests bear their own shop's name",
        "SELECT (SELECT count(*) FROM app.sync_runs) + (SELECT count(*) FROM app.sync_calls WHERE workflow_id <> '')",
        "SELECT id, 'is of another shop: ' || tenant_id FROM app.sync_runs"
        " WHERE left(id, length(tenant_id) + 1) <> tenant_id || ':'"
        " UNION ALL SELECT id::text, 'was asked for ' || workflow_id FROM app.sync_calls"
        " WHERE workflow_id LIKE 'tnt\\_%:%' AND left(workflow_id, length(tenant_id) + 1) <> tenant_id || ':'",
    ),
    Rule(
        "the versions of a workflow's settings have no gap",
        "SELECT count(*) FROM app.sync_pipeline",
        "SELECT workflow, 'has ' || count(*) || ' versions up to ' || max(version) FROM app.sync_pipeline"
        " GROUP BY workflow HAVING count(*) <> max(version) OR count(*) FILTER (WHERE active) > 1",
    ),
    Rule(
        "an order is billed by invoices or by cash sales",
        f"SELECT count(*) FROM app.sync_calls WHERE {_BILLED}",  # noqa: S608 (ours)
        "SELECT min(id)::text, 'order ' || substring(path FROM 'salesOrder/([^/]+)/!transform') || ' has both'"  # noqa: S608 (ours)
        f" FROM app.sync_calls WHERE {_BILLED}"
        " GROUP BY connection_id, substring(path FROM 'salesOrder/([^/]+)/!transform')"
        " HAVING count(DISTINCT right(path, 7)) > 1",
    ),
)
