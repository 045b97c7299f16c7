"""What breaks each rule of ``engine/checks/stock.py``: SQL that the owner runs in the second tenant."""

from __future__ import annotations

FAULTS: dict[str, str] = {
    "reserved stock equals the live reservations": "UPDATE app.reservations SET quantity = quantity + 1",
    "stock equals its ledger": "UPDATE app.stock_levels SET on_hand = on_hand + 1",
    "nothing is held for a payment that ended": "UPDATE app.reservations SET status = 'held'",
    "every unshipped unit of an open order is reserved": "UPDATE app.reservations SET status = 'released'",
}
