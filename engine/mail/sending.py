"""Sending what was written: claimed under a lease, handed over outside of any transaction, noted afterwards.

At least once. Between the server's yes and our note lies the one moment in which a crash sends a letter twice; both
carry the same ``Message-ID``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from engine.kit import clock, holds
from engine.kit.faults import fault_point
from engine.kit.policies import read_policy
from engine.kit.tenancy import Tenant
from engine.mail import service
from engine.mail.errors import LetterDeferred, LetterRefused, MailServerDown
from engine.mail.mailer import Letter, Mailer, Send
from engine.mail.models import Channel, Mail, MailStatus
from engine.mail.policy import MailPolicy
from engine.mail.states import MAIL
from engine.runtime import Runtime

BATCH: Final = 10
LEASE: Final = timedelta(minutes=5)
"""Longer than a whole batch may take a server that answers just in time."""
MAX_ATTEMPTS: Final = 14
"""With the waits between them: about a day and a half."""
_FIRST_WAIT: Final = timedelta(seconds=15)
_LONGEST_WAIT: Final = timedelta(hours=4)
_NO_SENDER_WAIT: Final = timedelta(minutes=10)
_CODE_STAYS: Final = timedelta(days=1)
NO_SENDER: Final = "sender_unknown"
EXPIRED: Final = "expired"
TOO_OFTEN: Final = "tried_too_often"
log = structlog.get_logger(__name__)


def send_mail(runtime: Runtime, tenant_id: str) -> int:
    """Send a batch of what is due; returns how many letters went out. A demo shop's letters go to its outbox page and
    to nobody else. Elsewhere letters wait as long as no mail server is set.
    """
    with runtime.unit_of_work(tenant_id) as session:
        demo = session.get_one(Tenant, tenant_id).demo
    if demo:
        return _show(runtime, tenant_id)
    mailer = runtime.mailer
    if mailer is None or mailer.resting:
        return 0
    letters = _claim(runtime, tenant_id)
    return _send_all(runtime, tenant_id, mailer, letters) if letters else 0


def erase_codes(runtime: Runtime, tenant_id: str) -> int:
    """Erase the words of letters with a code in them: when the code has expired, or a day after the letter went out."""
    now = clock.now()
    with runtime.unit_of_work(tenant_id) as session:
        rows = session.scalars(
            select(Mail)
            .where(
                Mail.tenant_id == tenant_id,
                Mail.secret,
                Mail.erased_at.is_(None),
                Mail.status != MailStatus.QUEUED,
                or_(Mail.expires_at <= now, Mail.sent_at <= now - _CODE_STAYS),
            )
            .order_by(Mail.id)
            .limit(500)
            .with_for_update(skip_locked=True)
        ).all()
        for row in rows:
            service.erase_body(row)
    return len(rows)


def _show(runtime: Runtime, tenant_id: str) -> int:
    with runtime.unit_of_work(tenant_id) as session:
        rows = _due(session, tenant_id)
        for row in rows:
            _sent(row, Channel.OUTBOX)
    return len(rows)


def _claim(runtime: Runtime, tenant_id: str) -> list[Letter]:
    with runtime.unit_of_work(tenant_id) as session:
        rows = [row for row in _due(session, tenant_id) if _can_go(session, row)]
        for row in rows:
            row.attempts += 1
            row.lease_until = clock.now() + LEASE
        return [_letter(row) for row in rows]


def _due(session: Session, tenant_id: str) -> Sequence[Mail]:
    """What is to be sent now, locked; expired letters are given up on the way. Nothing while a restore is held."""
    if holds.held(session, tenant_id):
        return []
    now = clock.now()
    rows = session.scalars(
        select(Mail)
        .where(
            Mail.tenant_id == tenant_id,
            Mail.status == MailStatus.QUEUED,
            Mail.available_at <= now,
            or_(Mail.lease_until.is_(None), Mail.lease_until <= now),
        )
        .order_by(Mail.available_at, Mail.id)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        if row.expires_at is not None and row.expires_at <= now:
            _failed(row, EXPIRED)
    return [row for row in rows if row.status == MailStatus.QUEUED]


def _can_go(session: Session, row: Mail) -> bool:
    """Whether it has a sender; one that was written before the shop said who it is asks again."""
    if not row.from_address:
        tenant = session.get_one(Tenant, row.tenant_id)
        row.from_address, row.reply_to = service.sender(tenant, read_policy(tenant.settings, MailPolicy))
    if not row.from_address:
        row.error, row.available_at = NO_SENDER, clock.now() + _NO_SENDER_WAIT
    return bool(row.from_address)


def _send_all(runtime: Runtime, tenant_id: str, mailer: Mailer, letters: Sequence[Letter]) -> int:
    """Hand over one after the other; when the server is gone, the rest is put back as if it had not been tried."""
    left, gone = [letter.id for letter in letters], 0
    try:
        with mailer.open() as send:
            for letter in letters:
                left.remove(letter.id)
                gone += _hand_over(runtime, tenant_id, send, letter)
    except MailServerDown as down:
        log.warning("mail server does not answer", tenant=tenant_id, why=str(down))
        _put_back(runtime, tenant_id, left, str(down))
    return gone


def _hand_over(runtime: Runtime, tenant_id: str, send: Send, letter: Letter) -> bool:
    """Raises ``MailServerDown`` once that is noted too: the letter at which a server goes away is not the next one
    for ever.
    """
    fault_point("mail_before_send")
    problem: Exception | None = None
    try:
        send(letter)
    except (LetterRefused, LetterDeferred, MailServerDown) as error:
        problem = error
    fault_point("mail_after_send")
    with runtime.unit_of_work(tenant_id) as session:
        row = session.get_one(Mail, (tenant_id, letter.id), with_for_update=True, populate_existing=True)
        if row.status == MailStatus.QUEUED:
            _note(row, problem)
    if isinstance(problem, MailServerDown):
        raise problem
    return problem is None


def _note(row: Mail, problem: Exception | None) -> None:
    if problem is None:
        _sent(row, Channel.SMTP)
    elif isinstance(problem, LetterRefused):
        _failed(row, str(problem))
    else:
        _wait(row, str(problem))


def _put_back(runtime: Runtime, tenant_id: str, mail_ids: Sequence[str], problem: str) -> None:
    with runtime.unit_of_work(tenant_id) as session:
        rows = session.scalars(
            select(Mail)
            .where(Mail.tenant_id == tenant_id, Mail.id.in_(mail_ids), Mail.status == MailStatus.QUEUED)
            .order_by(Mail.id)
            .with_for_update()
        )
        for row in rows:
            row.attempts -= 1
            row.lease_until, row.error = None, problem[:200]
            row.available_at = clock.now() + _FIRST_WAIT


def _sent(row: Mail, channel: Channel) -> None:
    row.status = MAIL.check(row.status, MailStatus.SENT)
    row.channel, row.sent_at, row.lease_until, row.error = channel, clock.now(), None, ""


def _failed(row: Mail, problem: str) -> None:
    row.status = MAIL.check(row.status, MailStatus.FAILED)
    row.lease_until, row.error = None, problem[:200]


def _wait(row: Mail, problem: str) -> None:
    """15 s, 30 s, 1 min … 4 h; then it is given up."""
    if row.attempts >= MAX_ATTEMPTS:
        _failed(row, f"{TOO_OFTEN}: {problem}")
        return
    row.lease_until, row.error = None, problem[:200]
    row.available_at = clock.now() + min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** max(0, row.attempts - 1))


def _letter(row: Mail) -> Letter:
    return Letter(
        id=row.id,
        from_name=row.from_name,
        from_address=row.from_address,
        reply_to=row.reply_to,
        to_address=row.to_address,
        subject=row.subject,
        text=row.text,
        html=row.html,
        created_at=row.created_at,
    )
