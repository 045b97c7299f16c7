"""The real process: it starts, says so once, is shopped in, is killed, comes back, and stops when told."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "app"]
ADDRESS = "Ada Buyer, ada@example.com, 12 Pine Street, Portland, OR 97201"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Server:
    """``icommerce serve`` in a home of its own."""

    def __init__(self, home: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.home = home
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ICOMMERCE_", "DATABASE_"))}
        self.env = kept | {
            "ICOMMERCE_HOME": str(home),
            "ICOMMERCE_DURABLE": "0",
            "ICOMMERCE_ENDPOINT": self.url,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'agents'}",
        }
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "serve", "--port", str(self.port)],
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=(self.home.parent / "serve.log").open("a"),
            text=True,
        )
        assert self.process.stdout
        assert self.process.stdout.readline() == f"ready {self.url}\n", (self.home.parent / "serve.log").read_text()

    def stop(self, number: int = signal.SIGTERM) -> float:
        """End it by a signal; returns the seconds it took."""
        assert self.process
        started = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(20)
        return time.monotonic() - started

    def clear(self) -> None:
        """End it the hard way and leave nothing of its home; the database may need a moment to notice."""
        from engine.embedded_postgres import EmbeddedPostgresError, wipe

        if self.process and self.process.poll() is None:
            self.stop(signal.SIGKILL)
        for left in reversed(range(20)):
            try:
                wipe(self.home)
            except EmbeddedPostgresError:
                if not left:
                    raise
                time.sleep(0.5)
            else:
                return

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command beside the server."""
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def postgres(self) -> list[psutil.Process]:
        """Database processes of this home."""
        elsewhere = self.home / "postgres.location"
        data = elsewhere.read_text().strip() if elsewhere.exists() else str(self.home)
        return [
            process
            for process in psutil.process_iter(["name", "cmdline"])
            if (process.info["name"] or "").startswith("postgres") and data in " ".join(process.info["cmdline"] or ())
        ]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "home")
    yield made
    made.clear()


