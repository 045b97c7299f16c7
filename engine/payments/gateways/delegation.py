"""Single-use tokens (``vt_…``) for gateways that have none of our kind.

A token stands for a payment method within an allowance. It is derived from its key, so that a repeat gives the same
one although only a hash is kept; it is used up in one statement, by one payment id, before the gateway is called.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.envelope import derive, seal, unseal
from engine.kit.money import Money
from engine.kit.tenancy import hash_secret
from engine.payments.errors import TokenRefused
from engine.payments.gateway import Allowance, CaptureRequest, CardFacts, MethodKind, TokenFacts
from engine.payments.gateways.models import DelegatedToken
from engine.payments.naming import method_label

_PREFIX = "vt_"


@dataclass(frozen=True, slots=True)
class Used:
    """What a token stood for when it was used up. ``challenge_id`` waits for the same card in the same session;
    ``keep_for`` is whom at the gateway the card is kept for.
    """

    method: str
    challenge_id: str | None
    keep_for: str = ""


class Delegation:
    """Tokens of one gateway. Every call takes part in the caller's transaction."""

    def __init__(self, gateway: str, secret_key: bytes) -> None:
        self._gateway = gateway
        self._secret_key = secret_key
        self._token_key = derive(secret_key, f"delegated-token:{gateway}")
        self._method_key = derive(secret_key, f"delegated-method:{gateway}")

    def issue(
        self, session: Session, method: str, allowance: Allowance, *, key: str, card: CardFacts, keep_for: str = ""
    ) -> str:
        """The token of ``key``. Raises ``TokenRefused`` when the key was used for something else."""
        token = _PREFIX + self._keyed(self._token_key, allowance.merchant, key)
        row = {
            "tenant_id": allowance.merchant,
            "token_hash": hash_secret(token),
            "gateway": self._gateway,
            "session_id": allowance.session_id,
            "method_hash": self._method_hash(allowance.merchant, method),
            "method_sealed": seal(self._secret_key, allowance.merchant, self._context(token), method),
            "kind": card.kind,
            "brand": card.brand,
            "last4": card.last4,
            "wallet": card.wallet,
            "keep_for": keep_for or None,
            "currency": allowance.maximum.currency,
            "max_amount": allowance.maximum.amount,
            "expires_at": allowance.expires_at,
            "created_at": clock.now(),
        }
        session.execute(insert(DelegatedToken).values(row).on_conflict_do_nothing())
        found = session.get_one(DelegatedToken, (allowance.merchant, hash_secret(token)))
        bound = ("session_id", "method_hash", "keep_for", "currency", "max_amount")
        if any(getattr(found, name) != row[name] for name in bound):
            raise TokenRefused("This key was used for another card or amount.")
        return token

    def bound_elsewhere(self, session: Session, merchant: str, method: str, session_id: str) -> bool:
        """Whether the method was delegated in another checkout session before."""
        query = select(DelegatedToken.token_hash).where(
            DelegatedToken.tenant_id == merchant,
            DelegatedToken.method_hash == self._method_hash(merchant, method),
            DelegatedToken.session_id != session_id,
        )
        return session.scalars(query.limit(1)).first() is not None

    def find(self, session: Session, token: str, *, merchant: str, session_id: str) -> DelegatedToken | None:
        """The token's row, used up or not; ``None`` for one of another session."""
        row = session.get(DelegatedToken, (merchant, hash_secret(token)))
        mine = row is not None and row.gateway == self._gateway and row.session_id == session_id
        return row if mine else None

    @staticmethod
    def facts(row: DelegatedToken) -> TokenFacts:
        """What may be told of a token."""
        return TokenFacts(
            usable=row.consumed_by is None and row.expires_at > clock.now(),
            kind=MethodKind(row.kind),
            brand=row.brand,
            last4=row.last4,
            label=method_label(row.brand, row.last4, wallet=row.wallet),
            maximum=Money(row.max_amount, row.currency),
            expires_at=row.expires_at,
        )

    def use(self, session: Session, request: CaptureRequest) -> Used | None:
        """Use the token up for this payment id, which may come again; ``None`` when it will not be taken."""
        mine = DelegatedToken.consumed_by == request.payment_id
        statement = (
            update(DelegatedToken)
            .where(
                DelegatedToken.tenant_id == request.merchant,
                DelegatedToken.token_hash == hash_secret(request.token),
                DelegatedToken.gateway == self._gateway,
                DelegatedToken.session_id == request.session_id,
                DelegatedToken.currency == request.amount.currency,
                DelegatedToken.max_amount >= request.amount.amount,
                or_(mine, DelegatedToken.consumed_by.is_(None) & (DelegatedToken.expires_at > clock.now())),
            )
            .values(consumed_by=request.payment_id, consumed_at=clock.now())
            .returning(DelegatedToken)
        )
        row = session.scalars(statement, execution_options={"populate_existing": True}).first()
        if row is None:
            return None
        method = unseal(self._secret_key, request.merchant, self._context(request.token), row.method_sealed)
        return Used(method, self.challenge(session, row), row.keep_for or "")

    def challenge(self, session: Session, row: DelegatedToken) -> str | None:
        """The newest charge on hold for this card in this session that no payment has taken over yet."""
        query = (
            select(DelegatedToken.challenge_id)
            .where(
                DelegatedToken.tenant_id == row.tenant_id,
                DelegatedToken.method_hash == row.method_hash,
                DelegatedToken.session_id == row.session_id,
                DelegatedToken.challenge_id.is_not(None),
                DelegatedToken.challenge_used_by.is_(None),
            )
            .order_by(DelegatedToken.created_at.desc())
        )
        return session.scalars(query.limit(1)).first()

    def open_challenge(self, session: Session, merchant: str, token: str, challenge_id: str) -> None:
        """Remember the charge that waits for the card's holder."""
        row = session.get_one(DelegatedToken, (merchant, hash_secret(token)), with_for_update=True)
        row.challenge_id = challenge_id

    def close_challenge(self, session: Session, merchant: str, challenge_id: str, *, payment_id: str) -> bool:
        """Take a waiting charge over, once; ``False`` when another payment has."""
        done = session.execute(
            update(DelegatedToken)
            .where(
                DelegatedToken.tenant_id == merchant,
                DelegatedToken.challenge_id == challenge_id,
                or_(DelegatedToken.challenge_used_by.is_(None), DelegatedToken.challenge_used_by == payment_id),
            )
            .values(challenge_used_by=payment_id)
            .returning(DelegatedToken.token_hash)
        )
        return done.first() is not None

    def _context(self, token: str) -> str:
        return f"delegated-token|{self._gateway}|{hash_secret(token)}"

    def _method_hash(self, merchant: str, method: str) -> str:
        return self._keyed(self._method_key, merchant, method)

    @staticmethod
    def _keyed(key: bytes, merchant: str, value: str) -> str:
        return hmac.new(key, f"{merchant}\x00{value}".encode(), sha256).hexdigest()
