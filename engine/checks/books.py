"""The journal, locked months and payouts."""

from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule
from engine.checks.tax import tax_of
from engine.finance.models import Account

_KNOWN: Final = ", ".join(f"'{account}'" for account in Account)
_AT_HOME: Final = ", ".join(
    f"'{account}'"
    for account in (
        Account.INVENTORY,
        Account.INVENTORY_ADJUSTMENTS,
        Account.COGS,
        Account.ACCOUNTS_PAYABLE,
        Account.OPENING_STOCK,
    )
)
"""Accounts of goods at cost."""
_ENDED: Final = (
    "SELECT o.* FROM app.orders o WHERE o.placed_at IS NOT NULL"
    " AND NOT EXISTS (SELECT FROM app.order_lines l WHERE l.tenant_id = o.tenant_id AND l.order_id = o.id"
    " AND l.canceled + l.shipped < l.ordered)"
    " AND NOT EXISTS (SELECT FROM app.payments p WHERE p.tenant_id = o.tenant_id AND p.order_id = o.id"
    " AND p.status IN ('processing', 'unknown', 'authorized', 'partially_captured'))"
    " AND NOT EXISTS (SELECT FROM app.captures c WHERE c.tenant_id = o.tenant_id AND c.order_id = o.id"
    " AND c.status = 'pending')"
    " AND NOT EXISTS (SELECT FROM app.refunds r WHERE r.tenant_id = o.tenant_id AND r.order_id = o.id"
    " AND r.status <> 'succeeded')"
    " AND NOT EXISTS (SELECT FROM app.order_changes g WHERE g.tenant_id = o.tenant_id AND g.order_id = o.id"
    " AND g.status IN ('charging', 'requested'))"
    " AND NOT EXISTS (SELECT FROM app.returns b WHERE b.tenant_id = o.tenant_id AND b.order_id = o.id"
    " AND b.charge > 0 AND b.status NOT IN ('closed', 'declined', 'canceled', 'expired'))"
)
"""Orders of which every unit was sent or canceled, and whose money has come to rest where it belongs."""

