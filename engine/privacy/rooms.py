"""The map of personal data: which tables hold something of a person, whose it is, and what is left of it afterwards.

Export, erasure and the check that an erased customer holds nothing all read this one map. A mapped table or a free
column that is not classified here fails ``tests/engine/privacy/test_map.py``: name it in ``ROOMS`` or in ``SHOP``.
"""

# ruff: noqa: S608 (names and conditions of our own map; values are bound)
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

PEOPLE: Final = """
WITH people AS (SELECT id FROM app.customers WHERE {who}),
their_shoppers AS (SELECT id FROM app.shoppers WHERE customer_id IN (SELECT id FROM people)),
their_orders AS (SELECT id FROM app.orders WHERE customer_id IN (SELECT id FROM people)
  OR owner_id IN (SELECT id FROM their_shoppers)),
their_sessions AS (SELECT id FROM app.checkout_sessions WHERE owner_id IN (SELECT id FROM their_shoppers)
  OR id IN (SELECT session_id FROM app.orders WHERE id IN (SELECT id FROM their_orders))),
their_threads AS (SELECT id FROM app.threads WHERE owner_id IN (SELECT id FROM their_shoppers)),
their_cases AS (SELECT id FROM app.cases WHERE customer_id IN (SELECT id FROM people)
  OR shopper_id IN (SELECT id FROM their_shoppers) OR order_id IN (SELECT id FROM their_orders)
  OR thread_id IN (SELECT id FROM their_threads)),
their_returns AS (SELECT id FROM app.returns WHERE order_id IN (SELECT id FROM their_orders)),
their_claims AS (SELECT id FROM app.warranty_claims WHERE order_id IN (SELECT id FROM their_orders))
"""
"""Begins every statement; ``{who}`` says which customers."""


def _blank_place(column: str) -> str:
    """An address of which country and state alone are left: taxes were paid there."""
    empty = ", ".join(f"'{part}', ''" for part in ("name", "line_one", "line_two", "city", "postal_code"))
    kept = ", ".join(f"'{part}', coalesce({column} ->> '{part}', '')" for part in ("state", "country"))
    return f"CASE WHEN jsonb_typeof({column}) = 'object' THEN jsonb_build_object({empty}, {kept}) ELSE NULL END"


def _scrubbed(column: str, path: str) -> str:
    """The JSON with the address at ``path`` blanked, where there is one."""
    inner = f"{column} #> '{path}'"
    return (
        f"CASE WHEN jsonb_typeof({inner}) = 'object' THEN jsonb_set({column}, '{path}', {_blank_place(f'({inner})')})"
        f" ELSE {column} END"
    )


def _cardless(column: str, path: str) -> str:
    """The JSON without the digits of the card at ``path``, where there is one."""
    inner = f"{column} #> '{path}'"
    empty = """'{"last4": "", "label": ""}'::jsonb"""
    return (
        f"CASE WHEN jsonb_typeof({inner}) = 'object' THEN jsonb_set({column}, '{path}', ({inner}) || {empty})"
        f" ELSE {column} END"
    )


def _steps(column: str, *steps: str) -> str:
    """The JSON after one step after the other; each reads ``s.json``, what the one before it made."""
    for step in steps:
        column = f"(SELECT {step} FROM (SELECT {column} AS json) s)"
    return column


