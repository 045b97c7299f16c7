"""Why a backup cannot be made or will not be restored. Each leaves everything as it was."""

from __future__ import annotations

from engine.kit.errors import Conflict, DomainError, InvalidInput


class NotABackup(InvalidInput):
    """The file is no backup of ours, or one in a format that this version does not read."""

    code = "not_a_backup"


class BackupDamaged(DomainError):
    """What the file holds is not what was written into it."""

    code = "backup_damaged"


class WrongKey(DomainError):
    """The backup was made under another secret key: what it holds sealed would never open again."""

    code = "wrong_key"


class NewerSchema(Conflict):
    """The backup was made by a newer version than this one."""

    code = "newer_schema"


class NothingHere(Conflict):
    """There is no store to back up."""

    code = "nothing_here"


class TargetNotEmpty(Conflict):
    """The store holds shops that a restore would replace."""

    code = "target_not_empty"


class StillServing(Conflict):
    """A server uses the store."""

    code = "still_serving"
