"""What breaks each rule of ``engine/checks/fulfillment.py``: SQL that the owner runs in the second tenant."""

from __future__ import annotations

FAULTS: dict[str, str] = {}
