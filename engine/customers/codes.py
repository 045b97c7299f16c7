"""Proving an e-mail address: a six-digit code, sent there, typed here. What is kept of it is a keyed digest.

The same happens whether or not the address is known, so that nobody learns who shops here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, func, select, text
from sqlalchemy.orm import Session

from engine.customers.addresses import check_email
from engine.customers.errors import CodeWrong
from engine.customers.models import EmailCode
from engine.kit import audit, clock, limits, outbox
from engine.kit.envelope import derive, seal, unseal
from engine.kit.errors import Forbidden
from engine.kit.identity import Actor, Identity
from engine.kit.ids import new_id
from engine.runtime import Runtime

CODE_LIFE: Final = timedelta(minutes=10)
TRIES_PER_CODE: Final = 5
_HOUR: Final = timedelta(hours=1)
_ASKED_PER_SESSION: Final = 6
_ASKED_PER_ADDRESS: Final = 10
_ASKED_PER_SHOP: Final = 2_000
_SLOWLY: Final = timedelta(minutes=5)
"""An address that was asked about too often gets one more code in each of these."""
_TRIED_PER_SESSION: Final = 15
"""Of one session for one address: nobody else's tries count."""
MISSES_PER_ADDRESS: Final = 30
MISSES_PER_SHOP: Final = 500
"""Wrong codes in an hour, whoever typed them. Beyond them a code bears one try: right at once still opens."""
_KEPT: Final = timedelta(days=1)
_DIGITS: Final = 6
_CODE: Final = re.compile(r"(?<![\d.,])\d{3}[ \-]?\d{3}(?![\d]|[.,]\d)")
_NO_CODE: Final = "0" * 64
"""Compared with where nobody asked for a code: as long as a digest, and never one."""
TOPIC: Final = "customer.code_requested"
_TRY: Final = text(
    "UPDATE app.email_codes SET attempts = attempts + 1 WHERE attempts < :most AND tenant_id = :tenant AND id = ("
    " SELECT id FROM app.email_codes WHERE tenant_id = :tenant AND shopper_id = :shopper"
    " AND email_key = lower(:email) AND used_at IS NULL AND expires_at > :now"
    " ORDER BY created_at DESC, id DESC LIMIT 1) RETURNING id, code_hash"
)


@dataclass(frozen=True, slots=True)
class Letter:
    """What goes out by mail, and nowhere else."""

    to: str
    code: str
    expires_at: datetime
    shopper_id: str


def limit_asking(runtime: Runtime, identity: Identity, email: str) -> str:
    """Count one wish for a code, in a transaction of its own; returns the address in one spelling.

    Raises ``Forbidden`` for whoever is no shopper, ``ContactInvalid``, ``RateLimited``.
    """
    _shopper_alone(identity)
    address = check_email(email)
    with runtime.store.without_tenant() as session:
        limits.hit(session, _bucket("ask", identity, identity.id), limit=_ASKED_PER_SESSION, window=_HOUR)
        if limits.add(session, _bucket("ask", identity, address.lower()), 1, window=_HOUR) > _ASKED_PER_ADDRESS:
            limits.hit(session, _bucket("ask-slowly", identity, address.lower()), limit=1, window=_SLOWLY)
        limits.hit(session, f"code-ask:{identity.tenant_id}", limit=_ASKED_PER_SHOP, window=_HOUR)
    return address


def ask(session: Session, runtime: Runtime, identity: Identity, address: str) -> EmailCode:
    """Make a code for ``address`` (as ``limit_asking`` spelled it) and have it sent. Earlier ones end with it."""
    _shopper_alone(identity)
    code_id, code = new_id("email_code"), f"{secrets.randbelow(10**_DIGITS):0{_DIGITS}d}"
    row = EmailCode(
        tenant_id=identity.tenant_id,
        id=code_id,
        shopper_id=identity.id,
        email=address,
        code_hash=_hash(runtime.secret_key, identity.tenant_id, code_id, code),
        expires_at=clock.now() + CODE_LIFE,
    )
    session.add(row)
    session.flush()
    sealed = seal(runtime.secret_key, identity.tenant_id, _context(code_id), code)
    outbox.emit(session, identity.tenant_id, TOPIC, code_id, {"sealed": base64.b64encode(sealed).decode()})
    audit.record(session, identity.tenant_id, actor=identity.id, action="customer.code_requested", subject=code_id)
    return row


def letter(session: Session, runtime: Runtime, row: outbox.OutboxRow) -> Letter | None:
    """What the mail of a ``customer.code_requested`` row says; ``None`` when the code is over or was used."""
    code = session.get(EmailCode, (row.tenant_id, row.subject_id))
    if code is None or code.used_at is not None or code.expires_at <= clock.now():
        return None
    sealed = base64.b64decode(row.payload["sealed"])
    opened = unseal(runtime.secret_key, row.tenant_id, _context(code.id), sealed)
    return Letter(code.email, opened, code.expires_at, code.shopper_id)


