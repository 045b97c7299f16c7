"""The shop's letter box: what the emulated platform writes is heard as the server's door hears it, without a server."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import httpx

from engine.kit.errors import DomainError, Unauthenticated
from engine.runtime import Runtime
from engine.sync import connections, hearing
from engine.sync.models import System
from engine.workflows import listening

ADDRESS: Final = "http://127.0.0.1:9998/webhooks/sync"


@dataclass
class LetterBox(httpx.BaseTransport):
    runtime: Runtime
    tenant_id: str
    heard: Counter[str] = field(default_factory=Counter)
    """Topic → letters that were taken, the same one as often as it came."""
    refused: int = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        connection_id = request.url.path.rpartition("/")[2]
        try:
            with self.runtime.unit_of_work(self.tenant_id) as session:
                told, _ = hearing.hear(
                    session,
                    self.runtime,
                    self.tenant_id,
                    connection_id,
                    headers=dict(request.headers),
                    body=request.read(),
                )
                self.heard[told.topic] += 1
        except Unauthenticated:
            self.refused += 1
            return httpx.Response(401)
        except DomainError:
            return httpx.Response(422)
        return httpx.Response(200)


def subscribe(runtime: Runtime, tenant_id: str, line: httpx.BaseTransport | None) -> None:
    """As a person who presses the button: what is subscribed already stays."""
    with runtime.unit_of_work(tenant_id) as session:
        (shop,) = connections.listed(session, tenant_id, system=System.SHOPIFY)
    listening.listen(runtime, tenant_id, shop.id, actor="person", address=f"{ADDRESS}/{shop.id}", transport=line)
