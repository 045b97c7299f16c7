"""What ``/v1/threads`` takes and gives beside the engine's own views."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from engine.kit.views import View


class NewThread(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant: Annotated[str, Field(min_length=1, max_length=80, pattern="^[a-z0-9-]+$")] | None = None
    """Slug of a shop; in demo mode alone."""


class ThreadView(View):
    id: str
    mode: str
    tenant: str
    """Slug of the shop."""


class RunAccepted(View):
    run_id: str
