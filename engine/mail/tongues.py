"""In which language a letter is written: the one its reader speaks with the shop, where there are words in it."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.mail.wording import DEFAULT, FOLDER

_SPOKEN: Final = text("""
SELECT DISTINCT ON (thread_id) thread_id, coalesce(input ->> 'language', :default) AS language FROM app.runs
WHERE tenant_id = :tenant_id AND thread_id = ANY(:thread_ids)
  AND (jsonb_exists(input, 'message') OR jsonb_exists(input, 'action'))
ORDER BY thread_id, number DESC
""")
"""A press on a card says no language: it is the same in every tab."""
_NEWEST: Final = text("""
SELECT t.id FROM app.threads t WHERE t.tenant_id = :tenant_id AND t.owner_id = :owner_id
ORDER BY t.created_at DESC, t.id DESC LIMIT 1
""")


@cache
def languages() -> tuple[str, ...]:
    """Every language there are letters in, the default first."""
    return (DEFAULT, *sorted(folder.name for folder in FOLDER.iterdir() if folder.is_dir()))


def spoken_in(session: Session, tenant_id: str, thread_ids: Collection[str]) -> dict[str, str]:
    """Conversation → the language that its shopper last spoke there, of those there are letters in."""
    if not thread_ids:
        return {}
    known = {"tenant_id": tenant_id, "thread_ids": sorted(thread_ids), "default": DEFAULT}
    rows = session.execute(_SPOKEN, known)
    return {row.thread_id: row.language for row in rows if row.language in languages()}


def spoken_by(session: Session, tenant_id: str, owner_id: str | None) -> str:
    """What a shopper last spoke; empty where that is not known."""
    thread_id = session.scalar(_NEWEST, {"tenant_id": tenant_id, "owner_id": owner_id}) if owner_id else None
    return spoken_in(session, tenant_id, [thread_id]).get(thread_id, "") if thread_id else ""
