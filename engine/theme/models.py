"""A shop's logo, as its people gave it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import CheckConstraint, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import TenantRow

LARGEST: Final = 128 * 1024
"""Bytes of a logo."""


class Logo(TenantRow):
    """A picture by the digest of its content; which of them is shown, the rule ``theme`` says."""

    __tablename__ = "logos"

    digest: Mapped[str] = mapped_column(String(16), primary_key=True)
    media_type: Mapped[str] = mapped_column(String(40))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    set_by: Mapped[str] = mapped_column(String(80))
    set_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (CheckConstraint(f"octet_length(content) BETWEEN 1 AND {LARGEST}", name="size"),)
