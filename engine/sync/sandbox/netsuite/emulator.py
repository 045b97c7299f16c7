"""NetSuite behind its door: tokens, records, transforms, SuiteQL and jobs of each account."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from engine.sync.sandbox.door import half
from engine.sync.sandbox.ground import Ground
from engine.sync.sandbox.netsuite import suiteql, tokens, transforms
from engine.sync.sandbox.netsuite.errors import missing, problem, refuse
from engine.sync.sandbox.netsuite.fields import KINDS
from engine.sync.sandbox.netsuite.ledger import Book, shown
from engine.sync.sandbox.netsuite.state import AccountState, Record
from engine.sync.sandbox.wire import Answer, Call, Json, Refused

_TOKEN: Final = "/services/rest/auth/oauth2/v1/token"  # noqa: S105 (an address)
_RECORDS: Final = "/services/rest/record/v1"
_RECORD: Final = re.compile(
    rf"{_RECORDS}/(?P<kind>\w+)(?:/(?P<key>eid:[^/]+|\d+)(?:/!transform/(?P<target>\w+)|/(?P<sublist>item|package|apply|member))?)?"
)
_QUERY: Final = "/services/rest/query/v1/suiteql"
_JOB: Final = re.compile(r"/services/rest/async/v1/job/(?P<id>\w+)(?:/task/(?P<task>\w+)(?P<result>/result)?)?")
_LIMITS: Final = "/services/rest/system/v1/governanceLimits"
_PAGE: Final = 1000
_WORKED_AFTER: Final = timedelta(seconds=1)


class NetSuite:
    """All accounts of a world."""

    system = "netsuite"

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.accounts: dict[str, AccountState] = {}
        self._inside: dict[str, int] = {}
        self.peaks: dict[str, int] = {}
        self.refusals: dict[str, int] = {}

    def add(self, state: AccountState) -> AccountState:
        self.accounts[state.account] = state
        return state

    def operation(self, call: Call) -> str:
        if call.rest == _TOKEN:
            return "token"
        found = _RECORD.fullmatch(call.rest)
        if found:
            return f"{found['kind']}!{found['target']}" if found["target"] else found["kind"]
        return {_QUERY: "suiteql", _LIMITS: "governanceLimits"}.get(call.rest, "job")

    def enter(self, call: Call) -> Answer | None:
        """Requests at once, all of an account together."""
        state = self.accounts.get(call.tenant)
        if state is None or call.rest == _TOKEN:
            return None
        if self._inside.get(call.tenant, 0) >= state.concurrency:
            self.refusals[call.tenant] = self.refusals.get(call.tenant, 0) + 1
            return _too_many()
        self._inside[call.tenant] = inside = self._inside.get(call.tenant, 0) + 1
        self.peaks[call.tenant] = max(inside, self.peaks.get(call.tenant, 0))
        return None

    def leave(self, call: Call) -> None:
        if call.tenant in self.accounts and call.rest != _TOKEN:
            self._inside[call.tenant] -= 1

    def handle(self, call: Call) -> Answer:
        state = self.accounts.get(call.tenant)
        if state is None:
            return problem(404, "There is no such account.", "NOT_FOUND")
        wall = self._ground.wall(self.system)
        if call.rest == _TOKEN and call.method == "POST":
            return tokens.grant(state, call, wall=wall)
        denied = tokens.check_caller(state, call, wall=wall)
        return denied or self._let_in(state, call)

    def _let_in(self, state: AccountState, call: Call) -> Answer:
        if call.rest == _QUERY:
            return _query(state, call)
        if call.rest == _LIMITS and call.method == "GET":
            return Answer(
                200,
                {"accountConcurrencyLimit": state.concurrency, "accountUnallocatedConcurrencyLimit": state.concurrency},
            )
        job = _JOB.fullmatch(call.rest)
        if job:
            return _job(state, call, job)
        found = _RECORD.fullmatch(call.rest)
        if found is None or found["kind"] not in KINDS:
            raise refuse(f"{call.rest} is not emulated.", "NOT_FOUND", status=404)
        if "respond-async" in call.header("prefer") and call.method in {"POST", "PATCH", "PUT", "DELETE"}:
            return self._later(state, call, found)
        return _record(Book(state, call, self._ground.now()), found)

    def _later(self, state: AccountState, call: Call, found: re.Match[str]) -> Answer:
        """Work later; with an idempotency key (only here is it looked at) at most once."""
        key = call.header("x-netsuite-idempotency-key")
        base = f"{_base(call)}/async/v1/job"
        if key and key in state.job_keys:
            answer = problem(400, "A request with this idempotency key was accepted already.", "IDEMPOTENCY_ERROR")
            answer.headers["location"] = f"{base}/{state.job_keys[key]}"
            return answer
        number = str(self._ground.number())
        state.jobs[number] = {"completed": False, "answer": None}
        if key:
            state.job_keys[key] = number
        self._ground.later(_WORKED_AFTER, lambda: self._work(state, call, found, number))
        return Answer(202, None, {"location": f"{base}/{number}", "preference-applied": "respond-async"})

    def _work(self, state: AccountState, call: Call, found: re.Match[str], number: str) -> None:
        with self._ground.lock:
            try:
                answer = _record(Book(state, call, self._ground.now()), found)
            except Refused as refused:
                answer = refused.answer
            state.jobs[number] = {"completed": True, "answer": answer}

    def faulty(self, kind: str, params: Json, call: Call) -> Answer:
        match kind:
            case "http_429" | "concurrency_exceeded" | "throttled_points":
                answer = _too_many()
                if "retry_after" in params:
                    answer.headers["retry-after"] = str(params["retry_after"])
                return answer
            case "auth_expired":
                return tokens.denied()
            case "http_500":
                return problem(500, "An unexpected error occurred. Error ID: sandbox.", "UNEXPECTED_ERROR")
        return Answer(
            int(kind.removeprefix("http_")),
            raw=b"<html><body>NetSuite is unavailable</body></html>",
            headers={"content-type": "text/html"},
        )

    def rotate(self, tenant: str, params: Json) -> None:
        """New secrets; bearers that were given out are worth nothing any more."""
        state = self.accounts[tenant]
        tokens.rotate(state.keys, params, f"{self._ground.rng.getrandbits(256):064x}")
        state.bearers.clear()


def _too_many() -> Answer:
    detail = "Concurrent request limit exceeded. Request blocked."
    return problem(429, detail, "CONCURRENCY_LIMIT_EXCEEDED")


def _base(call: Call) -> str:
    return f"{call.origin}/netsuite/{call.tenant}/services/rest"


def _body(call: Call) -> Any:
    """The body with exact decimals. Raises ``Refused``."""
    try:
        return json.loads(call.body or b"{}", parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise refuse("The request body is not valid JSON.", "INVALID_CONTENT") from error


def _record(book: Book, found: re.Match[str]) -> Answer:
    kind, key, target = found["kind"], found["key"], found["target"]
    call = book.call
    if target:
        if call.method != "POST":
            raise refuse("A transform is a POST.", "METHOD_NOT_ALLOWED", status=405)
        return _at(call, transforms.transform(book, book.find(kind, key), target, _body(call)))
    if key is None:
        return _collection(book, kind)
    if found["sublist"]:
        said = shown(book.find(kind, key), expanded=True, base=f"{_base(call)}/record/v1")
        return Answer(200, said.get(found["sublist"]) or {"items": [], "totalResults": 0})
    return _one(book, kind, key)


def _collection(book: Book, kind: str) -> Answer:
    if book.call.method == "POST":
        return _at(book.call, _create(book, kind, _body(book.call)))
    if book.call.method != "GET":
        raise refuse("This method is not allowed here.", "METHOD_NOT_ALLOWED", status=405)
    rows = sorted(_filtered(book, kind), key=lambda one: one.id)
    base = f"{_base(book.call)}/record/v1/{kind}"
    items = [{"links": [{"rel": "self", "href": f"{base}/{one.id}"}], "id": str(one.id)} for one in rows]
    return Answer(200, _page(book.call, items, base))


def _filtered(book: Book, kind: str) -> list[Record]:
    """``q`` with one condition (``externalId IS "x"``, ``email IS "x"``); no other is emulated."""
    asked = book.call.query.get("q")
    rows = list(book.state.kind(kind).values())
    if not asked:
        return rows
    found = re.fullmatch(r"""\s*(\w+)\s+(IS|START_WITH)\s+["']?([^"']*)["']?\s*""", asked)
    if found is None:
        raise refuse(
            "The sandbox filters by one condition: field IS value, field START_WITH value.", "INVALID_PARAMETER", "q"
        )
    name, sign, value = found.groups()
    texts = {one.id: str(one.external_id if name == "externalId" else one.fields.get(name) or "") for one in rows}
    return [one for one in rows if (texts[one.id] == value if sign == "IS" else texts[one.id].startswith(value))]


def _create(book: Book, kind: str, given: Any, external_id: str | None = None) -> Record:
    if not isinstance(given, dict):
        raise refuse("Invalid content in the request body.")
    if kind == "customerPayment":
        return transforms.pay(book, given | ({"externalId": external_id} if external_id else {}))
    if kind in {"itemFulfillment", "itemReceipt", "vendorBill"}:
        raise refuse(f"{kind} is made from an order by !transform.", "INVALID_RCRD_TYPE")
    return book.create(kind, given, external_id=external_id)


def _one(book: Book, kind: str, key: str) -> Answer:
    call = book.call
    match call.method:
        case "GET":
            expanded = call.query.get("expandSubResources", "").lower() == "true"
            said = shown(book.find(kind, key), expanded=expanded, base=f"{_base(call)}/record/v1")
            wanted = set(filter(None, call.query.get("fields", "").split(",")))
            return Answer(
                200, {name: value for name, value in said.items() if not wanted or name in wanted | {"id", "links"}}
            )
        case "PUT":
            return _upsert(book, kind, key)
        case "PATCH":
            return _at(call, _update(book, book.find(kind, key)))
        case "DELETE":
            transforms.delete(book, book.find(kind, key))
            return Answer(204)
    raise refuse("This method is not allowed here.", "METHOD_NOT_ALLOWED", status=405)


def _upsert(book: Book, kind: str, key: str) -> Answer:
    """PUT by external id: made where nobody has it, changed as PATCH would where somebody does."""
    if not key.startswith("eid:"):
        raise refuse("A PUT names a record by its external ID.", "INVALID_PARAMETER")
    eid = key.removeprefix("eid:")
    if (kind, eid) in book.state.external:
        return _at(book.call, _update(book, book.find(kind, key)))
    given = _body(book.call)
    if not isinstance(given, dict):
        raise refuse("Invalid content in the request body.")
    return _at(
        book.call, _create(book, kind, {name: value for name, value in given.items() if name != "externalId"}, eid)
    )


def _update(book: Book, record: Record) -> Record:
    given = _body(book.call)
    if not isinstance(given, dict):
        raise refuse("Invalid content in the request body.")
    replaced = frozenset(filter(None, book.call.query.get("replace", "").split(",")))
    wanted = given.get("shipStatus")
    if record.kind == "itemFulfillment" and wanted is not None:
        transforms.set_ship_status(book, record, str(wanted.get("id") if isinstance(wanted, dict) else wanted))
        given = {name: value for name, value in given.items() if name != "shipStatus"}
    book.update(record, given, replaced=replaced)
    return record


def _at(call: Call, record: Record) -> Answer:
    return Answer(204, None, {"location": f"{_base(call)}/record/v1/{record.kind}/{record.id}"})


def _page(call: Call, rows: list[Json], base: str) -> Json:
    """A page with ``hasMore``. A fault may make it shorter than was asked: the count says how short."""
    limit, offset = _whole(call, "limit", _PAGE), _whole(call, "offset", 0)
    if not 0 < limit <= _PAGE:
        raise refuse(f"The limit must be between 1 and {_PAGE}.", "INVALID_PARAMETER", "limit")
    if offset % limit:
        raise refuse("The offset must be divisible by the limit.", "INVALID_PARAMETER", "offset")
    size = half(limit, call)
    page, after = rows[offset : offset + size], offset + size
    links = [{"rel": "self", "href": f"{base}?limit={limit}&offset={offset}"}]
    if after < len(rows):
        links.append({"rel": "next", "href": f"{base}?limit={size}&offset={after}"})
    return {
        "links": links,
        "count": len(page),
        "hasMore": after < len(rows),
        "items": page,
        "offset": offset,
        "totalResults": len(rows),
    }


def _whole(call: Call, name: str, otherwise: int) -> int:
    text = call.query.get(name, str(otherwise))
    if not text.isdigit():
        raise refuse(f"The {name} must be a whole number.", "INVALID_PARAMETER", name)
    return int(text)


def _query(state: AccountState, call: Call) -> Answer:
    if call.method != "POST":
        raise refuse("A query is a POST.", "METHOD_NOT_ALLOWED", status=405)
    if "transient" not in call.header("prefer"):
        raise refuse(
            "The required request header 'Prefer' is missing or its value is invalid: 'transient' is expected.",
            "INVALID_HEADER",
            "Prefer",
        )
    given = _body(call)
    rows = suiteql.run(state, given.get("q") if isinstance(given, dict) else None)
    return Answer(200, _page(call, rows, f"{_base(call)}/query/v1/suiteql"))


def _job(state: AccountState, call: Call, found: re.Match[str]) -> Answer:
    job = state.jobs.get(found["id"])
    if job is None or call.method != "GET":
        raise missing("job", found["id"])
    here = f"{_base(call)}/async/v1/job/{found['id']}"
    done: Answer | None = job["answer"]
    progress = "processing" if done is None else ("succeeded" if done.status < 400 else "failed")
    if found["result"]:
        if done is None:
            raise refuse("The task is not completed.", "INVALID_REQUEST")
        return replace(done, headers=dict(done.headers))
    if found["task"]:
        return Answer(200, {"id": found["task"], "completed": job["completed"], "progress": progress})
    return Answer(
        200,
        {
            "id": found["id"],
            "completed": job["completed"],
            "progress": progress,
            "task": {"links": [{"href": f"{here}/task"}]},
        },
    )
