"""The demo's haste: what has just begun is asked about at once, and less and less."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.demo_pipeline import HASTENED, DemoPipeline
from engine.kit import clock
from engine.workflows.models import CursorRow, RunRow
from tests.shop import Shop


@pytest.fixture
def demo(shop: Shop) -> DemoPipeline:
    nothing: Any = None
    return DemoPipeline(nothing, nothing, shop.runtime, "http://shop.example", tenant_id=shop.tenant.id)


@pytest.mark.parametrize(
    ("began", "asked", "is_due"),
    [
        (None, 60, False),
        (1, 1, True),
        (20, 1, False),
        (20, 2, True),
        (200, 19, False),
        (200, 20, True),
        (301, 60, False),
    ],
)
def test_the_longer_nothing_new_began_the_calmer_it_is(
    shop: Shop, demo: DemoPipeline, began: int | None, asked: int, is_due: bool
) -> None:
    with clock.stopped():
        now = clock.now()
        later = now + timedelta(minutes=5)
        with shop.uow() as session:
            kept = {"tenant_id": shop.tenant.id, "polled_at": now - timedelta(seconds=asked), "due_at": later}
            session.add_all(CursorRow(workflow=name, value={}, **kept) for name in (*HASTENED, "productsPull"))
            if began is not None:
                session.add(_run(shop, now - timedelta(seconds=began)))

        demo._hasten()

        with shop.uow() as session:
            due = {row.workflow: row.due_at for row in session.query(CursorRow)}
    assert due == dict.fromkeys(HASTENED, now if is_due else later) | {"productsPull": later}


def _run(shop: Shop, at: Any) -> RunRow:
    about = {"subject_kind": "order", "subject_ref": "#1", "payload": {}, "trigger": "test", "trace_id": ""}
    what = {"id": "r", "workflow": "w", "version": "1.0.0", "status": "queued", "mode": "live"}
    return RunRow(tenant_id=shop.tenant.id, created_at=at, **what, **about)
