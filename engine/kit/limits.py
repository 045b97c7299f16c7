"""Limits per identity, address and tenant: fixed windows counted in PostgreSQL, shared by all processes."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import String, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.kit import clock
from engine.kit.errors import RateLimited
from engine.kit.tenancy import Base


class RateLimit(Base):
    """A counter of one window. Unlogged: losing it in a crash forgives, it never locks out."""

    __tablename__ = "rate_limits"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    bucket: Mapped[str] = mapped_column(String(200), primary_key=True)
    window_start: Mapped[datetime] = mapped_column(primary_key=True)
    used: Mapped[int]


_HIT = text(
    "INSERT INTO app.rate_limits AS r (bucket, window_start, used) VALUES (:bucket, :start, 1)"
    " ON CONFLICT (bucket, window_start) DO UPDATE SET used = r.used + 1 RETURNING used"
)


def hit(session: Session, bucket: str, *, limit: int, window: timedelta) -> None:
    """Count one use of ``bucket``. Raises ``RateLimited`` (with the seconds to wait) beyond ``limit`` per window."""
    now = clock.now()
    seconds = int(window.total_seconds())
    start = datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, tz=now.tzinfo)
    used = session.execute(_HIT, {"bucket": bucket, "start": start}).scalar_one()
    if used > limit:
        wait = max(1, int((start + window - now).total_seconds()) + 1)
        raise RateLimited("Too many requests. Please wait a moment.", retry_after_seconds=wait)


def forget_old(session: Session) -> None:
    """Drop windows that ended over an hour ago."""
    session.execute(
        text("DELETE FROM app.rate_limits WHERE window_start < :then"),
        {"then": clock.now() - timedelta(hours=2)},
    )
