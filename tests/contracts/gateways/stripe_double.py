"""A double of Stripe's API: a real HTTP server on the loopback, for the official SDK to talk to.

It keeps idempotency as the reference says: the first answer to a key is saved, errors included, and another request
under the same key is refused. Faults can be planted: an answer that is lost after the work was done, a 500, a 429.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import RLock, Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from weakref import WeakKeyDictionary

from tests.contracts.gateways.stripe_ledger import ApiError, Ledger, fresh, invalid, missing
from tests.contracts.gateways.stripe_tax_desk import TaxDesk

Params = dict[str, Any]


@dataclass
class Fault:
    """Once, for the next request whose path ends with ``on``."""

    on: str
    kind: str
    """``lost_after`` the work was done, ``lost_before`` it, or a status: ``500_after``, ``500``, ``429``, ``409``."""


@dataclass
class Saved:
    request: tuple[str, str, str]
    status: int
    body: bytes


class StripeDouble:
    """The server and its accounts, by secret key."""

    def __init__(self) -> None:
        self.ledgers: dict[str, Ledger] = {}
        self.calls: list[tuple[str, str]] = []
        self.faults: list[Fault] = []
        self._saved: dict[tuple[str, str], Saved] = {}
        self._lock = RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def account(self, secret_key: str) -> Ledger:
        return self.ledgers.setdefault(secret_key, Ledger())

    def plant(self, on: str, kind: str) -> None:
        self.faults.append(Fault(on, kind))

    def forget_keys(self) -> None:
        """A day has passed: saved answers are gone."""
        self._saved.clear()

    def answer(self, method: str, target: str, headers: Any, form: bytes) -> tuple[int, bytes] | None:
        """Status and body; ``None`` when the answer is lost."""
        with self._lock:
            url = urlsplit(target)
            self.calls.append((method, url.path))
            ledger = self.ledgers.get((headers.get("Authorization") or "").removeprefix("Bearer "))
            if ledger is None:
                return 401, _error({"type": "invalid_request_error", "message": "Invalid API Key provided"})
            fault = self._fault(url.path)
            if fault in {"lost_before", "429", "409"}:
                return _planted(fault)
            key = headers.get("Idempotency-Key")
            found = self._kept(headers["Authorization"], key, (method, url.path, form.decode()))
            if found is not None:
                return found
            status, body = self._work(ledger, method, url.path, form.decode() or url.query, fault)
            if key:
                asked = (method, url.path, form.decode())
                self._saved[(headers["Authorization"], key)] = Saved(asked, status, body)
            return None if fault == "lost_after" else (status, body)

    def _work(self, ledger: Ledger, method: str, path: str, text: str, fault: str | None) -> tuple[int, bytes]:
        if fault == "500":
            return 500, _error({"type": "api_error", "message": "Something went wrong."})
        try:
            result = _route(ledger, method, path, _nested(text))
        except ApiError as error:
            return error.status, _error(error.error)
        if fault == "500_after":
            return 500, _error({"type": "api_error", "message": "Something went wrong."})
        return 200, json.dumps(result).encode()

    def _kept(self, who: str, key: str | None, asked: tuple[str, str, str]) -> tuple[int, bytes] | None:
        saved = self._saved.get((who, key or ""))
        if saved is None:
            return None
        if saved.request != asked:
            message = (
                "Keys for idempotent requests can only be used with the same parameters they were first used with."
            )
            return 400, _error({"type": "idempotency_error", "message": message})
        return saved.status, saved.body

    def _fault(self, path: str) -> str | None:
        for fault in self.faults:
            if path.endswith(fault.on):
                self.faults.remove(fault)
                return fault.kind
        return None


def _planted(fault: str) -> tuple[int, bytes] | None:
    if fault == "429":
        return 429, _error({"type": "invalid_request_error", "code": "rate_limit", "message": "Too many requests"})
    if fault == "409":
        return 409, _error({"type": "idempotency_error", "code": "idempotency_key_in_use", "message": "In use"})
    return None


def _error(error: dict[str, Any]) -> bytes:
    return json.dumps({"error": error}).encode()


def _route(ledger: Ledger, method: str, path: str, params: Params) -> dict[str, Any]:
    for verb, pattern, work in ROUTES:
        found = re.fullmatch(pattern, path)
        if found and verb == method:
            return _shown(ledger, work(ledger, params, *found.groups()), params)
    raise invalid(f"Unrecognized request URL ({method}: {path}).", status=404)


def _method(ledger: Ledger, _: Params, name: str) -> dict[str, Any]:
    if name not in ledger.methods:
        raise missing("payment_method", name)
    return ledger.methods[name]


def _attach(ledger: Ledger, params: Params, name: str) -> dict[str, Any]:
    return ledger.attach(name, params.get("customer") or "")


def _detach(ledger: Ledger, _: Params, name: str) -> dict[str, Any]:
    return ledger.detach(name)


def _intents(ledger: Ledger, params: Params) -> dict[str, Any]:
    created = params.get("created") or {}
    low, high = int(created.get("gte", 0)), int(created.get("lte", 1 << 40))
    rows = [ledger.find_intent(name) for name in ledger.intents]
    return _page([row for row in rows if low <= row["created"] <= high], params)


def _refunds(ledger: Ledger, params: Params) -> dict[str, Any]:
    of = params.get("payment_intent")
    return _page([row for row in ledger.refunds.values() if of in {None, row["payment_intent"]}], params)


def _payouts(ledger: Ledger, params: Params) -> dict[str, Any]:
    since = int((params.get("arrival_date") or {}).get("gte", 0))
    return _page([row for row in ledger.payouts.values() if row["arrival_date"] >= since], params)


def _transactions(ledger: Ledger, params: Params) -> dict[str, Any]:
    return _page(list(ledger.transactions_of(params["payout"])), params)


def _balance(_: Ledger, __: Params) -> dict[str, Any]:
    return {"object": "balance", "livemode": False, "available": [], "pending": []}


def _page(rows: list[dict[str, Any]], params: Params) -> dict[str, Any]:
    """Newest first, a page at a time."""
    newest = rows[::-1]
    names = [row["id"] for row in newest]
    start = names.index(params["starting_after"]) + 1 if "starting_after" in params else 0
    limit = int(params.get("limit", 10))
    part = newest[start : start + limit]
    return {"object": "list", "data": part, "has_more": start + limit < len(newest), "url": "/v1"}


def _shown(ledger: Ledger, thing: dict[str, Any], params: Params) -> dict[str, Any]:
    """What an answer shows: our own marks left out, what was asked to be expanded put in."""
    if thing.get("object") == "list":
        inner = {"expand": [name.removeprefix("data.") for name in params.get("expand") or []]}
        return thing | {"data": [_shown(ledger, row, inner) for row in thing["data"]]}
    shown = {key: value for key, value in thing.items() if not key.startswith("_")}
    wanted = params.get("expand") or []
    if "latest_charge" in wanted and shown.get("latest_charge"):
        shown["latest_charge"] = ledger.charges[shown["latest_charge"]]
    if "source" in wanted:
        stores = (ledger.charges, ledger.refunds, ledger.disputes, ledger.payouts)
        shown["source"] = next(store[shown["source"]] for store in stores if shown["source"] in store)
    return shown


DESKS: WeakKeyDictionary[Ledger, TaxDesk] = WeakKeyDictionary()


def desk_of(ledger: Ledger) -> TaxDesk:
    """The account's Stripe Tax."""
    return DESKS.setdefault(ledger, TaxDesk())


