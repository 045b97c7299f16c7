"""What breaks each rule of ``engine/checks/books.py``: SQL that the owner runs in the second tenant."""

from __future__ import annotations

FAULTS: dict[str, str] = {
    "every journal entry balances": "UPDATE app.postings SET amount = amount + 1 WHERE account = 'psp_clearing'",
    "every journal entry has postings": "DELETE FROM app.postings",
}
