"""Letters: each once, and no code lies about."""

from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule

RULES: Final = (
    Rule(
        "every letter was written once",
        "SELECT count(*) FROM app.mails",
        "SELECT min(id), count(*) || ' letters of ' || key FROM app.mails GROUP BY key HAVING count(*) > 1",
    ),
    Rule(
        "no code stays in a letter that has gone out",
        "SELECT count(*) FROM app.mails WHERE secret",
        "SELECT id, 'is ' || status || ' and still holds its code' FROM app.mails"
        " WHERE secret AND erased_at IS NULL AND status <> 'queued'"
        " AND (expires_at < now() - interval '1 day' OR sent_at < now() - interval '2 days')",
    ),
    Rule(
        "an erased letter says nothing",
        "SELECT count(*) FROM app.mails WHERE erased_at IS NOT NULL",
        "SELECT id, 'was erased and has words' FROM app.mails"
        " WHERE erased_at IS NOT NULL AND (text <> '' OR html <> '')",
    ),
)
