"""``/v1/ops/shadows`` and ``/ops/shadows``: what a replay came to, value by value, without secrets."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from engine.kit import clock
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.workflows.rehearsal import rehearse
from engine.workflows.shadow import replay
from tests.app.conftest import Browser
from tests.engine.workflows.shadow_scene import SECRET, Shadows
from tests.engine.workflows.toys import Toy, registered

PATH = "/v1/ops/shadows"


@pytest.fixture
def played(runtime: Runtime, tenant: Tenant) -> None:
    scene = Shadows(runtime, tenant)
    for ref in ("#1", "#2", "#3"):
        rehearse(runtime, tenant.id, scene.workflow(), Toy(ref=ref))
    since = clock.now() - timedelta(hours=24)
    for version, quantity in (("1.1.0", 1), ("1.2.0", 5)):
        with registered(scene.workflow(version, quantity=quantity)):
            list(replay(runtime, tenant.id, "toy", version, since=since))


@pytest.mark.usefixtures("played")
def test_gates_and_differences_are_read(browser: Browser, ops: str) -> None:
    found = browser.get(PATH, authorization=ops).json()["items"]
    told = [(one["version"], one["ready"], one["played"], one["runs"], one["same"], one["differ"]) for one in found]
    assert told == [("1.2.0", False, 3, 3, 0, 3), ("1.1.0", True, 3, 3, 3, 0)]
    path = f"{PATH}/differences?workflow=toy&version=1.2.0"
    page = browser.get(f"{path}&limit=2", authorization=ops).json()
    rest = browser.get(f"{path}&limit=2&cursor={page['next_cursor']}", authorization=ops).json()
    assert [one["subject"] for one in (*page["items"], *rest["items"])] == ["order #1", "order #2", "order #3"]
    assert (page["gate"]["reason"], rest["next_cursor"]) == ("3 of 3 differ.", None)
    assert page["items"][0]["changed"] == [
        {"method": "PUT", "path": "/order", "changes": [{"path": "body.quantity", "was": "1", "would": "5"}]}
    ]
    assert SECRET not in str(page)
    assert browser.get(f"{PATH}/differences?workflow=toy&version=1.1.0", authorization=ops).json()["items"] == []
    assert browser.get(f"{PATH}/differences?workflow=toy&version=9.9.9", authorization=ops).status_code == 404


@pytest.mark.usefixtures("played")
def test_the_page_shows_the_gate_and_what_differs(browser: Browser, ops: str) -> None:
    def at(path: str) -> str:
        answer: Any = browser.get(path, authorization=ops)
        assert answer.status_code == 200, answer.text[:500]
        return re.sub(r"\s+", " ", str(answer.text))

    shown = at("/ops/shadows")
    assert re.findall(r'<span class="st-chip [a-z-]+">([a-z ]+)</span>', shown) == ["not ready", "ready"]
    assert shown.count('<th scope="row">body.quantity</th>') == 3
    assert "Was sent, would not be: POST" in shown
    assert SECRET not in shown
    other = at("/ops/shadows?workflow=toy&version=1.1.0")
    assert "How toy 1.1.0 differs" in other
    assert "In nothing." in other


def test_without_a_replay_there_is_nothing_to_see(browser: Browser, ops: str) -> None:
    assert browser.get(PATH, authorization=ops).json() == {"items": [], "next_cursor": None}
    answer = browser.get("/ops/shadows", authorization=ops)
    assert (answer.status_code, "No version was played within a week." in answer.text) == (200, True)
