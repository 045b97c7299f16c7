"""``acp_flow``: agents that buy over HTTP from one served process: create, update, delegate, complete. They buy
whatever the shop has plenty of; in ``acp_one_item`` all of them the same.

The clients run in processes of their own, each on one kept connection; what is measured is a whole flow.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final

from app.bench_scene import fill_shelves, settle_down
from app.bench_timing import Say, figures
from engine.db import Addresses, Store, open_addresses
from engine.kit import clock
from engine.settings import Settings

AGENTS: Final = "acp_flow"
ONE_ITEM: Final = "acp_one_item"
_SIZE: Final = "create, update, delegate and complete over HTTP, 1 or 2 units of {}; one server process"
_START_SECONDS: Final = 120
_MOST: Final = 200
"""Items that are bought."""
_ADDRESS: Final = {
    "name": "Ada Buyer",
    "line_one": "12 Pine St",
    "city": "Portland",
    "state": "OR",
    "country": "US",
    "postal_code": "97204",
}


@dataclass(frozen=True, slots=True)
class Served:
    """A served shop and a key of an agent platform's."""

    process: subprocess.Popen[str]
    port: int
    key: str
    merchant: str
    items: tuple[str, ...]
    home: Path

    @property
    def bought(self) -> str:
        return "the same item" if len(self.items) == 1 else f"1 of {len(self.items)} items"


def agent_rows(say: Say, name: str, n: int, clients: int) -> list[dict[str, Any]]:
    """The figures of ``n`` flows by ``clients`` clients."""
    home = Path(tempfile.mkdtemp(prefix="icommerce-bench-agents-"))
    try:
        served = _serve(home, say, most=1 if name == ONE_ITEM else _MOST)
        try:
            say(f"{name}: warming up")
            _drive(served, 2 * clients, clients)
            settle_down(_addresses(home))
            _drive(served, 2 * clients, clients)
            say(f"{name}: {n} flows by {clients} clients")
            cpu, start = _cpu(served), time.perf_counter()
            times = _drive(served, n, clients)
            seconds, spent = time.perf_counter() - start, _cpu(served) - cpu
        finally:
            served.process.terminate()
            served.process.wait(20)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return [{**figures(times, seconds, spent, clients=clients), "name": name, "size": _SIZE.format(served.bought)}]


def _addresses(home: Path) -> Addresses:
    return open_addresses(Settings.from_env(os.environ | {"ICOMMERCE_HOME": str(home)}), start=False)


def _stock_up(home: Path, items: Sequence[str]) -> None:
    store = Store(_addresses(home).runtime)
    fill_shelves(store, store.tenant_ids()[0], items, units=100_000)
    store.close()


