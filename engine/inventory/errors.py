"""What stock can refuse."""

from __future__ import annotations

from engine.kit.errors import Conflict


class OutOfStock(Conflict):
    code = "out_of_stock"
    retryable = False

    def __init__(self, message: str, *, variant_id: str, available: int) -> None:
        super().__init__(message)
        self.variant_id = variant_id
        self.available = available
