"""The shop's logo: taken by its bytes, rid of all that is not the picture, given out from our own origin."""

from __future__ import annotations

import hashlib
from typing import Final

from sqlalchemy import delete
from sqlalchemy.orm import Session

from engine.kit import pictures
from engine.kit.errors import DomainError, Kind, NotFound
from engine.policies import PolicyView, set_policy
from engine.theme.models import LARGEST, Logo

_DIGEST: Final = 16


class LogoRefused(DomainError):
    """Too large, or no picture of a kind that is taken."""

    code = "logo_refused"
    kind = Kind.UNPROCESSABLE


def set_logo(session: Session, tenant_id: str, content: bytes, *, actor: str) -> PolicyView:
    """Keep a JPEG, PNG or WebP picture as the shop's logo, in place of the one before; the theme then names it.

    Drawings that are programs (SVG) are none of these. Raises ``LogoRefused``; nothing is changed then.
    """
    if not 0 < len(content) <= LARGEST:
        raise LogoRefused(f"A logo has 1 to {LARGEST} bytes.")
    try:
        kept = pictures.bare(content)
    except pictures.NotAPicture as broken:
        raise LogoRefused(str(broken)) from None
    digest = hashlib.sha256(kept).hexdigest()[:_DIGEST]
    view = set_policy(session, tenant_id, "theme", {"logo": digest}, actor=actor)
    session.execute(delete(Logo).where(Logo.tenant_id == tenant_id, Logo.digest != digest))
    kind = pictures.kind_of(kept) or ""
    session.merge(Logo(tenant_id=tenant_id, digest=digest, media_type=kind, content=kept, set_by=actor[:80]))
    return view


def logo(session: Session, tenant_id: str, digest: str) -> tuple[str, bytes]:
    """Media type and bytes. Raises ``NotFound``."""
    found = session.get(Logo, (tenant_id, digest)) if digest.isalnum() else None
    if found is None:
        raise NotFound("There is no such logo.")
    return found.media_type, found.content
