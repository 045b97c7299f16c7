"""Gift cards and store credit: what a customer has with the shop, as a ledger. A balance is never negative."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from engine.finance import postings
from engine.finance import service as finance
from engine.finance.models import Account
from engine.kit import audit, clock, limits, outbox
from engine.kit.direct import Statement
from engine.kit.envelope import derive, seal_code
from engine.kit.errors import InvalidInput, NotFound, RateLimited
from engine.kit.gathering import Rows, ask, fetch
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.kit.money import is_currency
from engine.kit.policies import policy_of
from engine.payments.errors import StoredValueShort
from engine.payments.policy import PaymentsPolicy
from engine.payments.stored_value_models import (
    EntryKind,
    StoredValueAccount,
    StoredValueEntry,
    StoredValueKind,
    StoredValueStatus,
)
from engine.runtime import Runtime

_ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_CODE_LENGTH: Final = 16
_TRIES_PER_HOUR: Final = 10
_MISSES_PER_HOUR: Final = 300
"""Of a whole shop. A code is one of 2^80: this is for whoever has a list of stolen ones."""
_HOUR: Final = timedelta(hours=1)
_BATCH: Final = 100
_LOCKED: Final = Rows(StoredValueAccount, "r.tenant_id = %(tenant)s AND r.id = %(account)s", lock=True)
_MOVE: Final = Statement("""
WITH entry AS (
  INSERT INTO app.stored_value_entries (tenant_id, account_id, kind, delta, subject, at)
  VALUES (%(tenant)s, %(account)s, %(kind)s, %(delta)s, %(subject)s, %(now)s) RETURNING id)
UPDATE app.stored_value_accounts SET balance = balance + %(delta)s
WHERE tenant_id = %(tenant)s AND id = %(account)s RETURNING balance, (SELECT id FROM entry) AS entry
""")
MAILED: Final = "gift_card.issued"


@dataclass(frozen=True, slots=True)
class Issued:
    """A new account. ``code`` is told once and kept nowhere; store credit has none."""

    account: StoredValueAccount
    code: str | None


def issue(
    session: Session,
    tenant_id: str,
    *,
    secret_key: bytes,
    kind: StoredValueKind,
    amount: int,
    currency: str,
    source: Account = Account.PROMOTIONS,
    customer_id: str | None = None,
    owner_id: str | None = None,
    expires_at: datetime | None = None,
    actor: str,
    mail_to: str | None = None,
) -> Issued:
    """Give credit, and owe it: a gift card with a code, or store credit for a customer or session identity. A card's
    code also goes out by mail where ``mail_to`` says to whom.

    Raises ``InvalidInput`` for no amount, and for a currency that ISO 4217 does not know.
    """
    if amount <= 0:
        raise InvalidInput("Stored value begins with an amount.", param="amount")
    if not is_currency(currency):
        raise InvalidInput(f"{currency} is not a currency.", param="currency")
    code = new_code() if kind == StoredValueKind.GIFT_CARD else None
    account = _open(session, tenant_id, kind, currency, customer_id=customer_id, owner_id=owner_id)
    if code is not None:
        account.code_hash, account.last4 = code_hash(secret_key, tenant_id, code), code[-4:]
    account.expires_at = expires_at or account.expires_at
    session.flush()
    _move(session, account, EntryKind.ISSUE, amount, subject=account.id)
    finance.post(
        session,
        tenant_id,
        kind=postings.Kind.STORED_VALUE_ISSUED,
        subject=account.id,
        currency=currency,
        amounts=postings.stored_value_issued(_words(kind), amount, source),
    )
    facts = {"amount": amount, "currency": currency, "kind": kind, "source": source}
    audit.record(session, tenant_id, actor=actor, action="stored_value.issued", subject=account.id, facts=facts)
    if code is not None and mail_to:
        _tell(session, account, amount, seal_code(secret_key, tenant_id, MAILED, account.id, code), mail_to)
    return Issued(account, code)


def _tell(session: Session, account: StoredValueAccount, amount: int, sealed: str, email: str) -> None:
    payload = {
        "email": email,
        "sealed": sealed,
        "amount": amount,
        "currency": account.currency,
        "expires_on": account.expires_at.date().isoformat() if account.expires_at else "",
    }
    outbox.emit(session, account.tenant_id, MAILED, account.id, payload)


def find_by_code(runtime: Runtime, identity: Identity, code: str) -> StoredValueAccount:
    """The active gift card behind a code; ten tries an hour for each identity, good or bad, and so many bad ones for
    the whole shop that nobody guesses with many identities.

    Raises ``NotFound``, ``RateLimited``.
    """
    tenant_id = identity.tenant_id
    bucket = hashlib.sha256(f"{tenant_id}|{identity.id}".encode()).hexdigest()
    shop = f"gift-card-misses:{tenant_id}"
    with runtime.store.without_tenant() as session:
        limits.hit(session, f"gift-card:{bucket}", limit=_TRIES_PER_HOUR, window=_HOUR)
        if limits.used(session, shop, window=_HOUR) >= _MISSES_PER_HOUR:
            raise RateLimited("Too many codes were tried. Please try again later.", retry_after_seconds=600)
    with runtime.unit_of_work(tenant_id) as session:
        account = session.scalar(
            select(StoredValueAccount).where(
                StoredValueAccount.tenant_id == tenant_id,
                StoredValueAccount.code_hash == code_hash(runtime.secret_key, tenant_id, code),
                StoredValueAccount.status == StoredValueStatus.ACTIVE,
            )
        )
    if account is None or _expired(account):
        with runtime.store.without_tenant() as session:
            limits.add(session, shop, 1, window=_HOUR)
        raise NotFound("There is no such gift card.")
    return account


def accounts_of(session: Session, identity: Identity) -> list[StoredValueAccount]:
    """The identity's own gift cards and store credit that are in force, empty ones too, oldest first."""
    mine = StoredValueAccount.owner_id == identity.id
    if identity.customer_id is not None:
        mine = mine | (StoredValueAccount.customer_id == identity.customer_id)
    rows = session.scalars(
        select(StoredValueAccount)
        .where(
            StoredValueAccount.tenant_id == identity.tenant_id,
            StoredValueAccount.status == StoredValueStatus.ACTIVE,
            mine,
        )
        .order_by(StoredValueAccount.id)
    )
    return [row for row in rows if not _expired(row)]


