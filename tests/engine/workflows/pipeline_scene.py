"""A shop of the demo with accounts at emulated vendors, for workflows that are rehearsed against them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from engine.kit import clock
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync.models import System
from engine.sync.sandbox import World
from engine.sync.sandbox.faults import Rule
from engine.sync.sandbox.merchants import Merchant
from engine.sync.sandbox.netsuite.state import Record
from engine.sync.sandbox.presets import read_goods
from engine.sync.work_models import ExceptionRow
from engine.workflows.access import Access, Poll, Wiring
from engine.workflows.definition import Workflow
from engine.workflows.rehearsal import Rehearsal, rehearse
from engine.workflows.settings import Location, PipelineSettings
from tests.contracts.connectors import bench

SYSTEMS = (System.SHOPIFY, System.NETSUITE)


@dataclass
class Pipeline:
    runtime: Runtime
    tenant: Tenant
    world: World
    hands: clock.OwnClock
    connections: dict[System, str] = field(default_factory=dict)

    @property
    def merchant(self) -> Merchant:
        return self.world.merchants[0]

    @property
    def settings(self) -> PipelineSettings:
        return PipelineSettings(locations=tuple(self.places()), default_location=self.erp_place("RNO"))

    def uow(self) -> Any:
        return self.runtime.unit_of_work(self.tenant.id)

    def connect(self) -> None:
        for system in SYSTEMS:
            self.connections[system] = bench.connect(self.runtime, self.tenant.id, system, self.merchant.credentials)

    def erp_place(self, code: str) -> str:
        return str(self.merchant.account.external["location", code])

    def shop_place(self, code: str) -> str:
        name = next(row["name"] for row in read_goods().locations if row["code"] == code)
        return next(str(one.id) for one in self.merchant.shop.state.locations.values() if one.name == name)

    def places(self) -> list[Location]:
        """Every place, by its name in the ERP and its number in the shop."""
        codes = [row["code"] for row in read_goods().locations]
        return [Location(erp=code, storefront=self.shop_place(code)) for code in codes]

    def play(self, workflow: Workflow[Any], payload: BaseModel, **how: Any) -> Rehearsal:
        usual = {
            "transport": bench.line_to(self.world),
            "settings": self.settings,
            "hands": self.hands,
        }
        return rehearse(self.runtime, self.tenant.id, workflow, payload, **(usual | how))

    def put(self, system: str, kind: str, **fields: Any) -> Rule:
        rule = Rule.model_validate({"id": f"{system}-{kind}", "system": system, "kind": kind} | fields)
        self.world.ground.faults.put(rule)
        return rule

    def wiring(self) -> Wiring:
        from datetime import timedelta

        wait = lambda seconds: self.hands.move(timedelta(seconds=seconds))  # noqa: E731 (a wait that passes)
        return Wiring(transport=bench.line_to(self.world), patience=60.0, sleep=wait)

    def access(self) -> Access:
        return Access(self.runtime, self.tenant.id, self.settings, self.wiring())

    def poll(self, **more: Any) -> Poll:
        return Poll(self.runtime, self.tenant.id, self.settings, self.wiring(), **more)

    def records(self, kind: str) -> list[Record]:
        return list(self.merchant.account.kind(kind).values())

    def exceptions(self) -> list[ExceptionRow]:
        with self.uow() as session:
            return list(session.query(ExceptionRow).order_by(ExceptionRow.id))

    def requests(self, system: str) -> list[Any]:
        return list(self.world.ground.journal.entries(system=system))
