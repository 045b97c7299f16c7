"""A runtime that tries what is written and keeps nothing of it: for the body of a run in the shadow. What is ours is
shown as it was before the live run that it is a replay of.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy.orm import Session

from engine.db import Store
from engine.runtime import Runtime
from engine.workflows.lived import Lived


class DryStore(Store):
    """Another store's connections; its units of work are taken back when they end."""

    def __init__(self, store: Store, lived: Lived) -> None:  # it opens nothing of its own
        self._lived = lived
        self.url, self.engine, self._sessions = store.url, store.engine, store._sessions  # noqa: SLF001 (of its own kind)

    @contextmanager
    def unit_of_work(self, tenant_id: str, *, snapshot: bool = False, keyed: bool = False) -> Iterator[Session]:
        with super().unit_of_work(tenant_id, snapshot=snapshot, keyed=keyed) as session:
            self._lived.take_back(session)
            yield session
            session.flush()
            session.expunge_all()  # what was read stays readable, as after a commit
            session.rollback()


def dry(runtime: Runtime, lived: Lived) -> Runtime:
    return replace(runtime, store=DryStore(runtime.store, lived))
