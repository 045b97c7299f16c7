"""A file that was handed in, and its bytes while they are needed."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import TenantRow, tenant_fk


class ImportStatus(StrEnum):
    WAITING = "waiting"  # to be read: what it would change is not known yet
    REPORTED = "reported"
    APPLYING = "applying"
    APPLIED = "applied"
    REFUSED = "refused"  # all of it or nothing, and it was nothing
    UNREADABLE = "unreadable"  # it is no such file, or was given up


class CatalogImport(TenantRow):
    """A file of the shop that was handed in: what it would change, and what became of it."""

    __tablename__ = "catalog_imports"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12), default="products", server_default="products")
    """products | promotions"""
    format: Mapped[str] = mapped_column(String(5))
    """csv | json | jsonl"""
    atomic: Mapped[bool]
    """All of it or nothing."""
    digest: Mapped[str] = mapped_column(String(64))
    content: Mapped[str | None]
    """The file as one text, of rows from before there were ``import_parts``."""
    size: Mapped[int] = mapped_column(default=0, server_default="0")
    """Bytes."""
    status: Mapped[str] = mapped_column(String(10))
    """An ``ImportStatus``."""
    total: Mapped[int] = mapped_column(default=0, server_default="0")
    """Items of the file, once it was counted."""
    done: Mapped[int] = mapped_column(default=0, server_default="0")
    """Items that the work under way has behind it."""
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    """How often the work was begun since it last came further."""
    problem: Mapped[str | None]
    """Why it cannot be read, or was given up."""
    report: Mapped[dict[str, Any] | None]
    outcome: Mapped[dict[str, Any] | None]
    made_by: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    applied_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "ix_catalog_imports_waiting",
            "tenant_id",
            "id",
            postgresql_where=text("status IN ('waiting', 'applying')"),
        ),
    )


class ImportPart(TenantRow):
    """A piece of a file's bytes; all go when the file is in."""

    __tablename__ = "import_parts"

    import_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (tenant_fk("import_id", "catalog_imports", ondelete="CASCADE"),)
