"""Cases: who waits for a person has one, and its clock runs exactly while the shop is to act."""

from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule

RULES: Final = (
    Rule(
        "a conversation that people have is one of a case",
        "SELECT count(*) FROM app.threads WHERE mode <> 'agent'",
        "SELECT t.id, 'is ' || t.mode || ' with ' || coalesce(t.human, 'nobody') || ', its case is '"
        " || coalesce(c.status || ' with ' || coalesce(c.assignee, 'nobody'), 'missing') FROM app.threads t"
        " LEFT JOIN app.cases c ON c.tenant_id = t.tenant_id AND c.thread_id = t.id AND c.status <> 'closed'"
        " WHERE t.mode <> 'agent' AND (c.id IS NULL OR c.status = 'resolved'"
        " OR c.assignee IS DISTINCT FROM t.human OR (t.mode = 'human') <> (c.assignee IS NOT NULL))",
    ),
    Rule(
        "a case's clock stands still exactly while nobody waits for the shop",
        "SELECT count(*) FROM app.cases",
        "SELECT id, 'is ' || status || ', paused at ' || coalesce(paused_at::text, 'no time') FROM app.cases"
        " WHERE (paused_at IS NULL) <> (status IN ('open', 'waiting_staff'))",
    ),
    Rule(
        "a case that is over says since when",
        "SELECT count(*) FROM app.cases WHERE status IN ('resolved', 'closed')",
        "SELECT id, 'is ' || status FROM app.cases WHERE (status = 'resolved' AND resolved_at IS NULL)"
        " OR (status = 'closed') <> (closed_at IS NOT NULL)",
    ),
)