class Shopper:
    """A browser at the running shop."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=30)
        self.number = 0
        self.thread = self.post("/v1/threads", {})["id"]

    def post(self, path: str, body: Any) -> Any:
        self.number += 1
        answer = self.http.post(path, json=body, headers={"Idempotency-Key": f"{id(self)}-{self.number}"})
        assert answer.is_success, answer.text
        return answer.json()

    def turn(self, body: dict[str, Any]) -> dict[str, Any]:
        """One turn to its end; returns its last event."""
        run = self.post(f"/v1/threads/{self.thread}/runs", body)["run_id"]
        with self.http.stream("GET", f"/v1/threads/{self.thread}/events", timeout=60) as answer:
            for line in answer.iter_lines():
                event = json.loads(line[5:]) if line.startswith("data:") else {}
                if event.get("type") in {"RUN_FINISHED", "RUN_ERROR"} and event.get("runId") == run:
                    return dict(event)
        raise AssertionError("the stream ended before the turn did")

    def say(self, words: str) -> dict[str, Any]:
        return self.turn({"message": words})

    def snapshot(self) -> Any:
        return self.http.get(f"/v1/threads/{self.thread}").json()


@pytest.mark.timeout(400)
def test_a_shops_day(server: Server) -> None:
    """One long test: each start of the process costs seconds."""
    server.start()
    assert httpx.get(f"{server.url}/readyz").status_code == 200
    _beside_a_running_server(server)
    shopper = Shopper(server.url)
    interrupt = to_the_payment_card(shopper)

    server.stop(signal.SIGKILL)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{server.url}/healthz")
    server.start()

    assert shopper.snapshot()["interrupts"][0]["id"] == interrupt["id"]
    _pay_once(shopper, interrupt)
    assert server.json("check")["ok"]
    assert server.json("audit", "verify")["ok"]

    with shopper.http.stream("GET", f"/v1/threads/{shopper.thread}/events") as listening:
        next(listening.iter_bytes())
        assert server.stop() < 15
    assert server.process
    assert server.process.returncode == 0
    assert server.process.stdout
    assert server.process.stdout.read() == ""
    assert server.postgres() == []
    assert not (server.home / "serve.json").exists()
    assert server.run("check").returncode == 3
    assert server.run("doctor").returncode == 3
    assert server.run("chat", "hello").returncode == 3
    log = (server.home.parent / "serve.log").read_text()
    assert "ada@example.com" not in log
    assert "Pine Street" not in log


def _beside_a_running_server(server: Server) -> None:
    report = server.json("doctor")
    assert [row["slug"] for row in report["tenants"]] == ["summit-outdoor", "voltage-home"]
    assert httpx.get(f"{report['psp']}/healthz").status_code == 200
    assert report["versions"]["python"]
    made = server.json("keys", "create", "--tenant", "voltage-home", "--scopes", "staff,ops")
    assert set(made) == {"key", "id", "tenant", "scopes"}
    assert len(made["key"]) == len("ick_") + 43
    staff = {"Authorization": f"Bearer {made['key']}"}
    assert len(httpx.get(f"{server.url}/v1/orders", headers=staff).json()["items"]) == 20
    server.json("keys", "revoke", made["id"])
    assert httpx.get(f"{server.url}/v1/orders", headers=staff).status_code == 401
    assert server.run("keys", "create", "--tenant", "voltage-home", "--scopes", "root").returncode == 2
    second = server.run("serve", "--port", str(free_port()))
    assert second.returncode == 1
    assert "Another server" in second.stderr
    said = server.run("chat", "show me tents")
    assert said.returncode == 0
    assert "Tent" in said.stdout
    _a_third_shop(server)


def _a_third_shop(server: Server) -> None:
    catalog = ROOT / "engine" / "demo" / "data" / "voltage-home"
    server.json("tenants", "create", "--slug", "third", "--name", "Third Shop", "--catalog", str(catalog), "--demo")
    started = httpx.post(f"{server.url}/v1/threads", json={"tenant": "third"}, headers={"Idempotency-Key": "t"})
    assert started.json()["tenant"] == "third"
    cookies = dict(started.cookies)
    found = httpx.get(f"{server.url}/v1/products?q=headphones&limit=3", cookies=cookies).json()["items"]
    assert found
    server.json("tenants", "suspend", "--slug", "third")
    assert httpx.get(f"{server.url}/v1/products", cookies=cookies).status_code == 403


def to_the_payment_card(shopper: Shopper) -> dict[str, Any]:
    for words in ("show me tents", "add the first one to my cart", "check out"):
        assert shopper.say(words)["type"] == "RUN_FINISHED"
    outcome = shopper.say(ADDRESS)["outcome"]
    assert outcome["type"] == "interrupt", shopper.snapshot()["messages"][-1]
    [interrupt] = outcome["interrupts"]
    assert interrupt["reason"] == "confirmation"
    assert {"session_id", "lines", "totals", "ship_to", "fulfillment", "payment_method", "merchant", "digest"} <= set(
        interrupt["metadata"]["checkout"]
    )
    assert shopper.say("yes, just pay now")["outcome"]["type"] == "interrupt"
    assert shopper.http.get("/v1/orders").json()["items"] == []
    return dict(interrupt)


def _pay_once(shopper: Shopper, interrupt: dict[str, Any]) -> None:
    entry = {"interruptId": interrupt["id"], "status": "resolved", "payload": {"approved": True}}
    first = shopper.turn({"resume": [entry]})
    again = shopper.post(f"/v1/threads/{shopper.thread}/runs", {"resume": [entry]})
    assert again["run_id"] == first["runId"]
    [order] = shopper.http.get("/v1/orders").json()["items"]
    assert (order["status"], order["payment_status"], order["fulfillment_status"]) == ("open", "paid", "unfulfilled")
    assert order["total"] == interrupt["metadata"]["checkout"]["total"]
    assert shopper.snapshot()["cart"]["lines"] == []


@pytest.mark.timeout(120)
def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    server = Server(tmp_path / "home")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", server.port))
        taken.listen()
        done = server.run("serve", "--port", str(server.port))

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.strip().splitlines() == [
        f"icommerce: Cannot listen on 127.0.0.1:{server.port}: Address already in use. Choose another with --port."
    ]


@pytest.mark.timeout(120)
def test_told_to_stop_while_opening_it_stops(server: Server) -> None:
    server.process = subprocess.Popen(
        [*COMMAND, "serve", "--port", str(server.port)],
        cwd=ROOT,
        env=server.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.process.stderr
    assert "database" in server.process.stderr.readline().lower()

    assert server.stop() < 15
    assert server.process.returncode == 0
    assert server.process.stdout
    assert server.process.stdout.read() == ""
    assert server.postgres() == []


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A command in no home in particular."""
    more = {"PYTHONPATH": f"{ROOT}:{ROOT / 'agents'}"} | env
    return subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, env=os.environ | more, check=False
    )


def test_help_is_instant() -> None:
    before = os.times()
    done = run("--help")
    after = os.times()

    assert after.children_user + after.children_system - before.children_user - before.children_system < 0.6
    assert done.returncode == 0
    for command in ("serve", "migrate", "seed", "chat", "doctor", "check", "audit", "keys", "tenants"):
        assert f"  {command} " in done.stdout


def test_wrong_use_is_exit_code_2() -> None:
    assert run("serve", "--port", "x").returncode == 2
    assert run("no-such-command").returncode == 2
    assert run("check", DATABASE_URL="postgresql://nobody@127.0.0.1/none").returncode == 2
