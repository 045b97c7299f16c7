"""The event stream: the backlog first, then what comes, resumed anywhere, ended by the server's end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from app.chat import stream
from app.site import Site
from engine.conversations import events, log, service
from engine.conversations.schemas import RunInput
from engine.kit.errors import NotFound
from engine.kit.identity import Identity
from engine.kit.tenancy import Tenant
from tests.shop import Shop


def start(shop: Shop) -> tuple[Identity, str]:
    identity = shop.shopper()
    with shop.uow() as session:
        return identity, service.create_thread(session, identity).id


def say(shop: Shop, identity: Identity, thread_id: str, words: str) -> None:
    with shop.uow() as session:
        service.submit(session, identity, thread_id, RunInput(message=words))


async def opened(site: Site, identity: Identity, thread_id: str, after: int = 0) -> AsyncIterator[bytes]:
    return stream.follow(site, identity, thread_id, after, await stream.read(site, identity, thread_id, after))


async def until(frames: AsyncIterator[bytes], wanted: int) -> list[tuple[int, dict]]:
    """Read events until ``wanted`` came."""
    found: list[tuple[int, dict]] = []
    while len(found) < wanted:
        text = (await asyncio.wait_for(anext(frames), 60)).decode()
        for block in text.split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
            if "data" in fields:
                found.append((int(fields["id"]), json.loads(fields["data"])))
    return found


def test_the_backlog_comes_first_and_news_within_moments(site: Site, shop: Shop) -> None:
    identity, thread_id = start(shop)
    say(shop, identity, thread_id, "one")

    async def scenario() -> None:
        await site.live.start()
        frames = await opened(site, identity, thread_id)
        old = await until(frames, 3)
        assert [seq for seq, _ in old] == [1, 2, 3]
        assert old[1][1]["delta"] == "one"
        waiting = asyncio.create_task(until(frames, 3))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(say, shop, identity, thread_id, "two")
        assert [seq for seq, _ in await waiting] == [4, 5, 6]
        await site.live.stop()

    asyncio.run(scenario())


def test_it_goes_on_after_the_last_number_seen(site: Site, shop: Shop) -> None:
    identity, thread_id = start(shop)
    say(shop, identity, thread_id, "one")
    say(shop, identity, thread_id, "two")

    async def scenario() -> list[int]:
        return [seq for seq, _ in await until(await opened(site, identity, thread_id, 4), 2)]

    assert asyncio.run(scenario()) == [5, 6]


def test_a_long_backlog_comes_in_pages_whole_and_in_order(site: Site, shop: Shop, monkeypatch) -> None:
    monkeypatch.setattr(stream, "PAGE", 10)
    identity, thread_id = start(shop)
    with shop.uow() as session:
        many = [events.custom("note", {"n": n}) for n in range(57)]
        log.append(session, shop.tenant.id, thread_id, None, many)

    async def scenario() -> list[int]:
        return [seq for seq, _ in await until(await opened(site, identity, thread_id), 57)]

    assert asyncio.run(scenario()) == list(range(1, 58))


def test_news_comes_without_the_bell_too(site: Site, shop: Shop) -> None:
    """The listening connection is down: readers look for themselves."""
    identity, thread_id = start(shop)

    async def scenario() -> list[int]:
        frames = await opened(site, identity, thread_id)
        waiting = asyncio.create_task(until(frames, 3))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(say, shop, identity, thread_id, "hello")
        return [seq for seq, _ in await waiting]

    assert asyncio.run(scenario()) == [1, 2, 3]


def test_what_is_for_staff_does_not_reach_the_shopper(site: Site, shop: Shop) -> None:
    identity, thread_id = start(shop)
    with shop.uow() as session:
        seen, hidden = events.custom("seen", {}), events.step_started("secret-step")
        log.append(session, shop.tenant.id, thread_id, None, [hidden, seen, hidden])

    async def scenario() -> list[tuple[int, dict]]:
        return list(await stream.read(site, identity, thread_id, 0))

    assert [seq for seq, _ in asyncio.run(scenario())] == [2]


def test_a_stream_ends_with_the_server(site: Site, shop: Shop) -> None:
    identity, thread_id = start(shop)

    async def scenario() -> None:
        frames = await opened(site, identity, thread_id)
        assert await anext(frames) == b"retry: 1000\n\n"
        ending = asyncio.create_task(anext(frames))
        await asyncio.sleep(0.1)
        site.live.close()
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(ending, 60)
        assert site.live.listeners == 0

    asyncio.run(scenario())


def test_a_stream_ends_with_its_shop(site: Site, shop: Shop) -> None:
    identity, thread_id = start(shop)

    async def scenario() -> None:
        frames = await opened(site, identity, thread_id)
        assert await anext(frames) == b"retry: 1000\n\n"
        with shop.runtime.store.without_tenant() as session:
            session.get_one(Tenant, shop.tenant.id).status = "suspended"
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(anext(frames), 60)

    asyncio.run(scenario())


def test_silence_is_broken_by_comments(site: Site, shop: Shop, monkeypatch) -> None:
    monkeypatch.setattr(stream, "KEEP_ALIVE_SECONDS", 0.2)
    identity, thread_id = start(shop)

    async def scenario() -> bytes:
        frames = await opened(site, identity, thread_id)
        await anext(frames)
        return await asyncio.wait_for(anext(frames), 60)

    assert asyncio.run(scenario()) == b": keep-alive\n\n"


def test_a_strangers_thread_is_not_found_before_the_stream_begins(site: Site, shop: Shop) -> None:
    _owner, thread_id = start(shop)

    with pytest.raises(NotFound):
        asyncio.run(stream.read(site, shop.shopper(), thread_id, 0))
