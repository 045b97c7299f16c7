"""Writing letters, reading what was written, and forgetting a person. Nothing here talks to a mail server."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from engine.kit import audit, clock
from engine.kit.errors import NotFound
from engine.kit.ids import new_id
from engine.kit.pagination import Page, cursor_moment, decode_cursor, encode_cursor
from engine.kit.policies import read_policy
from engine.kit.tenancy import Tenant
from engine.mail import rendering, wording
from engine.mail.addresses import checked_address
from engine.mail.errors import BodyErased
from engine.mail.models import Mail, MailStatus
from engine.mail.policy import MailPolicy
from engine.mail.states import MAIL
from engine.orders.seller import SellerPolicy

BAD_ADDRESS: Final = "bad_address"
ERASED: Final = "erased"
_WRITTEN: Final = insert(Mail).on_conflict_do_nothing(index_elements=["tenant_id", "key"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A letter to be written. ``data`` are plain values, as in ``samples``; ``key`` says what it is about, once in a
    shop. ``secret`` is for a body that holds a code.
    """

    template: str
    to: str
    data: Mapping[str, Any] = field(repr=False)
    key: str
    topic: str = ""
    subject_id: str = ""
    customer_id: str | None = None
    expires_at: datetime | None = None
    secret: bool = False
    language: str = ""
    """Which its reader speaks, where that is known."""


def write(session: Session, tenant_id: str, **letter: Any) -> str | None:
    """Write a ``Letter``, to be sent after this transaction: its id, or ``None`` when it was written before or the shop
    does not write it. One to an address that cannot be is kept as failed. Raises ``jinja2.TemplateError`` for words
    that name a fact that is not there.
    """
    row = _row(session, tenant_id, Letter(**letter))
    return session.scalar(_WRITTEN.values(row).returning(Mail.id)) if row else None


def write_all(session: Session, tenant_id: str, letters: Sequence[Letter]) -> None:
    """The same of many at once."""
    if rows := [row for one in letters if (row := _row(session, tenant_id, one))]:
        session.execute(_WRITTEN, rows)


def _row(session: Session, tenant_id: str, letter: Letter) -> dict[str, Any] | None:
    tenant = session.get_one(Tenant, tenant_id)
    policy = read_policy(tenant.settings, MailPolicy)
    if letter.template in policy.disabled:
        return None
    words = _rendered(tenant, policy, letter)
    address, error = _checked(letter.to)
    from_address, reply_to = sender(tenant, policy)
    return {
        "tenant_id": tenant_id,
        "id": new_id("mail"),
        "key": letter.key,
        "topic": letter.topic,
        "template": letter.template,
        "subject_id": letter.subject_id,
        "customer_id": letter.customer_id,
        "to_address": address,
        "from_name": policy.from_name or tenant.name,
        "from_address": from_address,
        "reply_to": reply_to,
        "subject": words.subject,
        "text": words.text,
        "html": words.html,
        "status": MailStatus.FAILED if error else MailStatus.QUEUED,
        "error": error,
        "expires_at": letter.expires_at,
        "secret": letter.secret,
    }


def sender(tenant: Tenant, policy: MailPolicy) -> tuple[str, str]:
    """Address of sender and for answers; the first is empty while the shop has none."""
    return policy.from_address or str(tenant.settings.get("support_email") or ""), policy.reply_to


def mails(
    session: Session,
    tenant_id: str,
    *,
    status: MailStatus | None = None,
    template: str | None = None,
    subject_id: str | None = None,
    q: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Mail]:
    """Letters, newest first. ``q`` is a whole address. Raises ``InvalidInput`` for a cursor that is not ours."""
    query = select(Mail).where(Mail.tenant_id == tenant_id)
    for column, wanted in ((Mail.status, status), (Mail.template, template), (Mail.subject_id, subject_id)):
        if wanted is not None:
            query = query.where(column == wanted)
    if q is not None:
        query = query.where(Mail.address_key == q.strip().lower())
    if cursor:
        moment, mail_id = decode_cursor(cursor, size=2)
        query = query.where(tuple_(Mail.created_at, Mail.id) < (cursor_moment(moment), str(mail_id)))
    rows = session.scalars(query.order_by(Mail.created_at.desc(), Mail.id.desc()).limit(limit + 1)).all()
    shown, more = rows[:limit], len(rows) > limit
    following = encode_cursor([shown[-1].created_at.isoformat(), shown[-1].id]) if more else None
    return Page(shown, following)


