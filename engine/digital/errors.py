"""What can go wrong with goods that have no parcel."""

from __future__ import annotations

from engine.kit.errors import Conflict


class NotDigital(Conflict):
    code = "not_digital"


class NoCodes(Conflict):
    """Fewer codes are there than units were sold: nothing was given out."""

    code = "no_codes"


class CodesInUse(Conflict):
    code = "codes_in_use"