def own_accounts(session: Session, identity: Identity) -> list[StoredValueAccount]:
    """The identity's own store credit that can be spent now, oldest first."""
    mine = accounts_of(session, identity)
    return [row for row in mine if row.kind == StoredValueKind.STORE_CREDIT and row.balance > 0]


def hold(session: Session, tenant_id: str, *, account_id: str, amount: int, currency: str, payment_id: str) -> None:
    """Set an amount aside for a payment, in T1. Raises ``StoredValueShort``; then nothing has changed."""
    account = lock(session, tenant_id, account_id)
    if not is_usable(account, currency) or not 0 < amount <= account.balance:
        raise StoredValueShort("There is not enough on this gift card or store credit.")
    _move(session, account, EntryKind.HOLD, -amount, subject=payment_id)


def release(session: Session, tenant_id: str, *, payment_id: str, keep: int = 0) -> int:
    """Give back what is held for a payment, but for what of it was captured; returns how much. Once."""
    rows = session.execute(
        select(StoredValueEntry.account_id, func.sum(StoredValueEntry.delta))
        .where(
            StoredValueEntry.tenant_id == tenant_id,
            StoredValueEntry.subject == payment_id,
            StoredValueEntry.kind.in_([EntryKind.HOLD, EntryKind.RELEASE]),
        )
        .group_by(StoredValueEntry.account_id)
        .order_by(StoredValueEntry.account_id)
    ).all()
    released = 0
    for account_id, held in rows:
        rest = -int(held) - keep
        if rest > 0:
            _move(session, lock(session, tenant_id, account_id), EntryKind.RELEASE, rest, subject=payment_id)
            released += rest
    return released


def held_for(session: Session, tenant_id: str, payment_id: str) -> int:
    """How much is set aside for (or was used by) a payment."""
    held = session.scalar(
        select(func.sum(StoredValueEntry.delta)).where(
            StoredValueEntry.tenant_id == tenant_id,
            StoredValueEntry.subject == payment_id,
            StoredValueEntry.kind.in_([EntryKind.HOLD, EntryKind.RELEASE]),
        )
    )
    return -int(held or 0)


def credit(session: Session, tenant_id: str, *, account_id: str, amount: int, refund_id: str) -> StoredValueAccount:
    """A refund arrives on an account, once, and keeps it alive long enough to be spent. The refund posts it."""
    account = lock(session, tenant_id, account_id)
    _move(session, account, EntryKind.REFUND, amount, subject=refund_id)
    if account.expires_at is not None:
        grace = timedelta(days=policy_of(session, tenant_id, PaymentsPolicy).refunded_value_days)
        account.expires_at = max(account.expires_at, clock.now() + grace)
    return account


def credit_account(
    session: Session, tenant_id: str, *, currency: str, customer_id: str | None, owner_id: str | None
) -> str:
    """The store credit of a customer (or, for want of one, a session identity) in a currency; made when missing.

    Needs the order's lock: two refunds of one order must not open two accounts.
    """
    whose = StoredValueAccount.customer_id == customer_id if customer_id else StoredValueAccount.owner_id == owner_id
    found = session.scalar(
        select(StoredValueAccount.id)
        .where(
            StoredValueAccount.tenant_id == tenant_id,
            StoredValueAccount.kind == StoredValueKind.STORE_CREDIT,
            StoredValueAccount.status == StoredValueStatus.ACTIVE,
            StoredValueAccount.currency == currency,
            whose,
        )
        .order_by(StoredValueAccount.id)
        .limit(1)
    )
    if found is not None:
        return found
    kind = StoredValueKind.STORE_CREDIT
    account = _open(session, tenant_id, kind, currency, customer_id=customer_id, owner_id=owner_id)
    session.flush()
    return account.id


