"""The journal."""

from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule

RULES: Final = (
    Rule(
        "every journal entry balances",
        "SELECT count(*) FROM app.journal_entries",
        "SELECT entry_id, 'is off by ' || sum(amount) || ' ' || currency FROM app.postings"
        " GROUP BY entry_id, currency HAVING sum(amount) <> 0",
    ),
    Rule(
        "every journal entry has postings",
        "SELECT count(*) FROM app.journal_entries",
        "SELECT e.id, 'has no postings' FROM app.journal_entries e"
        " WHERE NOT EXISTS (SELECT FROM app.postings p WHERE p.tenant_id = e.tenant_id AND p.entry_id = e.id)",
    ),
)
