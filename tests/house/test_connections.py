"""Connections to PostgreSQL have a budget: a shop and its workers fit into the embedded server."""

from __future__ import annotations

import re
from pathlib import Path

from app import pipeline, worker
from engine import db
from engine.embedded import cluster
from engine.payments.gateways.sandbox import store
from engine.workflows import durable
from graph import checkpointer

PAGE = (Path(__file__).parents[2] / "docs/domains/workflows.md").read_text(encoding="utf-8")
OWNERS = 3
"""Kept free for the superuser by default."""


def test_a_shop_and_two_workers_fit_into_the_embedded_server() -> None:
    runs = pipeline.CONNECTIONS + pipeline.OVERFLOW + durable.POOL
    listening_and_its_lock = 2
    serve = 2 * db.POOL_SIZE + runs + store.POOL_SIZE + checkpointer.POOL_SIZE + listening_and_its_lock
    agent = 2 * worker.POOL_SIZE + runs + store.POOL_SIZE
    found = re.search(r"^max_connections = (\d+)$", cluster._SETTINGS, re.MULTILINE)
    assert found is not None
    assert serve + 2 * agent <= int(found[1]) - OWNERS
    assert f"at most {serve} of `serve`" in PAGE
    assert f"{agent} of `worker` or `agent run`" in PAGE
    assert f"server has {found[1]}, of which {OWNERS}" in PAGE
