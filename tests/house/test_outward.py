"""Addresses that somebody else named are called by one client; who else speaks HTTP is on this list with a reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.source import parsed

ROOT = Path(__file__).parents[2]
WAYS_OUT = {
    "httpx", "httpcore", "requests", "aiohttp", "urllib3", "urllib.request", "http.client", "socket", "websockets",
    "httpx2", "httpcore2", "ftplib", "telnetlib",
}  # fmt: skip
KNOWN = {
    "engine/kit/outward.py": "the one client",
    "engine/sync/transport.py": "lines to connected systems that are kept open, judged by the one client's rules",
    "engine/sync/exchange.py": "what goes over those lines",
    "engine/sync/client.py": "who asks for them",
    "engine/sync/trying.py": "may be given a line to test with",
    "engine/sync/connectors/__init__.py": "may be given a line to open a connector with",
    "engine/sync/products.py": "may be given a line to open connectors with",
    "engine/workflows/listening.py": "may be given a line to open connectors with",
    "engine/workflows/access.py": "may be given a line to open connectors with",
    "engine/sync/posting.py": "may be given a line to say it over",
    "engine/catalog/vectors.py": "Chroma's server, which the installation names (CHROMA_URL)",
    "app/commands/client.py": "the terminal, to the shop that its user names (ICOMMERCE_ENDPOINT)",
    "app/serve.py": "listens",
    "engine/sync/sandbox/serving.py": "listens on the loopback address",
    "engine/sync/sandbox/transport.py": "is a transport: what it is asked never leaves the process",
    "engine/sync/sandbox/hooks.py": "the emulated vendors' webhooks, to the loopback address alone",
    "app/bench_agents.py": "the benchmark's agents, to the server that it has just started",
}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def test_nothing_goes_around_the_one_way_out() -> None:
    found = {
        str(path.relative_to(ROOT))
        for room in ("engine", "app", "tools", "graph", "agents", "prompts")
        for path in (ROOT / room).rglob("*.py")
        if any(name in WAYS_OUT or name.split(".")[0] in WAYS_OUT for name in imported(path))
    }

    assert found == set(KNOWN)
