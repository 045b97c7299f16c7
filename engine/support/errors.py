"""What support can refuse."""

from __future__ import annotations

from engine.kit.errors import Conflict, DomainError, Kind


class CaseTaken(Conflict):
    """Somebody else has the case, or has it no more: look at it again."""

    code = "case_taken"


class CaseOver(Conflict):
    """The case is resolved or closed."""

    code = "case_over"


class NothingWaits(Conflict):
    """No case waits for somebody to take it."""

    code = "queue_empty"


class NoConversation(DomainError):
    """The case has no conversation that could be answered in."""

    code = "no_conversation"
    kind = Kind.UNPROCESSABLE


class MacroBroken(DomainError):
    """The macro names something there is not, or that this case does not have."""

    code = "macro_invalid"
    kind = Kind.UNPROCESSABLE


class MacroNameTaken(Conflict):
    code = "macro_name_taken"


class MacroChanged(Conflict):
    """It is not any more as whoever changes it has seen it."""

    code = "macro_changed"
