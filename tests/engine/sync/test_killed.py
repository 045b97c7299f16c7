"""kill -9 around a request: the permit ends with its lease, and the journal says what may have been sent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from engine.kit import clock, faults
from engine.sync.errors import RateLimited
from engine.sync.limits import LimitPolicy
from engine.sync.models import UNDER_WAY, LimitKind
from tests.engine.sync import killed
from tests.engine.sync.scene import connect
from tests.receiver import receiving

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("point", faults.SYNC_POINTS)
def test_a_killed_process_holds_its_place_for_as_long_as_its_lease(runtime, tenant, addresses, point: str) -> None:
    with receiving() as there:
        one = LimitPolicy(LimitKind.CONCURRENCY, max_in_flight=1)
        scene = connect(runtime, tenant, base_url=there.url, limit=one)
        words = [addresses.runtime, addresses.secret_key.hex(), tenant.id, scene.connection.id, point]
        env = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'agents'}"}
        done = subprocess.run([sys.executable, killed.__file__, *words], env=env, timeout=90, check=False)
        assert done.returncode == -signal.SIGKILL
        assert len(there.heard) == (point == "sync_after_call")

    (permit,), (call,) = scene.permits(), scene.calls()
    assert (call.outcome, call.answer, call.method, call.path) == (UNDER_WAY, None, "POST", "/orders")
    with clock.shifted(permit.lease_until - clock.now() - timedelta(seconds=5)):
        assert refused(scene)
    with clock.shifted(permit.lease_until - clock.now()):
        assert not refused(scene)
    assert scene.permits() == []


def refused(scene) -> bool:
    try:
        scene.client().request("GET", "/orders")
    except RateLimited:
        return True
    return False
