"""What a turn asks of the database beside its model: counted, so that it does not grow unseen."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from graph.checkpointer import thread_key
from tests.graph.conftest import Running, Talk
from tests.scripted import Say, Script

MOST = 70
"""A turn of plain words took 86 statements before; 23 of them only forgot old checkpoints."""


def test_a_turn_of_words_stays_cheap(
    talk: Talk, script: Script, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []

    def ours(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        counted.append(statement)

    def watched(kept: Any) -> Any:
        async def execute(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
            counted.append(str(query))
            return await kept(self, query, *args, **kwargs)

        return execute

    async def go() -> None:
        async with running(talk, sweep_seconds=600):
            script.add(Say("Hello."), Say("Hello again."))
            await talk.say("hi")
            run = await asyncio.to_thread(talk.submit, message="hi again")
            event.listen(Engine, "before_cursor_execute", ours)
            for name in ("execute", "executemany"):
                monkeypatch.setattr(psycopg.AsyncCursor, name, watched(getattr(psycopg.AsyncCursor, name)))
            assert talk.runner is not None
            await talk.runner.settle(talk.shop.tenant.id, talk.thread_id)
            event.remove(Engine, "before_cursor_execute", ours)
            assert talk.run(run.id).status == "completed"

    asyncio.run(go())
    assert 20 < len(counted) <= MOST


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