_NOBODY: Final = """'{"buyer": {"name": "", "email": "", "phone": ""}}'::jsonb"""
_AGREEMENT: Final = _steps(
    "t.summary",
    _scrubbed("s.json", "{ship_to}"),
    _scrubbed("s.json", "{change,ship_to}"),
    _cardless("s.json", "{payment_method}"),
    _cardless("s.json", "{change,payment_method}"),
    f"s.json || CASE WHEN s.json ? 'buyer' THEN {_NOBODY} ELSE '{{}}'::jsonb END",
)
"""What was agreed to, without name, place and card: of a payment at the top, of a change one level below."""
_QUOTE: Final = _steps("t.quote", _scrubbed("s.json", "{effect,ship_to}"), _cardless("s.json", "{effect,method}"))
_ASKED_FOR: Final = _steps(
    "t.args",
    _scrubbed("s.json", "{wanted,ship_to}"),
    "s.json #- '{wanted,text}'",
    "s.json - '{reason,message,note}'::text[]",
)
_ORDERS: Final = "t.order_id IN (SELECT id FROM their_orders)"
_THREADS: Final = "t.thread_id IN (SELECT id FROM their_threads)"
_SESSIONS: Final = "t.session_id IN (SELECT id FROM their_sessions)"
_PEOPLE: Final = "t.customer_id IN (SELECT id FROM people)"
_OWNED: Final = "t.owner_id IN (SELECT id FROM their_shoppers)"
_SHOPPERS: Final = "t.shopper_id IN (SELECT id FROM their_shoppers)"
_AS_TOLD: Final = "t.audience = 'shopper'"


def _names_them(column: str) -> str:
    """Whether what other systems were told, or told us, names one of their e-mail addresses, as it is or as an address
    of the web writes it.
    """
    word = "lower(encode(convert_to(c.email, 'UTF8'), 'escape'))"
    said = f"replace(replace(lower(encode({column}, 'escape')), '%40', '@'), '%2b', '+')"
    return (
        f"EXISTS (SELECT FROM app.customers c WHERE c.id IN (SELECT id FROM people) AND position({word} IN {said}) > 0)"
    )


_TOLD_OTHERS: Final = "what the shop's other systems said; what of it is the shop's own is shown"
_STAFFS: Final = "written by staff for staff"
LETTER: Final = {"to_address": "''", "subject": "'erased'", "text": "''", "html": "''"}
UNSENT: Final = {
    "erased_at": "coalesce(t.erased_at, now())",
    "error": "CASE t.status WHEN 'queued' THEN 'erased' ELSE t.error END",
    "status": "CASE t.status WHEN 'queued' THEN 'failed' ELSE t.status END",
}


@dataclass(frozen=True, slots=True)
class Room:
    """One table. ``whose`` selects a person's rows (alias ``t``); ``erase`` says what each personal column becomes, and
    ``also`` what follows from it: what is erased is not sent or used any more.

    ``drop``: the rows go altogether, ``personal`` naming why. ``kept`` is the reason why personal columns stay by law.
    ``plain`` are free columns that say nothing of a person. ``export`` is shown to them, of rows where ``only`` holds;
    a personal column that is not shown has its reason in ``withheld``.
    """

    table: str
    whose: str
    erase: Mapping[str, str] = field(default_factory=dict)
    also: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    personal: str = ""
    kept: str = ""
    plain: str = ""
    export: str = ""
    only: str = "true"
    withheld: Mapping[str, str] = field(default_factory=dict)

    @property
    def about_people(self) -> frozenset[str]:
        """Its personal columns."""
        return frozenset([*self.erase, *self.personal.split()])