Work = Callable[..., dict[str, Any]]
ROUTES: list[tuple[str, str, Work]] = [
    ("POST", "/v1/payment_intents", lambda books, params: books.create_intent(params)),
    ("GET", "/v1/payment_intents", _intents),
    ("GET", "/v1/payment_intents/([^/]+)", lambda books, _, name: books.find_intent(name)),
    ("POST", "/v1/payment_intents/([^/]+)", lambda books, params, name: books.update_intent(name, params)),
    ("POST", "/v1/payment_intents/([^/]+)/confirm", lambda books, params, name: books.confirm_intent(name, params)),
    ("POST", "/v1/payment_intents/([^/]+)/capture", lambda books, params, name: books.capture_intent(name, params)),
    ("POST", "/v1/payment_intents/([^/]+)/cancel", lambda books, _, name: books.cancel_intent(name)),
    ("POST", "/v1/refunds", lambda books, params: books.create_refund(params)),
    ("GET", "/v1/refunds", _refunds),
    ("GET", "/v1/payment_methods/([^/]+)", _method),
    ("POST", "/v1/payment_methods/([^/]+)/attach", _attach),
    ("POST", "/v1/payment_methods/([^/]+)/detach", _detach),
    ("POST", "/v1/customers", lambda books, params: books.create_customer(params)),
    ("GET", "/v1/disputes", lambda books, params: _page(list(books.disputes.values()), params)),
    ("GET", "/v1/disputes/([^/]+)", lambda books, _, name: books.find_dispute(name)),
    ("POST", "/v1/disputes/([^/]+)", lambda books, params, name: books.update_dispute(name, params)),
    ("GET", "/v1/payouts", _payouts),
    ("GET", "/v1/balance_transactions", _transactions),
    ("GET", "/v1/balance", _balance),
    ("POST", "/v1/tax/calculations", lambda books, params: desk_of(books).calculate(params)),
    ("GET", "/v1/tax/calculations/([^/]+)/line_items", lambda books, params, name: desk_of(books).lines(name, params)),
    ("POST", "/v1/tax/transactions/create_from_calculation", lambda books, params: desk_of(books).file(params)),
    ("POST", "/v1/tax/transactions/create_reversal", lambda books, params: desk_of(books).reverse(params)),
]


def _nested(text: str) -> Params:
    """``a[b]=c`` as ``{"a": {"b": "c"}}`` and ``a[0]=x`` as ``{"a": ["x"]}``."""
    tree: Params = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        path = re.findall(r"[^\[\]]+", name)
        place = tree
        for part in path[:-1]:
            place = place.setdefault(part, {})
        place[path[-1]] = value
    return {key: _listed(value) for key, value in tree.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _listed(each) for key, each in value.items()}
    return list(inner.values()) if inner and all(key.isdigit() for key in inner) else inner


def _handler(double: StripeDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

        def _answer(self, form: bytes) -> None:
            answer = double.answer(self.command, self.path, self.headers, form)
            if answer is None:
                self.close_connection = True
                return
            status, body = answer
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Request-Id", fresh("req"))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Silent."""

    return Handler
