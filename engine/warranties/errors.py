"""What a claim can be refused for. Each has a code of its own and a sentence for the shopper."""

from __future__ import annotations

from engine.kit.errors import Conflict, DomainError, Kind, NotFound


class ClaimRefused(DomainError):
    """A rule of the warranty says no; the message says which."""

    code = "claim_refused"
    kind = Kind.UNPROCESSABLE


class OutOfTerm(ClaimRefused):
    code = "warranty_over"


class NotCovered(ClaimRefused):
    code = "not_covered"


class UnknownSymptom(ClaimRefused):
    code = "invalid_symptom"


class UnitGone(ClaimRefused):
    """It was sent back, refunded or replaced before."""

    code = "unit_gone"


class NothingToRefund(ClaimRefused):
    code = "nothing_to_refund"


class NotOffered(ClaimRefused):
    code = "not_offered"


class ClaimOpen(Conflict):
    code = "claim_open"


class WrongClaimStep(Conflict):
    """The claim is past, or not yet at, the point where this can be done."""

    code = "wrong_step"


class NoWarranty(NotFound):
    code = "no_warranty"


class NoClaim(NotFound):
    code = "no_claim"