def check(runtime: Runtime, identity: Identity, email: str, code: str) -> str:
    """The id of the code that was typed right, still to be ``spend``-t. Every try counts, also one that fails: of the
    session that asked for it. What others try for the same address slows everybody down and locks nobody out.

    Raises ``CodeWrong``, ``ContactInvalid``, ``Forbidden``, ``RateLimited``.
    """
    _shopper_alone(identity)
    address = check_email(email)
    most = _tries_left(runtime, identity, address)
    asked = {"most": most, "tenant": identity.tenant_id, "shopper": identity.id, "email": address}
    with runtime.unit_of_work(identity.tenant_id) as session:
        row = session.execute(_TRY, asked | {"now": clock.now()}).one_or_none()
    code_id, expected = (row.id, row.code_hash) if row else ("", _NO_CODE)
    given = _hash(runtime.secret_key, identity.tenant_id, code_id, re.sub(r"[\s\-]", "", code))
    if not hmac.compare_digest(given, expected):
        _missed(runtime, identity, address)
        raise CodeWrong
    return str(code_id)


def spend(session: Session, identity: Identity, code_id: str) -> str:
    """Use a checked code, once; returns the address that is proven. Raises ``CodeWrong`` when it is used or over."""
    key = (identity.tenant_id, code_id)
    row = session.get(EmailCode, key, with_for_update=True, populate_existing=True)
    if row is None or row.shopper_id != identity.id or row.used_at is not None or row.expires_at <= clock.now():
        raise CodeWrong
    row.used_at = clock.now()
    return row.email


def typed(words: str) -> str | None:
    """The code, if the words are nothing but one."""
    bare = words.strip()
    return bare if _CODE.fullmatch(bare) else None


def awaited(session: Session, identity: Identity) -> str | None:
    """The address that this session's newest code was sent to, while it is good."""
    query = select(EmailCode.email).where(*_good(identity)).order_by(EmailCode.created_at.desc(), EmailCode.id.desc())
    return session.scalars(query.limit(1)).first()


def mask_codes(session: Session, identity: Identity, words: str) -> str:
    """``words`` without anything that could be the code this session waits for: it belongs on its form alone."""
    if not _CODE.search(words) or not _waiting(session, identity):
        return words
    return _CODE.sub("••••••", words)


def forget_old(session: Session, tenant_id: str) -> None:
    """Drop codes a day after they ran out."""
    session.execute(
        delete(EmailCode).where(EmailCode.tenant_id == tenant_id, EmailCode.expires_at < clock.now() - _KEPT)
    )


def _tries_left(runtime: Runtime, identity: Identity, address: str) -> int:
    """How many tries a code bears now. Raises ``RateLimited`` for a session that tried too often itself."""
    with runtime.store.without_tenant() as session:
        own = _bucket("try", identity, f"{identity.id}|{address.lower()}")
        limits.hit(session, own, limit=_TRIED_PER_SESSION, window=_HOUR)
        missed = limits.used(session, _bucket("miss", identity, address.lower()), window=_HOUR)
        of_all = limits.used(session, f"code-miss:{identity.tenant_id}", window=_HOUR)
    return 1 if missed >= MISSES_PER_ADDRESS or of_all >= MISSES_PER_SHOP else TRIES_PER_CODE


def _missed(runtime: Runtime, identity: Identity, address: str) -> None:
    with runtime.store.without_tenant() as session:
        limits.add(session, _bucket("miss", identity, address.lower()), 1, window=_HOUR)
        limits.add(session, f"code-miss:{identity.tenant_id}", 1, window=_HOUR)


def _waiting(session: Session, identity: Identity) -> bool:
    return bool(session.scalar(select(func.count()).where(*_good(identity))))


def _good(identity: Identity) -> tuple[ColumnElement[bool], ...]:
    """Codes that this session may still type."""
    return (
        EmailCode.tenant_id == identity.tenant_id,
        EmailCode.shopper_id == identity.id,
        EmailCode.used_at.is_(None),
        EmailCode.expires_at > clock.now(),
    )


def _shopper_alone(identity: Identity) -> None:
    if identity.actor != Actor.SHOPPER:
        raise Forbidden("Only a shopper's own session can prove an e-mail address.")


def _bucket(what: str, identity: Identity, value: str) -> str:
    return f"code-{what}:{hashlib.sha256(f'{identity.tenant_id}|{value}'.encode()).hexdigest()}"


def _hash(secret_key: bytes, tenant_id: str, code_id: str, code: str) -> str:
    key = derive(secret_key, "email-code")
    return hmac.new(key, f"{tenant_id}|{code_id}|{code}".encode(), hashlib.sha256).hexdigest()


def _context(code_id: str) -> str:
    return f"email-code|{code_id}"