ROOMS: Final[tuple[Room, ...]] = (
    Room(
        "sync_calls",
        _names_them("convert_to(t.path || ' ' || t.request || ' ' || t.response, 'UTF8')"),
        erase={"path": "''", "request": "''", "response": "''"},
        plain="mode method outcome fingerprint idempotency_key",
        withheld={"path": _TOLD_OTHERS, "request": _TOLD_OTHERS, "response": _TOLD_OTHERS},
    ),
    Room(
        "sync_deliveries",
        _names_them("t.body"),
        erase={"body": "''::bytea"},
        also={
            "status": "CASE t.status WHEN 'waiting' THEN 'dead' ELSE t.status END",
            "error": "CASE t.status WHEN 'waiting' THEN 'erased' ELSE t.error END",
        },
        plain="source topic headers digest error",
        withheld={"body": _TOLD_OTHERS},
    ),
    Room(
        "sync_runs",
        _names_them("convert_to(t.payload::text || coalesce(t.result::text, '') || t.error, 'UTF8')"),
        erase={"payload": "'{}'::jsonb", "result": "NULL", "error": "'erased'"},
        also={
            "status": "CASE WHEN t.ended_at IS NULL THEN 'canceled' ELSE t.status END",
            "ended_at": "coalesce(t.ended_at, now())",
            "next_try_at": "NULL",
        },
        plain="id workflow version mode status subject_kind subject_ref trigger step error_code executor_id replay_of",
        withheld={"payload": _TOLD_OTHERS, "result": _TOLD_OTHERS, "error": _STAFFS},
    ),
    Room(
        "sync_steps",
        _names_them("convert_to(t.result || t.error, 'UTF8')"),
        erase={"result": "''", "error": "'erased'"},
        plain="run_id name status error_code",
        withheld={"result": _TOLD_OTHERS, "error": _STAFFS},
    ),
    Room(
        "sync_exceptions",
        _names_them("convert_to(t.payload::text || coalesce(t.fixed::text, '') || t.reason || t.fields::text, 'UTF8')"),
        erase={"payload": "'{}'::jsonb", "fixed": "NULL", "reason": "'erased'", "fields": "'[]'::jsonb"},
        also={
            "closed_at": "coalesce(t.closed_at, now())",
            "status": "CASE WHEN t.closed_at IS NULL THEN 'dismissed' ELSE t.status END",
        },
        plain="workflow step subject code fingerprint decided_by",
        withheld={
            "payload": _TOLD_OTHERS,
            "fixed": _TOLD_OTHERS,
            "reason": _STAFFS,
            "fields": _TOLD_OTHERS,
        },
    ),
    Room(
        "agent_carts",
        "lower(t.buyer ->> 'email') IN (SELECT lower(email) FROM app.customers WHERE id IN (SELECT id FROM people))",
        drop=True,
        personal="buyer",
        plain="lines",
        withheld={"buyer": "what an agent said of a buyer under this e-mail, which nobody proved"},
    ),
    Room(
        "agent_sessions",
        _SESSIONS,
        erase={"order_notes": "NULL", "said": "'{}'::jsonb", "kept_back": "'{}'::jsonb"},
        plain="locale timezone refusal",
        export="session_id locale timezone order_notes said",
        withheld={"kept_back": "what the agent's platform told the shop of the visit, not of the person"},
    ),
    Room(
        "checkout_sessions",
        f"({_OWNED} OR t.id IN (SELECT id FROM their_sessions))",
        erase={"buyer": "'{}'::jsonb", "ship_to": _blank_place("t.ship_to"), "payment_method": "NULL"},
        also={"version": "t.version + 1"},
        plain="lines discount_codes tenders ways",
        export="id status currency lines buyer ship_to payment_method created_at",
    ),
    Room(
        "consents",
        f"({_OWNED} OR {_SESSIONS})",
        erase={"summary": _AGREEMENT, "token_sealed": "NULL"},
        plain="digest channel choice",
        export="id kind status channel summary created_at decided_at",
        withheld={"token_sealed": "a secret of the gateway"},
    ),
    Room(
        "orders",
        "t.id IN (SELECT id FROM their_orders)",
        erase={"buyer": "'{}'::jsonb", "ship_to": _blank_place("t.ship_to"), "hold_reason": "NULL"},
        plain="number totals fulfillment discount_codes cancel_reason routing origin taxes tax_engine"
        " tax_calculation_id",
        export="id number status currency totals total tax buyer ship_to fulfillment placed_at created_at",
        withheld={"hold_reason": _STAFFS},
    ),
    Room(
        "order_words",
        _ORDERS,
        drop=True,
        personal="word",
        withheld={"word": "words of the name that the orders show"},
    ),
    Room(
        "payments",
        _ORDERS,
        erase={"method": """'{"brand": "", "last4": "", "label": ""}'::jsonb"""},
        plain="gateway tender capture_mode decline_code token_hash",
        export="id order_id amount currency method status created_at",
    ),
    Room(
        "order_lines",
        _ORDERS,
        plain="sku title options components taxes way",
        export="id order_id sku title options unit_price ordered canceled shipped delivered returned discount tax",
    ),
    Room(
        "digital_deliveries",
        _ORDERS,
        erase={"url_sealed": "NULL", "revoke_reason": "NULL"},
        export="id order_id order_line_id quantity expires_at revoked_at created_at",
        withheld={
            "url_sealed": "an access; the order's page shows it",
            "revoke_reason": _STAFFS,
        },
    ),
    Room(
        "order_notes",
        _ORDERS,
        erase={"text": "''"},
        plain="author audience",
        export="id order_id text created_at",
        only=_AS_TOLD,
    ),
    Room(
        "order_changes",
        _ORDERS,
        erase={
            "wanted": f"{_scrubbed('t.wanted', '{ship_to}')} - 'text'",
            "quote": _QUOTE,
            "message": "NULL",
        },
        plain="requested_by reason digest approved_by",
        export="id order_id kind status wanted message created_at applied_at",
        withheld={"quote": "follows from what was wanted; its amounts are the order's"},
    ),
    Room(
        "shipments",
        _ORDERS,
        erase={"tracking_number": "'erased ' || t.id", "events": "'[]'::jsonb"},
        plain="carrier service lines packages remedy",
        export="id order_id carrier tracking_number status lines events shipped_at delivered_at",
    ),
    Room(
        "returns",
        _ORDERS,
        erase={
            "tracking_number": "NULL",
            "events": "'[]'::jsonb",
            "unexpected": "'[]'::jsonb",
            "message": "NULL",
            "pays_with": _cardless("jsonb_build_object('m', t.pays_with)", "{m}") + " -> 'm'",
        },
        plain="number requested_by approved_by refund_to refund_account refund_at carrier problem",
        export="id number order_id kind status tracking_number events message created_at",
        withheld={"unexpected": _STAFFS, "pays_with": "one of the saved ways to pay, as they are shown"},
    ),
    Room(
        "return_lines",
        "t.return_id IN (SELECT id FROM their_returns)",
        plain="title reason condition exchange",
        export="id return_id title quantity reason condition",
    ),
    Room(
        "return_events",
        "t.return_id IN (SELECT id FROM their_returns)",
        erase={"note": "''"},
        plain="step lines actor",
        withheld={"note": _STAFFS},
    ),
    Room(
        "return_evidence",
        "t.return_id IN (SELECT id FROM their_returns)",
        erase={"name": "''", "content": "''::bytea", "sha256": "t.id"},
        plain="media_type added_by",
        export="id return_id name media_type size sha256 created_at",
        withheld={"content": "given out at /v1/returns/{return}/evidence/{id}"},
    ),
    Room(
        "warranties",
        _ORDERS,
        erase={"serial": "NULL"},
        plain="sku title terms",
        export="id order_id title serial starts_on ends_on status",
    ),
    Room(
        "warranty_claims",
        _ORDERS,
        erase={
            "description": "''",
            "message": "NULL",
            "staff_note": "NULL",
            "tracking_number": "NULL",
            "back_number": "NULL",
            "events": "'[]'::jsonb",
            "back_events": "'[]'::jsonb",
        },
        plain="number requested_by symptom offers resolution reviewed_by decided_by refund_to problem carrier"
        " back_carrier",
        export="id number order_id status symptom description message tracking_number events back_number back_events"
        " created_at",
        withheld={"staff_note": _STAFFS},
    ),
    Room(
        "claim_evidence",
        "t.claim_id IN (SELECT id FROM their_claims)",
        erase={"name": "''", "content": "''::bytea", "sha256": "t.id"},
        plain="media_type added_by",
        export="id claim_id name media_type size sha256 created_at",
        withheld={"content": "given out at /v1/claims/{claim}/evidence/{id}"},
    ),
    Room(
        "claim_events",
        "t.claim_id IN (SELECT id FROM their_claims)",
        erase={"text": "''"},
        plain="step actor audience",
        export="id claim_id step text at",
        only=_AS_TOLD,
    ),
    Room(
        "refunds",
        _ORDERS,
        erase={"note": "''"},
        plain="reason requested_by approved tender destination failure_code",
        export="id order_id amount currency reason status created_at settled_at",
        withheld={"note": _STAFFS},
    ),
    Room(
        "disputes",
        _ORDERS,
        erase={"evidence": "'{}'::jsonb"},
        plain="gateway reason",
        export="id order_id amount currency reason status opened_at",
        withheld={"evidence": _STAFFS},
    ),
    Room(
        "invoices",
        _ORDERS,
        personal="document",
        kept="tax law wants invoices kept as they were issued",
        plain="label issued_by",
        export="id kind label order_id currency net tax total document issued_at",
    ),
    Room(
        "tax_quotes",
        "t.session_id IN (SELECT id FROM their_sessions)",
        drop=True,
        personal="answer",
        plain="engine question_hash calculation_id",
        export="session_id engine status answer asked_at",
    ),
    Room(
        "tax_filings",
        _ORDERS,
        plain="problem subject_id transaction_id",
        export="id order_id kind amount status created_at",
    ),
    Room(
        "delegated_tokens",
        _SESSIONS,
        erase={"method_sealed": "''::bytea", "brand": "''", "last4": "''", "wallet": "''"},
        plain="token_hash gateway method_hash keep_for consumed_by challenge_used_by",
        export="brand last4 wallet",
        withheld={"method_sealed": "a secret of the gateway"},
    ),
    Room(
        "customers",
        "t.id IN (SELECT id FROM people)",
        erase={
            "email": "t.id || '@erased.invalid'",
            "name": "''",
            "given_name": "''",
            "family_name": "''",
            "external_id": "NULL",
            "phone": "''",
        },
        plain="merged_into",
        export="id external_id email name given_name family_name phone email_verified_at merged_into created_at",
    ),
    Room(
        "addresses",
        _PEOPLE,
        drop=True,
        personal="name line_one line_two city state postal_code country",
        export="id name line_one line_two city state postal_code country is_default",
    ),
    Room(
        "payment_methods",
        _PEOPLE,
        erase={"brand": "''", "last4": "''", "wallet": "''"},
        also={"removed_at": "coalesce(t.removed_at, now())"},
        plain="gateway gateway_ref",
        export="id kind wallet brand last4 exp_month exp_year is_default agreed_at kept_at removed_at",
    ),
    Room("gateway_customers", _PEOPLE, plain="gateway gateway_ref", export="gateway gateway_ref created_at"),
    Room(
        "tax_exemptions",
        _PEOPLE,
        erase={"certificate": "''", "note": "''"},
        plain="country region decided_by",
        export="id kind country region certificate valid_from valid_to status created_at",
        withheld={"note": _STAFFS},
    ),
    Room(
        "email_codes",
        _SHOPPERS,
        drop=True,
        personal="email code_hash",
        export="id email created_at used_at",
        withheld={"code_hash": "a secret"},
    ),
    Room(
        "customer_links",
        "t.customer_id IN (SELECT id FROM people) OR t.subject_id IN (SELECT id FROM their_orders)",
        erase={"email": "''"},
        plain="source",
        export="id email source subject_id status created_at",
    ),
    Room("contact_consents", _PEOPLE, plain="topic channel text_version source", export="topic channel granted at"),
    Room("loyalty_accounts", _PEOPLE, export="balance"),
    Room("loyalty_entries", _PEOPLE, plain="subject", export="kind delta order_id expires_at at"),
    Room("customer_merges", "t.target_id IN (SELECT id FROM people)", plain="merged_by moved", export="source_id at"),
    Room("erasures", _PEOPLE, plain="requested_by reason holds erased", export="status requested_at done_at"),
    Room(
        "stored_value_accounts",
        f"{_PEOPLE} OR {_OWNED}",
        plain="code_hash last4",
        export="id kind currency balance status expires_at created_at",
    ),
    Room("carts", _OWNED, plain="discount_codes", export="id status created_at"),
    Room(
        "cart_lines",
        "t.cart_id IN (SELECT c.id FROM app.carts c WHERE c.owner_id IN (SELECT id FROM their_shoppers))",
        export="cart_id variant_id quantity added_at",
    ),
    Room(
        "events",
        _THREADS,
        drop=True,
        personal="payload",
        plain="audience",
        export="thread_id seq payload created_at",
        only=_AS_TOLD,
    ),
    Room(
        "messages",
        _THREADS,
        drop=True,
        personal="name content data",
        plain="audience role activity_type",
        export="thread_id role name content data created_at",
        only=_AS_TOLD,
    ),
    Room("thread_references", _THREADS, drop=True, personal="ref", withheld={"ref": "ids that the messages name"}),
    Room(
        "runs",
        _THREADS,
        erase={"input": "'{}'::jsonb", "error": "NULL"},
        plain="identity agent_path tool_calls usage",
        withheld={"input": "what was said, which the messages show", "error": "a fault of the shop's machine"},
    ),
    Room(
        "threads",
        "t.id IN (SELECT id FROM their_threads)",
        erase={"handoff": "NULL", "requests": "'[]'::jsonb"},
        plain="mode active_agent human",
        export="id mode requests created_at updated_at",
        withheld={"handoff": _STAFFS},
    ),
    Room(
        "case_notes",
        "t.case_id IN (SELECT id FROM their_cases)",
        erase={"text": "''"},
        plain="author",
        withheld={"text": _STAFFS},
    ),
    Room(
        "cases",
        "t.id IN (SELECT id FROM their_cases)",
        erase={"subject": "''", "summary": "''", "package": "NULL", "shopper_name": "''", "last_words": "''"},
        plain="number reason priority assignee opened_by sentiment last_speaker",
        export="id number subject status created_at resolved_at",
        withheld={
            "summary": _STAFFS,
            "package": _STAFFS,
            "shopper_name": "the profile and the orders show it",
            "last_words": "the messages show them",
        },
    ),
    Room(
        "case_words",
        "t.case_id IN (SELECT id FROM their_cases)",
        drop=True,
        personal="word",
        withheld={"word": "words of what the messages, orders and profile show"},
    ),
    Room(
        "approvals",
        f"{_THREADS} OR t.case_id IN (SELECT id FROM their_cases) OR t.subject_id IN (SELECT id FROM their_orders"
        " UNION ALL SELECT id FROM their_returns UNION ALL SELECT id FROM their_claims)",
        erase={"reason": "''", "note": "''", "args": _ASKED_FOR},
        plain="subject_version digest rule requested_by requested_who agreed decided_by outcome failure_code",
        withheld={"reason": _STAFFS, "note": _STAFFS, "args": "what staff asked for; what came of it is shown"},
    ),
    Room(
        "outbox",
        "t.payload ? 'words' AND (t.subject_id IN (SELECT id FROM their_claims)"
        " OR t.payload ->> 'thread_id' IN (SELECT id FROM their_threads)"
        " OR t.payload ->> 'order_id' IN (SELECT id FROM their_orders))",
        erase={"payload": "t.payload - 'words'"},
        also={"delivered_at": "coalesce(t.delivered_at, now())"},
        plain="consumer topic last_error",
        withheld={"payload": "news on their way, which the messages and letters show"},
    ),
    Room(
        "mails",
        "t.customer_id IN (SELECT id FROM people) OR t.subject_id IN (SELECT id FROM their_orders)",
        erase=LETTER,
        also=UNSENT,
        plain="key topic template from_name from_address reply_to channel error",
        export="id topic to_address subject text sent_at",
        withheld={"html": "the same letter as its text"},
    ),
    Room(
        "idempotency_keys",
        "t.identity IN (SELECT id FROM their_shoppers)",
        drop=True,
        personal="response_body",
        plain="identity operation key request_hash point",
        withheld={"response_body": "answers of the last day, made of what is shown here"},
    ),
    Room("shoppers", "t.customer_id IN (SELECT id FROM people)", export="id created_at last_seen_at"),
)
SHOP: Final[Mapping[str, str]] = {
    "accounting_periods": "month locked_by",
    "agent_requests": "caller_id key_id request_id operation subject_id version asked answered",
    "agent_platforms": "name webhook_url webhook_secrets_sealed",
    "alerts": "subject detail action facts",
    "api_keys": "key_hash scopes label person",
    "audit": "actor action subject facts hash",
    "audit_heads": "hash",
    "backorders": "components",
    "browser_sessions": "token_hash",
    "bundle_components": "",
    "captures": "failure_code reason",
    "case_glances": "who",
    "catalog_imports": "kind format digest content status problem report outcome made_by",
    "courtesies": "kind actor buyer approved",
    "digital_codes": "code_sealed code_hash added_by",
    "discount_uses": "",
    "discounts": "code title kind amounts category rules stacking",
    "fulfillment_lines": "",
    "fulfillments": "partner routing way capture_ids",
    "gateway_accounts": "gateway mode publishable_key secrets_sealed settings",
    "gateway_events": "gateway body error",
    "gateway_handles": "gateway key body_hash outcome",
    "import_parts": "content",
    "inbound_lines": "",
    "inbounds": "reference created_by",
    "journal_entries": "subject",
    "ledger_accounts": "code number name type",
    "logos": "digest media_type content set_by",
    "locations": "code name country region city postal_code line_one pickup cannot_ship time_zone cut_off",
    "macros": "name body created_by",
    "order_adjustments": "rates",
    "payout_lines": "reference match",
    "payouts": "gateway",
    "postings": "account",
    "prices": "source",
    "product_sources": "system source_id images",
    "product_feeds": "country api_url token_sealed remote_id",
    "products": "slug external_id title brand category description motif facts options collections tax_category"
    " restrictions search_strong search_weak search",
    "rate_limits": "bucket",
    "reservations": "",
    "restores": "waiting_for",
    "shipping_zones": "name countries regions rates",
    "staff_codes": "browser_hash code_hash",
    "staff_members": "email name person role invited_by invite_hash",
    "staff_sessions": "token_hash",
    "stock_adjustments": "actor approved",
    "stock_count_lines": "",
    "stock_counts": "note opened_by submitted_by decided_by",
    "stock_levels": "",
    "stock_movements": "subject reason",
    "stored_value_entries": "subject",
    "sync_breakers": "state",
    "sync_cursors": "workflow value error",
    "sync_pipeline": "workflow settings note created_by",
    "sync_executors": "version workflows",
    "sync_connections": "system name base_url settings reason test_error",
    "sync_limits": "",
    "sync_mappings": "name target spec note created_by",
    "sync_notices": "kind subject words",
    "sync_permits": "",
    "sync_posts": "text error",
    "sync_readings": "sku location",
    "sync_secrets": "field sealed",
    "sync_xrefs": "system account external_id internal_kind version hash",
    "tax_rates": "country region level city postal_prefixes name category_ppm thresholds",
    "tenants": "slug name host country settings",
    "variants": "sku title options stock_policy digital",
    "webhook_events": "type topics error",
    "webhook_receivers": "naming",
}
"""Tables that hold nothing of a shopper, with their free columns: ids, codes, amounts and the shop's own words. Audit
facts are ids, counts and digests; limits count hashes. The catalog's search index holds products alone.
"""
