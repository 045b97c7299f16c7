"""What a workflow is: one value per workflow, named in ``engine.workflows.registry``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from engine.sync.models import System
from engine.sync.work_models import Delivery
from engine.workflows.access import Access, Poll
from engine.workflows.run import Run

P = TypeVar("P", bound=BaseModel)


@dataclass(frozen=True)
class Workflow(Generic[P]):
    """``body`` is replayed from its top after a crash or a long wait: outside of steps it decides by its payload, its
    settings and results of steps alone, and writes nothing.
    """

    name: str
    version: str
    """Semantic: under one major number a run that began with one version goes on with another."""
    payload: type[P]
    """What the endpoint, the command line, a poll or a delivery brings; small, and nothing secret."""
    key: Callable[[P], str]
    """The business key: the run is ``{tenant}:{name}:{key}``, and there is one of it."""
    subject: Callable[[P], tuple[str, str]]
    """The business object of the operations page: ``("order", "#1071")``."""
    body: Callable[[Run, P], dict[str, Any]]
    """Returns a small JSON result."""
    systems: tuple[System, ...] = ()
    """Connections it needs."""
    hears: tuple[tuple[System, str], ...] = ()
    """Deliveries that begin it: system and topic."""
    from_delivery: Callable[[Access, Delivery], Iterable[P]] | None = None
    """What a delivery brings, each a run of its own; nothing where it is none of ours."""
    poll: Callable[[Poll], Iterable[P]] | None = None
    """Asks systems what is to be done. What it yields is begun, then its cursor is kept."""
    every_seconds: int | None = None
    """How often ``poll`` is asked."""
    offset_seconds: int = 0
    """How long after the full interval."""
    alone: bool = False
    """One run of a shop at a time: another would take what this one changes for somebody else's doing."""
    looks_again: bool = False
    """What a run of it passed over is begun anew when a poll finds it still or again: the reason may have been of then.
    """
    undo: Mapping[str, str] = field(default_factory=dict)
    """Step → what takes it back, in words: for the documentation, and held against what the body registers."""
