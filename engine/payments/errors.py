"""What a payment can refuse."""

from __future__ import annotations

from engine.kit.errors import Conflict, DomainError, Kind, OverLimit, Unavailable


class RefundExceedsCapture(Conflict):
    code = "refund_exceeds_capture"


class RefundBlockedByDispute(Conflict):
    code = "refund_blocked_by_dispute"


class RefundOverLimit(OverLimit):
    code = "refund_over_limit"


class UnknownGateway(DomainError):
    code = "unknown_gateway"
    kind = Kind.UNPROCESSABLE


class CardRejected(DomainError):
    """The vault will not keep this card; ``param`` says which part is wrong. Never repeats what was sent."""

    code = "invalid_card"
    kind = Kind.INVALID

    def __init__(self, message: str, *, param: str) -> None:
        super().__init__(message)
        self.param = param


class DelegationUnsupported(DomainError):
    """No gateway of the shop takes cards from agent platforms. Nothing happened."""

    code = "delegation_unsupported"
    kind = Kind.UNPROCESSABLE


class TokenRefused(DomainError):
    code = "token_refused"
    kind = Kind.UNPROCESSABLE


class CaptureExceedsAuthorization(Conflict):
    code = "capture_exceeds_authorization"


class AuthorizationExpired(Conflict):
    code = "authorization_expired"


class NothingToCapture(Conflict):
    code = "nothing_to_capture"


class NothingToVoid(Conflict):
    code = "nothing_to_void"


class EvidenceTooLate(Conflict):
    code = "evidence_too_late"


class GatewayNotConfigured(Unavailable):
    """The shop has no account at this gateway. Nothing happened."""

    code = "gateway_not_configured"
    retryable = False


class GatewayMisconfigured(Unavailable):
    """The gateway knows us and will not work with us: a wrong key, or a right that is missing. Nothing happened."""

    code = "gateway_misconfigured"
    retryable = False


class CardEntryUnavailable(Unavailable):
    """The shop's account at the gateway lacks what its card form needs. Nothing happened."""

    code = "card_entry_unavailable"
    retryable = False


class StoredValueShort(Conflict):
    """The account cannot pay this: too little on it, blocked, expired, or of another currency."""

    code = "stored_value_short"


class AlertClosed(Conflict):
    code = "alert_closed"


class SettledElsewhere(Conflict):
    """The item's action is another domain's: its own service does it."""

    code = "settled_elsewhere"
