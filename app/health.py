"""Liveness, readiness and figures."""

from __future__ import annotations

from typing import Final

import anyio.to_thread
import structlog
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import DBAPIError

from app.metrics import REGISTRY
from app.pipeline_metrics import STANDING
from app.routing import SiteDep
from app.site import Site

log = structlog.get_logger(__name__)
router: Final = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(site: SiteDep) -> JSONResponse:
    """200 once migrated, seeded and indexed; 503 with the present step before that."""
    if site.ready and not site.closing:
        return JSONResponse({"status": "ready"} | _mail(site))
    status = {"status": "closing" if site.closing else "starting", "step": site.step}
    return JSONResponse(status, 503, headers={"Retry-After": "1"})


def _mail(site: Site) -> dict[str, str]:
    """Word of letters that go nowhere: no mail server is set, and this is no demo."""
    runtime = site.runtime
    return {} if runtime.mailer is not None or runtime.demo else {"mail": "not_set"}


@router.get("/metrics")
async def metrics(site: SiteDep) -> Response:
    """Prometheus text. How the pipeline stands is asked of the store, where it is open, four times a minute at most."""
    if site.opened is not None:
        try:
            await anyio.to_thread.run_sync(STANDING.refresh, site.opened)
        except DBAPIError:
            log.warning("the store was not asked for figures", exc_info=True)
    return Response(generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})