def block(session: Session, tenant_id: str, account_id: str, *, actor: str) -> None:
    """Nothing more is paid from this account; its balance stays owed."""
    lock(session, tenant_id, account_id).status = StoredValueStatus.BLOCKED
    audit.record(session, tenant_id, actor=actor, action="stored_value.blocked", subject=account_id)


def expire(runtime: Runtime, tenant_id: str) -> int:
    """End accounts whose time is over: what is left is owed no more. Returns how many."""
    with runtime.unit_of_work(tenant_id) as session:
        rows = session.scalars(
            select(StoredValueAccount)
            .where(
                StoredValueAccount.tenant_id == tenant_id,
                StoredValueAccount.balance > 0,
                StoredValueAccount.expires_at <= clock.now(),
            )
            .order_by(StoredValueAccount.id)
            .limit(_BATCH)
            .with_for_update(skip_locked=True)
        ).all()
        for account in rows:
            _expire(session, account)
    return len(rows)


def lock(session: Session, tenant_id: str, account_id: str) -> StoredValueAccount:
    """The account, held for this transaction. Raises ``NotFound``."""
    (found,) = fetch(session, (_LOCKED, {"tenant": tenant_id, "account": account_id}))
    if not found:
        raise NotFound("There is no such gift card or store credit.")
    return cast("StoredValueAccount", found[0])


def new_code() -> str:
    """Sixteen characters that are hard to mistake for one another: 80 bits of chance."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH))


def code_hash(secret_key: bytes, tenant_id: str, code: str) -> str:
    """What is kept of a code. Case, blanks and hyphens do not matter."""
    plain = "".join(code.split()).replace("-", "").upper()
    key = derive(secret_key, "gift-card-code")
    return hmac.new(key, f"{tenant_id}|{plain}".encode(), hashlib.sha256).hexdigest()


def _open(
    session: Session,
    tenant_id: str,
    kind: StoredValueKind,
    currency: str,
    *,
    customer_id: str | None,
    owner_id: str | None,
) -> StoredValueAccount:
    policy = policy_of(session, tenant_id, PaymentsPolicy)
    days = policy.gift_card_days if kind == StoredValueKind.GIFT_CARD else policy.store_credit_days
    account = StoredValueAccount(
        tenant_id=tenant_id,
        id=new_id("stored_value"),
        kind=kind,
        customer_id=customer_id,
        owner_id=None if customer_id else owner_id,
        currency=currency,
        expires_at=clock.now() + timedelta(days=days) if days else None,
    )
    session.add(account)
    return account


def _expire(session: Session, account: StoredValueAccount) -> None:
    left, tenant_id = account.balance, account.tenant_id
    moment = clock.now()
    entry = _move(session, account, EntryKind.EXPIRE, -left, subject=moment.isoformat())
    finance.post(
        session,
        tenant_id,
        kind=postings.Kind.STORED_VALUE_EXPIRED,
        subject=f"sve_{entry}",
        currency=account.currency,
        amounts=postings.stored_value_expired(_words(account.kind), left),
    )
    facts = {"amount": left, "currency": account.currency}
    audit.record(session, tenant_id, actor="system", action="stored_value.expired", subject=account.id, facts=facts)


def _move(session: Session, account: StoredValueAccount, kind: EntryKind, delta: int, *, subject: str) -> int:
    """Write an entry and its effect; returns the entry's id. The account is locked (or new)."""
    row = {"tenant": account.tenant_id, "account": account.id, "kind": kind, "delta": delta, "subject": subject}
    (moved,) = ask(session, _MOVE, row | {"now": clock.now()})
    set_committed_value(account, "balance", moved["balance"])
    assert account.balance >= 0
    return int(moved["entry"])


def is_usable(account: StoredValueAccount, currency: str) -> bool:
    """Whether something in this currency may be paid from the account, its balance aside."""
    return account.status == StoredValueStatus.ACTIVE and not _expired(account) and account.currency == currency


def can_take(account: StoredValueAccount, currency: str) -> bool:
    """Whether a refund may arrive on it: one whose time ended since it was agreed to lives again by that."""
    return account.status == StoredValueStatus.ACTIVE and account.currency == currency


def _expired(account: StoredValueAccount) -> bool:
    return account.expires_at is not None and account.expires_at <= clock.now()


def _words(kind: StoredValueKind) -> postings.StoredValue:
    return "gift_card" if kind == StoredValueKind.GIFT_CARD else "store_credit"