RULES: Final = (
    Rule(
        "every journal entry balances",
        "SELECT count(*) FROM app.journal_entries",
        "SELECT entry_id, 'is off by ' || sum(amount) || ' ' || currency FROM app.postings"
        " GROUP BY entry_id, currency HAVING sum(amount) <> 0",
    ),
    Rule(
        "every journal entry has postings",
        "SELECT count(*) FROM app.journal_entries",
        "SELECT e.id, 'has no postings' FROM app.journal_entries e"
        " WHERE NOT EXISTS (SELECT FROM app.postings p WHERE p.tenant_id = e.tenant_id AND p.entry_id = e.id)",
    ),
    Rule(
        "the trial balance is zero in every currency",
        "SELECT count(*) FROM app.postings",
        "SELECT currency, 'debits ' || coalesce(sum(amount) FILTER (WHERE amount > 0), 0)"
        " || ', credits ' || coalesce(-sum(amount) FILTER (WHERE amount < 0), 0)"
        " FROM app.postings GROUP BY currency HAVING sum(amount) <> 0",
    ),
    Rule(
        "goods and their cost are booked in the home currency",
        f"SELECT count(*) FROM app.postings WHERE account IN ({_AT_HOME})",  # noqa: S608 (ours)
        "SELECT p.entry_id, p.account || ' in ' || p.currency || ', the shop keeps them in ' || t.currency"  # noqa: S608 (ours)
        " FROM app.postings p JOIN app.tenants t ON t.id = p.tenant_id"
        f" WHERE p.account IN ({_AT_HOME}) AND p.currency <> t.currency",
    ),
    Rule(
        "what an order earns and owes is booked in its currency",
        "SELECT count(*) FROM app.orders",
        "SELECT o.id, 'is in ' || o.currency || ', ' || p.account || ' is in ' || p.currency FROM app.orders o"  # noqa: S608 (ours)
        " JOIN app.journal_entries e ON e.tenant_id = o.tenant_id AND e.order_id = o.id"
        " JOIN app.postings p ON p.tenant_id = e.tenant_id AND p.entry_id = e.id"
        f" WHERE p.account NOT IN ({_AT_HOME}) AND p.currency <> o.currency",
    ),
    Rule(
        "every posting is on an account of the chart",
        "SELECT count(*) FROM app.postings",
        f"SELECT entry_id, 'posts to ' || account FROM app.postings WHERE account NOT IN ({_KNOWN})",  # noqa: S608 (ours)
    ),
    Rule(
        "every reversal mirrors its original",
        "SELECT count(*) FROM app.journal_entries WHERE reverses_id IS NOT NULL",
        "SELECT e.id, 'and ' || e.reverses_id || ' leave ' || sum(p.amount) || ' on ' || p.account"
        " FROM app.journal_entries e JOIN app.postings p"
        " ON p.tenant_id = e.tenant_id AND p.entry_id IN (e.id, e.reverses_id)"
        " WHERE e.reverses_id IS NOT NULL GROUP BY e.id, e.reverses_id, p.account, p.currency"
        " HAVING sum(p.amount) <> 0",
    ),
    Rule(
        "nothing is booked in a locked month after it was locked",
        "SELECT count(*) FROM app.accounting_periods",
        "SELECT e.id, 'was booked in ' || l.month || ' at ' || e.posted_at FROM app.accounting_periods l"
        " JOIN app.journal_entries e ON e.tenant_id = l.tenant_id AND e.posted_at > l.locked_at"
        " AND to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM') = l.month",
    ),
    Rule(
        "every payout is the sum of its lines",
        "SELECT count(*) FROM app.payouts",
        "SELECT o.id, 'is ' || o.amount || ', its lines ' || coalesce(sum(l.amount - l.fee), 0) FROM app.payouts o"
        " LEFT JOIN app.payout_lines l ON l.tenant_id = o.tenant_id AND l.payout_id = o.id"
        " GROUP BY o.id, o.amount, o.fees"
        " HAVING o.amount <> coalesce(sum(l.amount - l.fee), 0) OR o.fees <> coalesce(sum(l.fee), 0)",
    ),
    Rule(
        "every payout is in the journal once",
        "SELECT count(*) FROM app.payouts",
        "WITH posted AS (SELECT e.subject, sum(p.amount) FILTER (WHERE p.account = 'bank') AS bank,"
        " sum(p.amount) FILTER (WHERE p.account = 'gateway_fees') AS fees FROM app.journal_entries e"
        " JOIN app.postings p ON p.tenant_id = e.tenant_id AND p.entry_id = e.id WHERE e.kind = 'payout'"
        " GROUP BY e.subject)"
        " SELECT o.id, 'paid ' || o.amount || ', posted ' || coalesce(j.bank, 0) || ' and ' || coalesce(j.fees, 0)"
        " || ' in fees' FROM app.payouts o LEFT JOIN posted j ON j.subject = o.id"
        " LEFT JOIN app.payout_lines l ON l.tenant_id = o.tenant_id AND l.payout_id = o.id AND l.kind <> 'dispute'"
        " GROUP BY o.id, o.amount, j.bank, j.fees"
        " HAVING coalesce(j.bank, 0) <> o.amount OR coalesce(j.fees, 0) <> coalesce(sum(l.fee), 0)",
    ),
    Rule(
        "every payout line is what its row says, or is in the inbox",
        "SELECT count(*) FROM app.payout_lines",
        "SELECT l.payout_id, 'line ' || l.position || ' is ' || l.match || ', expected ' || coalesce(l.expected, 0)"
        " FROM app.payout_lines l WHERE l.match <> 'written_off' AND (l.match = 'matched') IS DISTINCT FROM"
        " (l.matched_id IS NOT NULL AND l.expected = l.amount - CASE l.kind WHEN 'dispute' THEN l.fee ELSE 0 END)"
        " OR l.match IN ('unmatched', 'differs') AND NOT EXISTS (SELECT FROM app.alerts a"
        " WHERE a.tenant_id = l.tenant_id AND a.kind = 'payout_difference' AND a.resolved_at IS NULL"
        " AND a.subject = l.payout_id || ':' || l.position)",
    ),
    Rule(
        "an order that has ended owes its customer nothing",
        f"SELECT count(*) FROM ({_ENDED}) o",  # noqa: S608 (ours)
        "SELECT o.id, 'has ended, and ' || b.owed || ' of its deposits is left' FROM"  # noqa: S608 (ours)
        f" ({_ENDED}) o JOIN (SELECT e.order_id, -sum(p.amount) AS owed FROM app.journal_entries e"
        " JOIN app.postings p ON p.tenant_id = e.tenant_id AND p.entry_id = e.id AND p.account = 'customer_deposits'"
        " GROUP BY 1) b ON b.order_id = o.id WHERE b.owed <> 0",
    ),
    Rule(
        "the books owe the tax of what an ended order kept",
        f"SELECT count(*) FROM ({_ENDED}) o",  # noqa: S608 (ours)
        "SELECT o.id, 'kept goods and shipping with ' || k.tax + o.shipping_tax + coalesce(a.tax, 0)"  # noqa: S608 (ours)
        f" || ' tax, and owes ' || coalesce(b.tax, 0) FROM ({_ENDED}) o JOIN (SELECT order_id,"
        f" sum({tax_of('(ordered - canceled)')}) AS tax FROM app.order_lines GROUP BY 1) k"
        " ON k.order_id = o.id LEFT JOIN (SELECT order_id, sum(tax) AS tax FROM app.order_adjustments"
        " WHERE kind IN ('return', 'goodwill') GROUP BY 1) a ON a.order_id = o.id"
        " LEFT JOIN (SELECT e.order_id, -sum(p.amount) AS tax FROM app.journal_entries e JOIN app.postings p"
        " ON p.tenant_id = e.tenant_id AND p.entry_id = e.id AND p.account = 'tax_payable' GROUP BY 1) b"
        " ON b.order_id = o.id WHERE k.tax + o.shipping_tax + coalesce(a.tax, 0) <> coalesce(b.tax, 0)",
    ),
)
