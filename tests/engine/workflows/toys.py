"""Small workflows whose systems are lists in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from pydantic import BaseModel

from engine.workflows import registry
from engine.workflows.definition import Workflow
from engine.workflows.run import Run


class Toy(BaseModel):
    ref: str
    note: str = ""


def toy(body: Callable[[Run, Toy], dict[str, Any]], *, name: str = "toy", version: str = "1.0.0") -> Workflow[Toy]:
    return Workflow(
        name=name,
        version=version,
        payload=Toy,
        key=lambda payload: payload.ref,
        subject=lambda payload: ("order", payload.ref),
        body=body,
    )


@contextmanager
def registered(*workflows: Workflow[Any]) -> Iterator[None]:
    """These are all there are."""
    known = {one.name: f"toys:{one.name}" for one in workflows}
    loaded = {f"toys:{one.name}": one for one in workflows}
    with patch.dict(registry.WORKFLOWS, known, clear=True), patch.object(registry, "_load", loaded.__getitem__):
        yield
