"""Limits per identity, address and tenant: fixed windows counted in PostgreSQL, shared by all processes."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import BigInteger, String, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.kit import clock
from engine.kit.direct import Ask, Statement
from engine.kit.errors import RateLimited
from engine.kit.gathering import ask
from engine.kit.tenancy import Base


class RateLimit(Base):
    """A counter of one window. Unlogged: losing it in a crash forgives, it never locks out."""

    __tablename__ = "rate_limits"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    bucket: Mapped[str] = mapped_column(String(200), primary_key=True)
    window_start: Mapped[datetime] = mapped_column(primary_key=True)
    used: Mapped[int] = mapped_column(BigInteger)


_ADD = Statement(
    "INSERT INTO app.rate_limits AS r (bucket, window_start, used) VALUES (%(bucket)s, %(start)s, %(n)s)"
    " ON CONFLICT (bucket, window_start) DO UPDATE SET used = r.used + %(n)s RETURNING used"
)

_ADDING = Statement(
    "INSERT INTO app.rate_limits AS r (bucket, window_start, used) VALUES (%(bucket)s, %(start)s, %(n)s)"
    " ON CONFLICT (bucket, window_start) DO UPDATE SET used = r.used + %(n)s"
)
_WITHIN = Statement("""
WITH hit AS (
  INSERT INTO app.rate_limits AS r (bucket, window_start, used) VALUES (%(bucket)s, %(start)s, 1)
  ON CONFLICT (bucket, window_start) DO UPDATE SET used = r.used + 1 RETURNING used)
SELECT 1 / CASE WHEN used <= %(limit)s THEN 1 ELSE 0 END AS whole FROM hit
""")


def hit(session: Session, bucket: str, *, limit: int, window: timedelta) -> None:
    """Count one use of ``bucket``. Raises ``RateLimited`` (with the seconds to wait) beyond ``limit`` per window."""
    if add(session, bucket, 1, window=window) > limit:
        raise limited(window)


def check(session: Session, bucket: str, *, limit: int, window: timedelta) -> None:
    """Raises ``RateLimited`` where ``limit`` uses of ``bucket`` were counted already; counts nothing."""
    if used(session, bucket, window=window) >= limit:
        raise limited(window)


def add(session: Session, bucket: str, n: int, *, window: timedelta) -> int:
    """Count ``n`` uses of ``bucket``; returns how many this window has now."""
    (row,) = ask(session, _ADD, {"bucket": bucket, "start": window_start(window), "n": n})
    return int(row["used"])


def adding(bucket: str, n: int, *, window: timedelta) -> Ask:
    """The same beside other statements, in one round trip."""
    return _ADDING, {"bucket": bucket, "start": window_start(window), "n": n}


def within(bucket: str, *, limit: int, window: timedelta) -> Ask:
    """Count one use beside other statements. It fails (``Refused``) beyond ``limit``, and then nothing is counted."""
    return _WITHIN, {"bucket": bucket, "start": window_start(window), "limit": limit}


def used(session: Session, bucket: str, *, window: timedelta) -> int:
    """How many uses of ``bucket`` this window has."""
    query = select(RateLimit.used).where(RateLimit.bucket == bucket, RateLimit.window_start == window_start(window))
    return session.scalar(query) or 0


def limited(window: timedelta) -> RateLimited:
    """What is raised beyond a limit, with the seconds to wait."""
    wait = max(1, int((window_start(window) + window - clock.now()).total_seconds()) + 1)
    return RateLimited("Too many requests. Please wait a moment.", retry_after_seconds=wait)


def window_start(window: timedelta) -> datetime:
    """When the window that we are in began."""
    now, seconds = clock.now(), int(window.total_seconds())
    return datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, tz=now.tzinfo)


def forget_old(session: Session) -> None:
    """Drop windows that began over two days ago."""
    session.execute(
        text("DELETE FROM app.rate_limits WHERE window_start < :then"),
        {"then": clock.now() - timedelta(days=2)},
    )
