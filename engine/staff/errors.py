"""What the shop's people, their invitations and their sign-ins can be refused for."""

from __future__ import annotations

from engine.kit.errors import Conflict, Forbidden, InvalidInput, Kind


class AlreadyMember(Conflict):
    code = "staff_member_exists"


class NameTaken(Conflict):
    code = "staff_name_taken"


class LastAdmin(Conflict):
    """Somebody must be left who can let others in."""

    code = "last_admin"


class MayNotManage(Forbidden):
    code = "staff_admin_only"


class SignInWrong(InvalidInput):
    """Wrong, used, too old, tried too often, or of nobody: which of them is nobody's business."""

    code = "sign_in_wrong"
    kind = Kind.UNPROCESSABLE

    def __init__(self) -> None:
        super().__init__("This code does not fit. Please check it, or ask for a new one.", param="code")


class LinkWrong(InvalidInput):
    code = "invite_wrong"
    kind = Kind.UNPROCESSABLE

    def __init__(self) -> None:
        super().__init__("This invitation is over or was used before. Ask for a new one, or sign in by e-mail.")
