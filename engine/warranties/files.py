"""What may be shown as evidence: pictures and papers, told by their first bytes and never by their names."""

from __future__ import annotations

import re
from typing import Final

from engine.warranties.errors import EvidenceRefused

LARGEST: Final = 2 * 1024 * 1024
"""Bytes of one file."""
_ENDINGS: Final = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "application/pdf": "pdf"}
_ODD: Final = re.compile(r"[^A-Za-z0-9._-]+")


def kind_of(content: bytes) -> str:
    """The media type that the bytes themselves show. Raises ``EvidenceRefused`` for any other, none, or too many."""
    if not content or len(content) > LARGEST:
        raise EvidenceRefused(f"A file has 1 to {LARGEST} bytes.")
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content.startswith(b"%PDF-"):
        return "application/pdf"
    raise EvidenceRefused("Only JPEG, PNG and WebP pictures and PDF files are taken.")


def safe_name(name: str, kind: str) -> str:
    """A name fit for a download: plain letters, and the ending of what it is."""
    stem = _ODD.sub("-", name.replace("\\", "/").rpartition("/")[2]).rpartition(".")[0] or _ODD.sub("-", name)
    return f"{stem.strip('.-')[:80] or 'evidence'}.{_ENDINGS[kind]}"
