"""Files that show what is wrong with goods: one way to take, keep and tell of them, whatever they belong to."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import LargeBinary, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.kit import clock, pictures
from engine.kit.errors import DomainError, Kind
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.kit.views import View

LARGEST: Final = 2 * 1024 * 1024
"""Bytes of one file."""
PDF: Final = "application/pdf"
PICTURES: Final = frozenset({pictures.JPEG, pictures.PNG, pictures.WEBP})
_ENDINGS: Final = {pictures.JPEG: "jpg", pictures.PNG: "png", pictures.WEBP: "webp", PDF: "pdf"}
_ODD: Final = re.compile(r"[^A-Za-z0-9._-]+")


class EvidenceRefused(DomainError):
    """Too large, too many, or not of a kind that is taken."""

    code = "evidence_refused"
    kind = Kind.UNPROCESSABLE


class EvidenceColumns:
    """A picture or paper that shows the fault: never opened, given out only as a download."""

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    media_type: Mapped[str] = mapped_column(String(40))
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    added_by: Mapped[str] = mapped_column(String(80))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


Row = TypeVar("Row", bound=EvidenceColumns)


class EvidenceView(View):
    id: str
    name: str
    media_type: str
    size: int
    sha256: str
    created_at: datetime


def keep(
    session: Session,
    table: type[Row],
    owner: dict[str, str],
    identity: Identity,
    *,
    name: str,
    content: bytes,
    kinds: Collection[str],
    most: int,
) -> tuple[Row, bool]:
    """Keep a file of what ``owner`` names (its columns, tenant first), and whether it is new: the same content again is
    the same piece. The caller holds the owner's lock. Raises ``EvidenceRefused``.
    """
    kind, kept = taken(content, kinds)
    digest = hashlib.sha256(kept).hexdigest()
    mine = select(table).filter_by(**owner)
    if same := session.scalars(mine.where(table.sha256 == digest)).first():
        return same, False
    if (session.scalar(select(func.count()).select_from(mine.subquery())) or 0) >= most:
        raise EvidenceRefused(f"At most {most} files are taken.")
    known: dict[str, Any] = {"media_type": kind, "size": len(kept), "sha256": digest, "content": kept}
    known |= {"id": new_id("evidence"), "name": safe_name(name, kind), "added_by": identity.id}
    piece = table(**owner, **known)
    session.add(piece)
    session.flush()
    return piece, True


def taken(content: bytes, kinds: Collection[str]) -> tuple[str, bytes]:
    """What a file is by its own bytes, and what of it is kept. Raises ``EvidenceRefused``."""
    if not content or len(content) > LARGEST:
        raise EvidenceRefused(f"A file has 1 to {LARGEST} bytes.")
    kind = PDF if content.startswith(b"%PDF-") else pictures.kind_of(content)
    if kind is None or kind not in kinds:
        raise EvidenceRefused(f"Only JPEG, PNG and WebP pictures{' and PDF files' if PDF in kinds else ''} are taken.")
    if kind == PDF:
        return kind, content
    try:
        return kind, pictures.bare(content)
    except pictures.NotAPicture as broken:
        raise EvidenceRefused(str(broken)) from None


def safe_name(name: str, kind: str) -> str:
    """A name fit for a download: plain letters, and the ending of what it is."""
    stem = _ODD.sub("-", name.replace("\\", "/").rpartition("/")[2]).rpartition(".")[0] or _ODD.sub("-", name)
    return f"{stem.strip('.-')[:80] or 'evidence'}.{_ENDINGS[kind]}"


def view(row: EvidenceColumns) -> EvidenceView:
    """What is told of a file: not its content."""
    return EvidenceView(
        id=row.id,
        name=row.name,
        media_type=row.media_type,
        size=row.size,
        sha256=row.sha256,
        created_at=row.created_at,
    )
