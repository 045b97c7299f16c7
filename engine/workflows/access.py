"""What a workflow reaches the shop's systems by, in a run, a poll or where a delivery is read."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar, cast

import httpx

from engine.kit.errors import InvalidInput
from engine.runtime import Runtime
from engine.sync import canonical, connections, connectors
from engine.sync.client import PATIENCE
from engine.sync.models import Connection, ConnectionStatus, System
from engine.sync.port import Erp, Storefront, Unread, Warehouse
from engine.sync.recording import Recorder
from engine.workflows.settings import PipelineSettings

C = TypeVar("C")
Line = httpx.BaseTransport
"""What stands in for the network."""
OURS: Final = canonical.OURS
"""Instead of a connection's id: the storefront of our own orders."""


class NotConnected(InvalidInput):
    """The shop has no such system, or several and has not said which."""

    code = "not_connected"


@dataclass
class Wiring:
    """How connectors are opened: a test's network, the shadow, and how the client waits for room."""

    transport: Line | None = None
    shadow: Recorder | None = None
    patience: float = PATIENCE
    sleep: Callable[[float], None] = time.sleep


@dataclass
class Access:
    """The shop's systems. Connectors are opened when they are first asked for, and kept."""

    runtime: Runtime
    tenant_id: str
    settings: PipelineSettings
    wiring: Wiring = field(default_factory=Wiring)
    workflow_id: str = ""
    trace_id: str = ""
    asked: str | None = None
    """The connection that was asked for last."""
    _opened: dict[str, Any] = field(default_factory=dict, repr=False)
    _chosen: dict[tuple[System, ...], Connection] = field(default_factory=dict, repr=False)

    @property
    def outside(self) -> Runtime:
        """Whose limits, breaker and journal requests to systems go by."""
        return self.runtime

    def storefront(self, connection_id: str | None = None) -> Storefront:
        """The shop's platform; ``OURS`` is our own. Raises ``NotConnected``, ``NotFound``."""
        if connection_id == OURS:
            return self._keep(OURS, self._ours)
        which = connection_id or self.connection(*sorted(connectors.STOREFRONTS)).id
        return self._keep(which, lambda: connectors.storefront(self.outside, self.tenant_id, which, **self._how()))

    def erp(self, connection_id: str | None = None) -> Erp:
        """Raises ``NotConnected``, ``NotFound``."""
        which = connection_id or self.connection(*sorted(connectors.ERPS)).id
        return self._keep(which, lambda: connectors.erp(self.outside, self.tenant_id, which, **self._how()))

    def warehouse(self, connection_id: str | None = None) -> Warehouse:
        """Raises ``NotConnected``, ``NotFound``."""
        which = connection_id or self.connection(*sorted(connectors.WAREHOUSES)).id
        return self._keep(which, lambda: connectors.warehouse(self.outside, self.tenant_id, which, **self._how()))

    def connection(self, *systems: System) -> Connection:
        """The connection at any of ``systems``: the only one, or as the settings say; chosen once. Raises
        ``NotConnected``.
        """
        if systems not in self._chosen:
            self._chosen[systems] = self._choose(*systems)
        return self._chosen[systems]

    def _choose(self, *systems: System) -> Connection:
        for system in systems:
            if named := self.settings.connections.get(system):
                with self.outside.unit_of_work(self.tenant_id) as session:
                    return connections.get(session, self.tenant_id, named)
        there = self.connections(*systems)
        if len(there) == 1:
            return there[0]
        names = " or ".join(systems)
        if not there:
            raise NotConnected(f"This shop has no connection to {names}.")
        raise NotConnected(f"This shop has {len(there)} connections to {names}: its settings say which.")

    def connections(self, *systems: System) -> list[Connection]:
        """The connections at any of ``systems`` that are not closed."""
        with self.outside.unit_of_work(self.tenant_id) as session:
            rows = connections.listed(session, self.tenant_id)
        return [row for row in rows if row.system in systems and row.status != ConnectionStatus.CLOSED]

    def _keep(self, which: str, opening: Callable[[], C]) -> C:
        self.asked = None if which == OURS else which
        if which not in self._opened:
            self._opened[which] = opening()
        return cast("C", self._opened[which])

    def _how(self) -> dict[str, Any]:
        return {**vars(self.wiring), "workflow_id": self.workflow_id, "trace_id": self.trace_id}

    def _ours(self) -> Storefront:
        from importlib import import_module

        ours: Storefront = import_module("engine.workflows.ours").storefront(
            self.runtime, self.tenant_id, shadow=self.wiring.shadow
        )
        return ours


@dataclass
class Poll(Access):
    """One asking. ``cursor`` is where the last one got to: change it, and it is kept once what was yielded is begun."""

    cursor: dict[str, Any] = field(default_factory=dict)
    slot: datetime | None = None
    """The moment for which it is asked: the same for everybody, whoever asks and however late."""
    unread: list[Unread] = field(default_factory=list)
    """What its lists had that could not be read: each is told once, and holds the cursor until it can be, or a person
    lets it be.
    """
