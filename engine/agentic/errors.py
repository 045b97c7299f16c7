"""What an agent can be refused, beyond what a checkout refuses."""

from __future__ import annotations

from engine.kit.errors import DomainError, Kind


class AllOutOfStock(DomainError):
    code = "out_of_stock"
    kind = Kind.UNPROCESSABLE
