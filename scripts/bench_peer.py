"""The same unit of work on the public package ``stateset-embedded``, in a virtual environment of its own.

``make bench PEER=1`` runs it beside ours. It knows nothing of our code: only the standard library and the peer. One
operation is its governed path: a cart with one line and an address, ``checkout.commit``, ``payments.create`` and
``payments.complete``, each with a policy, a principal and a durable receipt, on one SQLite file with
``STATESET_SQLITE_SYNCHRONOUS=FULL``. ``peer_commands`` is the same with the cart made beforehand, as our ``complete``
has it. What it does not do is in ``LACKS``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

SHAPES: Final = ((1, 1), (8, 2))
"""Clients, and over how many processes."""
SKU: Final = "BENCH-1"
COMMANDS: Final = ("checkout.commit", "payments.create", "payments.complete")
LACKS: Final = (
    "on this path it posts no ledger entry, asks no gateway (payments.complete takes the caller's word), records no"
    " shopper's consent and prices neither tax nor shipping"
)
_POLICY: Final = json.dumps(
    {"version": "bench", "commands": {name: {"required_capabilities": [name]} for name in COMMANDS}}
)
_PRINCIPAL: Final = {
    "id": "agent:bench",
    "kind": "agent",
    "tenant_id": "bench",
    "delegated_by": "shopper",
    "capabilities": list(COMMANDS),
}
_NOTHING: Final = dict.fromkeys(
    ("correlation_id", "causation_id", "expected_version", "approval", "authority", "deadline", "trace_id")
)
Operation = Callable[[], None]


class Peer:
    """One process's store."""

    def __init__(self, path: str) -> None:
        from stateset_embedded import Commerce

        self.commerce = Commerce(path)

    def seed(self, units: int) -> None:
        self.commerce.customers.create(email="bench@example.com", first_name="Bench", last_name="Buyer")
        self.commerce.inventory.create_item(sku=SKU, name="Thing", initial_quantity=units)

    def cart(self) -> str:
        from stateset_embedded import AddCartItemInput, CartAddress

        carts = self.commerce.carts
        cart = carts.create(customer_email="bench@example.com", customer_name="Bench Buyer", currency="USD")
        carts.add_item(cart.id, AddCartItemInput(sku=SKU, name="Thing", quantity=1, unit_price=50.0))
        carts.set_shipping_address(cart.id, CartAddress("Bench", "Buyer", "12 Pine St", "Portland", "97204", "US"))
        return str(cart.id)

    def pay(self, cart_id: str) -> None:
        order = self._command("checkout.commit", {"cart_id": cart_id}, cart_id)
        paid = {"order_id": order["order_id"], "amount": order["total_charged"], "currency": "USD"}
        payment = self._command("payments.create", paid | {"payment_method": "credit_card"}, cart_id)
        self._command("payments.complete", {"payment_id": payment["id"]}, cart_id)

    def _command(self, name: str, payload: dict[str, Any], cart_id: str) -> dict[str, Any]:
        envelope = _NOTHING | {
            "contract_version": "1.0",
            "command_id": str(uuid.uuid4()),
            "idempotency_key": f"{name}:{cart_id}",
            "command_type": name,
            "principal": _PRINCIPAL,
            "store_id": "bench",
            "policy_version": "bench",
            "mode": "apply",
            "payload": payload,
            "issued_at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        }
        receipt = json.loads(self.commerce.execute_kernel_command(json.dumps(envelope), _POLICY))
        if receipt["status"] != "succeeded":
            raise RuntimeError(f"{name} ended as {receipt['status']}: {receipt['error_message']}")
        result: dict[str, Any] = receipt["result"]
        return result


def work(path: str, name: str, n: int, clients: int) -> None:
    """A worker: prepares, says so, waits for the word, and answers with its times and CPU."""
    peer = Peer(path)
    operations = [_operation(peer, name) for _ in range(n)]
    _operation(peer, name)()
    print("ready", flush=True)
    sys.stdin.readline()
    cpu = time.process_time()
    with ThreadPoolExecutor(clients) as pool:
        times = list(pool.map(_timed, operations))
    print(json.dumps({"times": times, "cpu": time.process_time() - cpu}), flush=True)


def _operation(peer: Peer, name: str) -> Operation:
    if name == "peer_complete":
        return lambda: peer.pay(peer.cart())
    cart_id = peer.cart()
    return lambda: peer.pay(cart_id)


def measure(name: str, *, n: int, clients: int, processes: int) -> dict[str, Any]:
    """One row, in the shape of ``icommerce bench --json``."""
    with tempfile.TemporaryDirectory(prefix="bench-peer-") as folder:
        path = str(Path(folder) / "peer.db")
        Peer(path).seed(units=n * 2 + 100)
        each = n // processes
        workers = [_start(path, name, each, clients // processes) for _ in range(processes)]
        for worker in workers:
            _expect_ready(worker)
        start = time.perf_counter()
        for worker in workers:
            assert worker.stdin
            worker.stdin.write("go\n")
            worker.stdin.flush()
        answers = [json.loads(_ended(worker)) for worker in workers]
        wall = time.perf_counter() - start
    times = sorted(moment for answer in answers for moment in answer["times"])
    return {
        "name": name,
        "n": len(times),
        "clients": clients,
        "per_second": round(len(times) / wall, 1),
        "p50_ms": round(times[len(times) // 2] * 1000, 2),
        "p95_ms": round(times[min(len(times) - 1, len(times) * 95 // 100)] * 1000, 2),
        "p99_ms": round(times[min(len(times) - 1, len(times) * 99 // 100)] * 1000, 2),
        "cpu_ms_per_op": round(sum(answer["cpu"] for answer in answers) / len(times) * 1000, 2),
    }


def _start(path: str, name: str, n: int, clients: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-I", __file__, "--worker", path, name, str(n), str(clients)]
    env = os.environ | {"STATESET_SQLITE_SYNCHRONOUS": "FULL"}
    return subprocess.Popen(command, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603


def _expect_ready(worker: subprocess.Popen[str]) -> None:
    assert worker.stdout
    if worker.stdout.readline() != "ready\n":
        raise SystemExit("The peer's worker did not start.")


def _ended(worker: subprocess.Popen[str]) -> str:
    answer, _ = worker.communicate()
    if worker.returncode:
        raise SystemExit("The peer's worker failed.")
    return answer


def _timed(operation: Operation) -> float:
    start = time.perf_counter()
    operation()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the peer's unit of work.")
    parser.add_argument("--n", type=int, default=400, help="operations of each row")
    parser.add_argument("--json", action="store_true", help="rows as JSON")
    parser.add_argument("--worker", nargs=4, metavar=("PATH", "NAME", "N", "CLIENTS"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        path, name, n, clients = asked.worker
        work(path, name, int(n), int(clients))
        return
    os.environ["STATESET_SQLITE_SYNCHRONOUS"] = "FULL"
    rows = [
        measure(name, n=asked.n, clients=clients, processes=processes)
        for name in ("peer_complete", "peer_commands")
        for clients, processes in SHAPES
    ]
    if asked.json:
        print(json.dumps(rows))
        return
    for row in rows:
        figures = "".join(f"{row[key]:>9}" for key in ("per_second", "p50_ms", "p99_ms"))
        print(f"{row['name']:<14}{row['n']:>7}{row['clients']:>9}{figures}{row['cpu_ms_per_op']:>11}")
    print(f"stateset-embedded {version('stateset-embedded')}: {LACKS}.", file=sys.stderr)


if __name__ == "__main__":
    main()
