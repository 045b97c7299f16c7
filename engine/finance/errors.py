"""What the books refuse."""

from __future__ import annotations

from engine.kit.errors import Conflict


class AlreadyReversed(Conflict):
    code = "already_reversed"


class PeriodLocked(Conflict):
    code = "period_locked"


class PeriodNotOver(Conflict):
    code = "period_not_over"


class PeriodNotLocked(Conflict):
    code = "period_not_locked"


class NumberTaken(Conflict):
    code = "account_number_taken"


class NothingToWriteOff(Conflict):
    code = "nothing_to_write_off"
