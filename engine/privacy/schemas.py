"""What became of a wish to be forgotten."""

from __future__ import annotations

from datetime import datetime

from engine.customers.models import Erasure
from engine.kit.views import View
from engine.privacy.holds import from_rows


class ErasureView(View):
    """``deferred`` with the reasons it waits for, or ``done``."""

    id: str
    customer_id: str
    status: str
    waits_for: list[str]
    """In plain words."""
    requested_at: datetime
    done_at: datetime | None

    @classmethod
    def of(cls, row: Erasure) -> ErasureView:
        return cls(
            id=row.id,
            customer_id=row.customer_id,
            status=row.status,
            waits_for=[hold.words for hold in from_rows(row.holds)],
            requested_at=row.requested_at,
            done_at=row.done_at,
        )
