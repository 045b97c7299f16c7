"""A command's way to the database: beside a running server, or with a server of its own for a moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from app.commands.outcome import say

if TYPE_CHECKING:
    from engine.db import Addresses
    from engine.runtime import Runtime
    from engine.settings import Settings


@contextmanager
def database(settings: Settings, *, start: bool) -> Iterator[Addresses]:
    """The database. With ``start`` an embedded one that is down runs for as long as this takes.

    Raises ``Unavailable`` when nothing answers.
    """
    from engine.db import open_addresses

    addresses = open_addresses(settings, start=start, progress=say)
    try:
        yield addresses
    finally:
        if start and addresses.embedded:
            addresses.embedded.stop()


@contextmanager
def runtime(settings: Settings, *, start: bool = False, migrated: bool = False) -> Iterator[Runtime]:
    """A runtime without search index or agents; ``migrated`` brings the schema up to date first."""
    from app.boot import bring_schema, close_runtime, open_runtime
    from engine.migrate import pending

    with database(settings, start=start) as addresses:
        if migrated and pending(addresses):  # a server beside us has done it, and works on
            bring_schema(addresses, say)
        opened = open_runtime(settings, addresses)
        try:
            yield opened
        finally:
            close_runtime(opened)