def _serve(home: Path, say: Say, *, most: int = _MOST) -> Served:
    say("agents: starting a server")
    environment = os.environ | {"ICOMMERCE_HOME": str(home), "ICOMMERCE_DEMO_PIPELINE": "0"}
    command = [sys.executable, "-m", "app"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    process = subprocess.Popen([*command, "serve", "--port", "0"], env=environment, **pipes)  # noqa: S603 (our own)
    assert process.stdout is not None
    until = time.monotonic() + _START_SECONDS
    while not (line := process.stdout.readline()).startswith("ready "):
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError("the benchmark's server did not start")
    port = int(line.strip().rpartition(":")[2])

    def ask(*arguments: str) -> Any:
        done = subprocess.run(  # noqa: S603 (our own program)
            [*command, *arguments, "--json"], env=environment, capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)

    tenant = ask("doctor")["tenants"][0]["slug"]
    made = ask("keys", "create", "--tenant", tenant, "--scopes", "acp")
    items, merchant = _items(port, made["key"])
    items = items[:most]
    _stock_up(home, items)
    return Served(process, port, made["key"], merchant, items, home)


def _items(port: int, key: str) -> tuple[tuple[str, ...], str]:
    """Items of which there is plenty, and the shop's id as its payment provider knows it."""
    line = http.client.HTTPConnection("127.0.0.1", port)
    line.request("GET", "/v1/products?limit=200&in_stock=true", headers={"Authorization": f"Bearer {key}"})
    found = json.loads(line.getresponse().read())["items"]
    plenty = [one["id"] for row in found for one in row["variants"] if one["available"] >= 20]
    session = _Client(line, key, "", Random(0)).create(plenty[0])  # noqa: S311 (no secret)
    return tuple(plenty), str(session["capabilities"]["payment"]["handlers"][0]["config"]["merchant_id"])


class _Client:
    """One agent on one kept connection."""

    _numbers = count(1)

    def __init__(self, line: http.client.HTTPConnection, key: str, merchant: str, random: Random) -> None:
        self._line, self._merchant, self._random = line, merchant, random
        self._headers = {
            "Authorization": f"Bearer {key}",
            "API-Version": "2026-04-17",
            "Content-Type": "application/json",
        }

    def flow(self, items: Sequence[str]) -> float:
        """Buy something; the seconds it took."""
        item, start = self._random.choice(items), time.perf_counter()
        session = self.create(item)
        path = f"/checkout_sessions/{session['id']}"
        details = {"buyer": {"email": "ada@example.com"}, "fulfillment_details": {"address": _ADDRESS}}
        session = self._post(path, details)
        due = next(row["amount"] for row in session["totals"] if row["type"] == "total")
        token = self._post("/agentic_commerce/delegate_payment", self._card(session["id"], due))["id"]
        instrument = {"type": "card", "credential": {"type": "spt", "token": token}}
        done = self._post(
            f"{path}/complete", {"payment_data": {"handler_id": "card_tokenized", "instrument": instrument}}
        )
        if done["status"] != "completed":
            raise RuntimeError(f"the benchmark's purchase ended as {done['status']}: {done['messages']}")
        return time.perf_counter() - start

    def create(self, item: str) -> Any:
        wanted = [{"id": item, "quantity": self._random.choice((1, 1, 1, 2))}]
        return self._post("/checkout_sessions", {"line_items": wanted, "currency": "usd", "capabilities": {}})

    def _card(self, session_id: str, due: int) -> Any:
        year = str(clock.now().year + 2)
        method = {
            "type": "card",
            "card_number_type": "fpan",
            "number": "4242424242424242",
            "exp_month": "12",
            "exp_year": year,
            "cvc": "123",
            "display_card_funding_type": "credit",
            "metadata": {},
        }
        allowance = {
            "reason": "one_time",
            "max_amount": due,
            "currency": "usd",
            "checkout_session_id": session_id,
            "merchant_id": self._merchant,
            "expires_at": (clock.now() + timedelta(minutes=10)).isoformat(),
        }
        return {"payment_method": method, "allowance": allowance, "risk_signals": [], "metadata": {}}

    def _post(self, path: str, body: Any) -> Any:
        headers = self._headers | {"Idempotency-Key": f"{os.getpid()}-{next(self._numbers)}"}
        self._line.request("POST", path, json.dumps(body), headers)
        answer = self._line.getresponse()
        found = json.loads(answer.read())
        if answer.status >= 300:
            raise RuntimeError(f"{path} answered {answer.status}: {found}")
        return found


def _drive(served: Served, n: int, clients: int) -> list[float]:
    """The seconds of each flow."""

    def work(number: int) -> list[float]:
        line = http.client.HTTPConnection("127.0.0.1", served.port)
        client = _Client(line, served.key, served.merchant, Random(number))  # noqa: S311 (no secret)
        return [client.flow(served.items) for _ in range(max(1, n // clients))]

    with ThreadPoolExecutor(clients) as pool:
        return [seconds for times in pool.map(work, range(clients)) for seconds in times]


def _cpu(served: Served) -> float:
    """CPU seconds of the server and of everything it started."""
    import psutil

    root = psutil.Process(served.process.pid)
    found = 0.0
    for one in (root, *root.children(recursive=True), *_postgres(served.home)):
        try:
            spent = one.cpu_times()
        except psutil.Error:
            continue
        found += spent.user + spent.system
    return found


def _postgres(home: Path) -> list[Any]:
    """The database's processes, which are nobody's children here."""
    import psutil

    pid = next(home.rglob("postmaster.pid"), None)
    if pid is None:
        return []
    postmaster = psutil.Process(int(pid.read_text().split()[0]))
    return [postmaster, *postmaster.children(recursive=True)]
