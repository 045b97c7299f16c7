"""What a turn asks of the database beside its model: counted, so that it does not grow unseen."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from engine import db
from engine.kit import direct
from graph import emitter
from graph.checkpointer import Pool, keep_newest, thread_key
from tests.graph.conftest import Running, Talk
from tests.scripted import Say, Script

OURS = 12
"""Five transactions: the claim, what the agent is told, the words, the open cards, the end."""
COMMITS = 5
GRAPHS = 4
"""The checkpoint read and written, and old ones forgotten."""


@dataclass
class Counted:
    """The statements of our own transactions and how many there were, and the statements of the graph's saver."""

    ours: list[str] = field(default_factory=list)
    commits: int = 0
    graphs: list[str] = field(default_factory=list)

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        bind, depart = db.begin_bound, direct._Trip.depart
        event.listen(Engine, "before_cursor_execute", self._ours)
        event.listen(Engine, "commit", self._committed)

        def bound(*args: Any) -> bool:
            self.ours.append("BIND")
            return bind(*args)

        def trip(one: Any) -> None:
            self.ours.extend(statement.text for statement, *_ in one.packed)
            self.commits += 1
            depart(one)

        monkeypatch.setattr(db, "begin_bound", bound)
        monkeypatch.setattr(direct._Trip, "depart", trip)
        for name in ("execute", "executemany"):
            monkeypatch.setattr(psycopg.AsyncCursor, name, self._noted(getattr(psycopg.AsyncCursor, name)))

    def leave(self) -> None:
        event.remove(Engine, "before_cursor_execute", self._ours)
        event.remove(Engine, "commit", self._committed)

    def _ours(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        self.ours.append(statement)

    def _committed(self, _connection: Any) -> None:
        self.commits += 1

    def _noted(self, kept: Any) -> Any:
        async def execute(cursor: Any, query: Any, *args: Any, **more: Any) -> Any:
            self.graphs.append(str(query))
            return await kept(cursor, query, *args, **more)

        return execute


def test_a_turn_of_words_stays_cheap(
    talk: Talk, script: Script, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emitter, "PAUSE_SECONDS", 3600)
    counted = Counted()

    async def go() -> None:
        async with running(talk, sweep_seconds=600):
            script.add(Say("Hello."), Say("Hello again."))
            await talk.say("hi")
            run = await asyncio.to_thread(talk.submit, message="hi again")
            with monkeypatch.context() as watching:
                counted.watch(watching)
                assert talk.runner is not None
                await talk.runner.settle(talk.shop.tenant.id, talk.thread_id)
                counted.leave()
            assert talk.run(run.id).status == "completed"

    asyncio.run(go())
    assert (counted.commits, len(counted.ours)) == (COMMITS, OURS), "\n\n".join(counted.ours)
    assert 0 < len(counted.graphs) <= GRAPHS


def test_only_the_newest_checkpoint_is_kept(talk: Talk, script: Script, running: Running, graph_dsn: str) -> None:
    async def go() -> None:
        async with running(talk):
            script.add(Say("Hello."), Say("Hello again."))
            await talk.say("hi")
            await talk.say("hi again")

    asyncio.run(go())
    key = thread_key(talk.shop.tenant.id, talk.thread_id)
    with psycopg.connect(graph_dsn) as connection:
        steps = connection.execute(
            "SELECT parent_checkpoint_id, checkpoint -> 'channel_versions' FROM graph.checkpoints WHERE thread_id = %s",
            [key],
        ).fetchall()
        values = connection.execute(
            "SELECT channel, version FROM graph.checkpoint_blobs WHERE thread_id = %s", [key]
        ).fetchall()
    [(parent, versions)] = steps
    assert parent is None
    assert len(values) == len(dict(values))
    assert all(versions[channel] == version for channel, version in values)
    assert "history" in dict(values)


def test_what_another_worker_writes_in_this_moment_is_not_forgotten(
    talk: Talk, script: Script, running: Running, graph_dsn: str
) -> None:
    key = thread_key(talk.shop.tenant.id, talk.thread_id)
    newer = "f" * 36

    async def go() -> None:
        async with running(talk):
            script.add(Say("Hello."))
            await talk.say("hi")
            with psycopg.connect(graph_dsn) as connection:
                connection.execute(
                    "INSERT INTO graph.checkpoint_blobs SELECT thread_id, checkpoint_ns, channel, %s, type, blob"
                    " FROM graph.checkpoint_blobs WHERE thread_id = %s AND channel = 'history'",
                    ["9" * 32, key],
                )
                connection.execute(
                    "INSERT INTO graph.checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path,"
                    " idx, channel, type, blob) VALUES (%s, '', %s, 't', '', 0, 'history', 'null', '')",
                    [key, newer],
                )
            await keep_newest(running_pool(talk), key)

    asyncio.run(go())
    with psycopg.connect(graph_dsn) as connection:
        blobs = connection.execute(
            "SELECT version FROM graph.checkpoint_blobs WHERE thread_id = %s AND channel = 'history'", [key]
        ).fetchall()
        writes = connection.execute(
            "SELECT checkpoint_id FROM graph.checkpoint_writes WHERE thread_id = %s", [key]
        ).fetchall()
    assert ("9" * 32,) in blobs
    assert len(blobs) == 2
    assert (newer,) in writes


def running_pool(talk: Talk) -> Pool:
    assert talk.runner is not None
    return talk.runner._pool
