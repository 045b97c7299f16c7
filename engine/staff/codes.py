"""Signing in by e-mail: a six-digit code, sent there, typed in the window that asked. The same happens for an address
that is nobody's here, so that nobody learns who works for the shop.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, text
from sqlalchemy.orm import Session

from engine.customers.addresses import check_email
from engine.kit import audit, clock, limits, outbox
from engine.kit.envelope import derive, seal_code
from engine.kit.ids import new_id
from engine.kit.tenancy import hash_secret
from engine.runtime import Runtime
from engine.staff import members
from engine.staff.errors import SignInWrong
from engine.staff.letters import CODE_ASKED
from engine.staff.models import StaffCode

CODE_LIFE: Final = timedelta(minutes=10)
TRIES_PER_CODE: Final = 5
ASKED_PER_ADDRESS: Final = 20
"""Of one address of the net, in an hour, whichever e-mail."""
ASKED_PER_EMAIL: Final = 10
"""Whoever asks. Beyond it one more in each five minutes: nobody is locked out by a stranger."""
TRIED_PER_ADDRESS: Final = 60
_HOUR: Final = timedelta(hours=1)
_SLOWLY: Final = timedelta(minutes=5)
_KEPT: Final = timedelta(days=1)
_DIGITS: Final = 6
_NO_CODE: Final = "0" * 64
"""Compared with where there is nothing to compare: as long as a digest, and never one."""
_TRY: Final = text(
    "UPDATE app.staff_codes SET attempts = attempts + 1 WHERE attempts < :most AND tenant_id = :tenant"
    " AND browser_hash = :browser AND used_at IS NULL AND expires_at > :now RETURNING id, code_hash, member_id"
)


def ask(runtime: Runtime, tenant_id: str, email: str, *, address: str) -> str:
    """Somebody wants to sign in as ``email``, from a browser at ``address``; returns what that browser has to keep.

    Raises ``ContactInvalid``, ``RateLimited``; never says whether the address is somebody's.
    """
    wanted = check_email(email).lower()
    _limit_asking(runtime, tenant_id, wanted, address)
    browser, code_id = secrets.token_urlsafe(32), new_id("staff_code")
    code = f"{secrets.randbelow(10**_DIGITS):0{_DIGITS}d}"
    with runtime.unit_of_work(tenant_id) as session:
        row = members.by_email(session, tenant_id, wanted)
        member = row if row is not None and row.active else None
        session.add(
            StaffCode(
                tenant_id=tenant_id,
                id=code_id,
                browser_hash=hash_secret(browser),
                member_id=member.id if member else None,
                code_hash=_hash(runtime.secret_key, tenant_id, code_id, code),
                expires_at=clock.now() + CODE_LIFE,
            )
        )
        session.flush()
        sealed = seal_code(runtime.secret_key, tenant_id, CODE_ASKED, code_id, code)
        if member is not None:
            outbox.emit(session, tenant_id, CODE_ASKED, code_id, {"sealed": sealed})
        who = member.id if member else audit.keyed_digest(runtime.secret_key, f"{tenant_id}|{wanted}")
        audit.record(session, tenant_id, actor="system", action="staff.code_requested", subject=who)
    return browser


def sign_in(runtime: Runtime, tenant_id: str, browser: str, code: str, *, address: str) -> str:
    """The new session's cookie, for a code that was typed right in the browser that asked. Every try counts.

    Raises ``SignInWrong``, ``RateLimited``.
    """
    with runtime.store.without_tenant() as session:
        limits.hit(session, _bucket("try", tenant_id, address), limit=TRIED_PER_ADDRESS, window=_HOUR)
    found = _try(runtime, tenant_id, browser, code)
    if found is None:
        raise SignInWrong
    with runtime.unit_of_work(tenant_id) as session:
        row = session.get_one(StaffCode, (tenant_id, found), with_for_update=True, populate_existing=True)
        if row.used_at is not None or row.member_id is None:
            raise SignInWrong
        member = members.locked(session, tenant_id, row.member_id)
        if not member.active:
            raise SignInWrong
        row.used_at = clock.now()
        return members.sign_in(session, member, by="code")


def forget_old(session: Session, tenant_id: str) -> None:
    """Drop codes a day after they ran out."""
    session.execute(
        delete(StaffCode).where(StaffCode.tenant_id == tenant_id, StaffCode.expires_at < clock.now() - _KEPT)
    )


def _try(runtime: Runtime, tenant_id: str, browser: str, code: str) -> str | None:
    """The id of the code that was typed right, if one was."""
    asked = {"tenant": tenant_id, "browser": hash_secret(browser), "now": clock.now()}
    with runtime.unit_of_work(tenant_id) as session:
        row = session.execute(_TRY, asked | {"most": TRIES_PER_CODE}).one_or_none()
        code_id, expected = (row.id, row.code_hash) if row else ("", _NO_CODE)
        given = _hash(runtime.secret_key, tenant_id, code_id, re.sub(r"[\s\-]", "", code))
        if hmac.compare_digest(given, expected) and row is not None and row.member_id is not None:
            return str(row.id)
        subject = (row.member_id if row else None) or "unknown"
        audit.record(session, tenant_id, actor="system", action="staff.sign_in_failed", subject=subject)
    return None


def _limit_asking(runtime: Runtime, tenant_id: str, email: str, address: str) -> None:
    with runtime.store.without_tenant() as session:
        limits.hit(session, _bucket("ask-from", tenant_id, address), limit=ASKED_PER_ADDRESS, window=_HOUR)
        if limits.add(session, _bucket("ask-for", tenant_id, email), 1, window=_HOUR) > ASKED_PER_EMAIL:
            limits.hit(session, _bucket("ask-slowly", tenant_id, email), limit=1, window=_SLOWLY)


def _bucket(what: str, tenant_id: str, value: str) -> str:
    return f"staff-{what}:{hashlib.sha256(f'{tenant_id}|{value}'.encode()).hexdigest()}"


def _hash(secret_key: bytes, tenant_id: str, code_id: str, code: str) -> str:
    key = derive(secret_key, "staff-code")
    return hmac.new(key, f"{tenant_id}|{code_id}|{code}".encode(), hashlib.sha256).hexdigest()