def mail(session: Session, tenant_id: str, mail_id: str) -> Mail:
    """One letter. Raises ``NotFound``."""
    row = session.get(Mail, (tenant_id, mail_id))
    if row is None:
        raise NotFound("There is no such letter.")
    return row


def try_again(session: Session, tenant_id: str, mail_id: str, *, actor: str) -> Mail:
    """Queue a failed letter once more. Raises ``NotFound``, ``IllegalTransition``, ``BodyErased``."""
    row = session.get(Mail, (tenant_id, mail_id), with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound("There is no such letter.")
    row.status = MAIL.check(row.status, MailStatus.QUEUED)
    if row.erased_at is not None:
        raise BodyErased("This letter was erased: there is nothing left to send.")
    row.attempts, row.error, row.lease_until, row.available_at = 0, "", None, clock.now()
    audit.record(session, tenant_id, actor=actor, action="mail.retried", subject=row.id)
    return row


def waiting(session: Session, tenant_id: str) -> tuple[int, datetime | None]:
    """How many letters are not sent yet, and when the oldest was written."""
    query = select(func.count(), func.min(Mail.created_at))
    count, oldest = session.execute(query.where(Mail.tenant_id == tenant_id, Mail.status == MailStatus.QUEUED)).one()
    return count, oldest


def of_person(
    session: Session, tenant_id: str, *, addresses: Collection[str], customer_id: str | None = None
) -> Sequence[Mail]:
    """Every letter to a person, oldest first."""
    lowered = [address.lower() for address in addresses]
    theirs: list[ColumnElement[bool]] = [Mail.address_key.in_(lowered)]
    if customer_id is not None:
        theirs.append(Mail.customer_id == customer_id)
    return session.scalars(select(Mail).where(Mail.tenant_id == tenant_id, or_(*theirs)).order_by(Mail.id)).all()


def erase_person(
    session: Session, tenant_id: str, *, addresses: Collection[str], customer_id: str | None = None
) -> int:
    """Overwrite address and words of every letter to a person; what was still to be sent is not. Returns how many."""
    rows = of_person(session, tenant_id, addresses=addresses, customer_id=customer_id)
    for row in rows:
        if row.status == MailStatus.QUEUED:
            row.status = MAIL.check(row.status, MailStatus.FAILED)
            row.error = ERASED
        row.to_address, row.customer_id, row.subject = "", None, ERASED
        erase_body(row)
    return len(rows)


def erase_body(row: Mail) -> None:
    """What a letter said is gone; that it was written stays."""
    row.text = row.html = ""
    row.erased_at = clock.now()


def _rendered(tenant: Tenant, policy: MailPolicy, letter: Letter) -> rendering.Rendered:
    seller = read_policy(tenant.settings, SellerPolicy)
    legal_name = seller.legal_name or tenant.name
    shop = {
        "name": tenant.name,
        "legal_name": legal_name,
        "address": list(seller.address),
        "email": str(tenant.settings.get("support_email") or ""),
    }
    words = policy.templates.get(letter.template)
    footer = [*policy.footer.splitlines(), legal_name, ", ".join(line for line in seller.address if line)]
    return rendering.render(
        letter.template,
        {"shop": shop} | dict(letter.data),
        own=words.model_dump() if words else None,
        footer=footer,
        lang=str(tenant.settings.get("locale") or "en").replace("_", "-"),
        language=letter.language or wording.DEFAULT,
    )


def _checked(to: str) -> tuple[str, str]:
    try:
        return checked_address(to), ""
    except ValueError:
        return to[:320], BAD_ADDRESS
