"""What approving can refuse."""

from __future__ import annotations

from engine.kit.errors import Conflict, Forbidden


class OwnRequest(Forbidden):
    """Whoever asked does not decide, whichever of their keys they show."""

    code = "own_request"


class MayNotApprove(Forbidden):
    """The shop's rules let other people decide this."""

    code = "may_not_approve"


class ApprovalDecided(Conflict):
    """Somebody decided it before, or it ran out."""

    code = "approval_decided"


class ApprovalOutdated(Conflict):
    """What it is about has changed since it was asked for: nothing was done, it has to be asked for anew."""

    code = "approval_outdated"
