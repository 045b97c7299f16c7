"""A terminal's way to the pipeline: over HTTP with a key, or straight into the database beside the shop.

The key is read from ``ICOMMERCE_KEY`` and kept nowhere.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from engine.runtime import Runtime

KEY: Final = "ICOMMERCE_KEY"


class Desk(Protocol):
    """What ``icommerce run`` and ``icommerce runs`` ask. Answers are what the HTTP API answers."""

    def begin(self, workflow: str, payload: dict[str, Any]) -> dict[str, Any]: ...

    def dry_run(self, workflow: str, payload: dict[str, Any]) -> dict[str, Any]: ...

    def show(self, run_id: str) -> dict[str, Any]: ...

    def listed(self, **wanted: Any) -> dict[str, Any]: ...

    def retry(self, run_id: str) -> dict[str, Any]: ...

    def cancel(self, run_id: str, reason: str) -> dict[str, Any]: ...


@contextmanager
def desk(endpoint: str | None, tenant: str | None) -> Iterator[Desk]:
    """``tenant`` (a slug) is the shop in the database beside us; without it the endpoint is asked, with a key."""
    from engine.kit.errors import InvalidInput
    from engine.settings import Settings

    settings = Settings.from_env()
    if tenant is not None and endpoint is None:
        from app.commands.opened import runtime
        from app.commands.tenants import shop_id

        with runtime(settings) as opened:
            yield _Beside(opened, shop_id(opened, tenant))
        return
    key = os.environ.get(KEY, "")
    if not key:
        raise InvalidInput(f"Set {KEY} to a key with the ops scope, or name a shop of this database by --tenant.")
    yield _Remote(endpoint or settings.endpoint, key)


class _Beside:
    def __init__(self, runtime: Runtime, tenant_id: str) -> None:
        self._runtime, self._tenant_id = runtime, tenant_id

    def begin(self, workflow: str, payload: dict[str, Any]) -> dict[str, Any]:
        from engine.kit.errors import Conflict
        from engine.workflows import pipeline, starting

        starting.wanted(self._tenant_id, workflow, payload)
        with self._runtime.unit_of_work(self._tenant_id) as session:
            if workflow not in pipeline.switched_on(session, self._tenant_id):
                raise Conflict(f"{workflow} is switched off in this shop.")
            run_id, is_new = starting.begin(session, self._tenant_id, workflow, payload, trigger="cli")
        return {"workflow_id": run_id, "is_new": is_new}

    def dry_run(self, workflow: str, payload: dict[str, Any]) -> dict[str, Any]:
        from engine.workflows.shadow import dry_run

        return dry_run(self._runtime, self._tenant_id, workflow, payload).model_dump(mode="json")

    def show(self, run_id: str) -> dict[str, Any]:
        from engine.operations.pipeline import runs
        from engine.workflows import starting

        with self._runtime.unit_of_work(self._tenant_id) as session:
            row = starting.get(session, self._tenant_id, run_id)
            return runs.in_full(session, self._tenant_id, row).model_dump(mode="json")

    def listed(self, **wanted: Any) -> dict[str, Any]:
        from engine.operations.pipeline import runs
        from engine.workflows import starting
        from engine.workflows.models import RunStatus

        status = [RunStatus(wanted["status"])] if wanted.get("status") else ()
        with self._runtime.unit_of_work(self._tenant_id) as session:
            page = starting.listed(
                session,
                self._tenant_id,
                status=status,
                workflow=wanted.get("workflow"),
                retrying=bool(wanted.get("retrying")),
                limit=wanted["limit"],
                cursor=wanted.get("cursor"),
            )
            items = [runs.shown(row).model_dump(mode="json") for row in page.items]
        return {"items": items, "next_cursor": page.next_cursor}

    def retry(self, run_id: str) -> dict[str, Any]:
        from engine.operations.pipeline import runs

        with self._runtime.unit_of_work(self._tenant_id) as session:
            return runs.shown(runs.retry(session, self._tenant_id, run_id, actor="cli")).model_dump(mode="json")

    def cancel(self, run_id: str, reason: str) -> dict[str, Any]:
        from engine.operations.pipeline import runs
        from engine.workflows import starting

        with self._runtime.unit_of_work(self._tenant_id) as session:
            row = starting.cancel(session, self._tenant_id, run_id, actor="cli", reason=reason)
            return runs.shown(row).model_dump(mode="json")


class _Remote:
    def __init__(self, endpoint: str, key: str) -> None:
        from app.commands.client import Api

        self._api = Api(endpoint, key)

    def begin(self, workflow: str, payload: dict[str, Any]) -> dict[str, Any]:
        return self._api.post(f"/v1/ops/workflows/{workflow}/runs", {"payload": payload}, key=uuid.uuid4().hex)

    def dry_run(self, workflow: str, payload: dict[str, Any]) -> dict[str, Any]:
        path = f"/v1/ops/workflows/{workflow}/runs?dry_run=true"
        return self._api.post(path, {"payload": payload}, key=uuid.uuid4().hex)

    def show(self, run_id: str) -> dict[str, Any]:
        return self._api.get("/v1/ops/run", id=run_id)

    def listed(self, **wanted: Any) -> dict[str, Any]:
        return self._api.get("/v1/ops/runs", **{name: value for name, value in wanted.items() if value is not None})

    def retry(self, run_id: str) -> dict[str, Any]:
        return self._api.post("/v1/ops/run/retry", {"id": run_id}, key=uuid.uuid4().hex)

    def cancel(self, run_id: str, reason: str) -> dict[str, Any]:
        return self._api.post("/v1/ops/run/cancel", {"id": run_id, "reason": reason}, key=uuid.uuid4().hex)
