"""A shop with a shop system, an ERP and a warehouse, and runs between them as the rows of real ones are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict
from sqlalchemy import update

from engine.kit import clock
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync import connections, exceptions
from engine.sync.errors import FieldFault, Rejected, SyncError
from engine.sync.models import UNDER_WAY, Call, CallMode, Connection, System
from engine.sync.work_models import ExceptionRow
from engine.workflows.definition import Workflow
from engine.workflows.models import RunMode, RunRow, RunStatus, StepRow, StepStatus
from engine.workflows.run import Run

SECRETS: dict[System, dict[str, str]] = {
    System.SHOPIFY: {"access_token": "shpat_0123456789abcdef", "webhook_secret": "whsec_fedcba9876543210"},
    System.NETSUITE: {"private_key": "-----BEGIN PRIVATE KEY-----"},
    System.DCL: {"password": "dcl-password-1"},
}


class Level(NamedTuple):
    sku: str
    location: str
    available: int
    on_hand: int | None = None


class OrderPayload(BaseModel):
    """What the played workflow takes."""

    model_config = ConfigDict(extra="forbid")

    source_id: str
    sku: str = "TENT-1"


def _nothing(run: Run, payload: OrderPayload) -> dict[str, Any]:
    return {"source_id": payload.source_id, "run": run.id}


ORDERS = Workflow(
    name="shopifyToNetsuite",
    version="1.0.0",
    payload=OrderPayload,
    key=lambda payload: f"shop:{payload.source_id}",
    subject=lambda payload: ("order", f"#{payload.source_id}"),
    body=_nothing,
    systems=(System.SHOPIFY, System.NETSUITE),
)
PLACE = "tests.engine.operations.pipeline_scene:ORDERS"


@dataclass
class Pipeline:
    """What tests put into the rows that workflows write."""

    runtime: Runtime
    tenant: Tenant
    systems: dict[System, Connection] = field(default_factory=dict)

    def uow(self) -> Any:
        return self.runtime.unit_of_work(self.tenant.id)

    def connect(self, *systems: System) -> None:
        for system in systems:
            with self.uow() as session:
                self.systems[system] = connections.connect(
                    session,
                    self.runtime,
                    self.tenant.id,
                    actor="key_test",
                    system=system,
                    name="Main",
                    base_url=f"https://{system}.example.com",
                    settings={},
                    secrets_given=SECRETS[system],
                )

    def run(
        self,
        number: int,
        status: RunStatus = RunStatus.DONE,
        *,
        workflow: str = "shopifyToNetsuite",
        ago: timedelta = timedelta(),
        steps: Iterable[tuple[str, StepStatus]] = (),
        calls: Iterable[tuple[System, str, str, int | None, str]] = (),
        **more: Any,
    ) -> str:
        """A run of order ``#number``; its steps a second apart, with the calls all in the last of them."""
        run_id = f"{self.tenant.id}:{workflow}:shop:{number}"
        at = clock.now() - ago
        over = status in {RunStatus.DONE, RunStatus.FAILED, RunStatus.CANCELED}
        usual: dict[str, Any] = {
            "id": run_id,
            "workflow": workflow,
            "version": "1.0.0",
            "mode": RunMode.LIVE,
            "status": status,
            "subject_kind": "order",
            "subject_ref": f"#{number}",
            "payload": {"source_id": str(number), "sku": "TENT-1"},
            "trigger": "poll",
            "next_try_at": at + timedelta(minutes=12) if status == RunStatus.WAITING else None,
            "error_code": "vendor_rejected" if status == RunStatus.FAILED else "",
            "created_at": at,
            "started_at": at,
            "ended_at": at if over else None,
        }
        named = list(steps)
        with self.uow() as session:
            session.add(RunRow(tenant_id=self.tenant.id, **(usual | more)))
            session.flush()
            for place, (name, state) in enumerate(named, 1):
                session.add(self._step(run_id, place, name, state, at))
            for place, call in enumerate(calls):
                session.add(self._call(run_id, at + timedelta(seconds=len(named), milliseconds=place), *call))
        return run_id

    def stopped(
        self, number: int, error: SyncError | None = None, *, workflow: str = ORDERS.name, **more: Any
    ) -> ExceptionRow:
        """A run that stopped, and its place in the queue."""
        fault = FieldFault("item.items.0.item", "TENT-1 is unknown")
        why = error or Rejected(f"There is no item 'TENT-{number}'.", fields=[fault])
        said = {"error_code": why.code, "error": why.message, "step": "items"}
        run_id = self.run(number, RunStatus.FAILED, workflow=workflow, **said, **more)
        with self.uow() as session:
            return exceptions.put(
                session,
                self.tenant.id,
                workflow=workflow,
                workflow_id=run_id,
                subject=f"order #{number}",
                error=why,
                payload={"source_id": str(number), "sku": "TENT-1"},
                step="items",
            )

    def set_step(self, run_id: str, place: int, **values: Any) -> None:
        with self.uow() as session:
            session.execute(update(StepRow).where(StepRow.run_id == run_id, StepRow.place == place).values(**values))

    def _step(self, run_id: str, place: int, name: str, state: StepStatus, at: datetime) -> StepRow:
        begun = at + timedelta(seconds=place)
        over = state in {StepStatus.DONE, StepStatus.FAILED}
        return StepRow(
            tenant_id=self.tenant.id,
            run_id=run_id,
            turn=1,
            place=place,
            name=name,
            status=state,
            started_at=begun,
            ended_at=begun if over else None,
            next_try_at=at + timedelta(minutes=12) if state == StepStatus.WAITING else None,
            attempts=3 if state in {StepStatus.WAITING, StepStatus.FAILED} else 1,
            error="Service unavailable" if state in {StepStatus.WAITING, StepStatus.FAILED} else "",
        )

    def _call(
        self, run_id: str, at: datetime, system: System, method: str, path: str, answer: int | None, outcome: str
    ) -> Call:
        return Call(
            tenant_id=self.tenant.id,
            connection_id=self.systems[system].id,
            mode=CallMode.LIVE,
            at=at,
            method=method,
            path=path,
            reads=method == "GET",
            request='{"body":{"sku":"TENT-1"}}',
            response='{"ok":true}' if outcome != UNDER_WAY else "",
            answer=answer,
            outcome=outcome,
            took_ms=120,
            fingerprint="0" * 64,
            workflow_id=run_id,
        )
