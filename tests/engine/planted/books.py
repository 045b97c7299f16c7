"""What breaks each rule of ``engine/checks/books.py``: SQL that the owner runs in the second tenant."""

# ruff: noqa: E501
from __future__ import annotations

_PAYOUT = "INSERT INTO app.payouts (tenant_id, id, gateway, gateway_payout_id, currency, amount, fees, paid_at, imported_at) SELECT current_setting('app.tenant_id'), 'pyt_x', 'sandbox', 'po_1', 'USD', {amount}, 0, now(), now()"
_LINE = "INSERT INTO app.payout_lines (tenant_id, payout_id, position, kind, reference, payment_id, amount, fee, match, matched_id, expected) SELECT current_setting('app.tenant_id'), 'pyt_x', 0, 'adjustment', 'x', '', 100, 0, 'unmatched', NULL, NULL"

FAULTS: dict[str, str] = {
    "every journal entry balances": "UPDATE app.postings SET amount = amount + 1 WHERE account = 'psp_clearing'",
    "every journal entry has postings": "DELETE FROM app.postings",
    "the trial balance is zero in every currency": "UPDATE app.postings SET currency = 'EUR' WHERE account = 'tax_payable'",
    "goods and their cost are booked in the home currency": "INSERT INTO app.journal_entries (tenant_id, id, kind, subject, occurred_at, posted_at) SELECT current_setting('app.tenant_id'), 'je_y', 'receipt', 'inb_x', now(), now(); INSERT INTO app.postings (tenant_id, entry_id, line, account, amount, currency) SELECT current_setting('app.tenant_id'), 'je_y', n, a, m, 'EUR' FROM (VALUES (1, 'inventory', 5), (2, 'accounts_payable', -5)) AS x (n, a, m)",
    "what an order earns and owes is booked in its currency": "UPDATE app.postings SET currency = 'EUR'",
    "every posting is on an account of the chart": "UPDATE app.postings SET account = 'mattress' WHERE account = 'tax_payable'",
    "every reversal mirrors its original": "INSERT INTO app.journal_entries (tenant_id, id, kind, subject, occurred_at, posted_at, reverses_id) SELECT tenant_id, 'je_x', 'reversal', id, now(), now(), id FROM app.journal_entries WHERE kind = 'capture' LIMIT 1; INSERT INTO app.postings (tenant_id, entry_id, line, account, amount, currency) SELECT tenant_id, 'je_x', line, account, amount, currency FROM app.postings WHERE entry_id = (SELECT reverses_id FROM app.journal_entries WHERE id = 'je_x')",
    "nothing is booked in a locked month after it was locked": "INSERT INTO app.accounting_periods (tenant_id, month, locked_at, locked_by) SELECT tenant_id, to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM'), posted_at - interval '1 second', 'x' FROM app.journal_entries LIMIT 1",
    "every payout is the sum of its lines": _PAYOUT.format(amount=5),
    "every payout is in the journal once": _PAYOUT.format(amount=100) + ";" + _LINE,
    "every payout line is what its row says, or is in the inbox": _PAYOUT.format(amount=100) + ";" + _LINE,
    "an order that has ended owes its customer nothing": "UPDATE app.order_lines SET canceled = ordered, allocated = 0",
    "the books owe the tax of what an ended order kept": "UPDATE app.order_lines SET canceled = ordered, allocated = 0",
}
