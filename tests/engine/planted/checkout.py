"""What breaks each rule of ``engine/checks/checkout.py``: SQL that the owner runs in the second tenant."""

# ruff: noqa: E501
from __future__ import annotations

FAULTS: dict[str, str] = {
    "a session is completed exactly when its payment ended well": "UPDATE app.checkout_sessions SET status = 'canceled'",
    "what is only authorized says since when, and only what may wait is": "UPDATE app.payments SET status = 'authorized'",
    "a session in progress has a payment under way": "UPDATE app.checkout_sessions SET status = 'complete_in_progress'",
    "every payment rests on a consent used once": "UPDATE app.consents SET status = 'approved'",
}
