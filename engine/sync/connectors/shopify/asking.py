"""One document sent, one answer read; and lists, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeVar

import structlog
from pydantic import BaseModel

from engine.sync.client import VendorClient
from engine.sync.connectors.shopify.dialect import PATH, VERSION
from engine.sync.connectors.shopify.documents import Operation
from engine.sync.connectors.shopify.reading import checked
from engine.sync.connectors.shopify.wire import PageInfo
from engine.sync.errors import RateLimited, Rejected

log = structlog.get_logger(__name__)
M = TypeVar("M", bound=BaseModel)
_MOST_PAGES: Final = 10_000
_LONGEST: Final = 60.0
"""Seconds that a list waits for the room of one page."""


class Asker:
    """Sends the connector's documents through its client."""

    def __init__(self, client: VendorClient) -> None:
        self._client = client

    def ask(self, operation: Operation, *, idempotency_key: str | None = None, **variables: Any) -> Any:
        """What the operation's root field answered; nothing where there is none, and of what a shadow wrote down.

        Raises ``engine.sync.errors``. The document itself carries the key; said here it is known to be repeatable.
        """
        reply = self._client.request(
            "POST",
            PATH,
            json={"query": operation.text, "variables": dict(operation.sizes) | variables},
            cost=operation.cost,
            reads=operation.reads,
            repeatable=operation.repeatable or None,
            idempotency_key=idempotency_key,
            in_full=operation.in_full,
        )
        served = reply.headers.get("x-shopify-api-version", VERSION)
        if served != VERSION:
            log.warning("another version answers", asked=VERSION, served=served, connection=self._client.connection_id)
        data = reply.data.get("data") if isinstance(reply.data, dict) else None
        return data.get(operation.root) if isinstance(data, dict) else None

    def pages(self, operation: Operation, **variables: Any) -> Iterator[Any]:
        """The nodes of a list, as they are on the wire, until it ends."""
        after: str | None = None
        for _ in range(_MOST_PAGES):
            page = self._waiting(operation, after=after, **variables)
            yield from _nodes(page, operation.root)
            after = following(page, operation.root)
            if after is None:
                return
        raise Rejected("The shop's list does not end.")

    def _waiting(self, operation: Operation, **variables: Any) -> Any:
        """A page, waited for: who is turned away in the middle of a list would have to begin it again."""
        waited = 0.0
        while True:
            try:
                return self.ask(operation, **variables)
            except RateLimited as limited:
                waited += limited.retry_after
                if waited > _LONGEST:
                    raise
                self._client.rest(limited.retry_after)


def _nodes(page: Any, at: str) -> list[Any]:
    nodes = page.get("nodes") if isinstance(page, dict) else None
    if not isinstance(nodes, list):
        raise Rejected(f"The shop answered no list of {at}.")
    return nodes


def following(page: Any, at: str) -> str | None:
    """The cursor of the next page; ``None`` at the end. Raises ``Rejected`` for a page that says neither."""
    info = checked(PageInfo, page.get("pageInfo"), at=f"{at}.pageInfo")
    if info.has_next_page and not info.end_cursor:
        raise Rejected(f"The shop says that {at} go on, and not where.")
    return info.end_cursor if info.has_next_page else None
