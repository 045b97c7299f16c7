"""The shortest way to what agents ask at every purchase ends where the long one does."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from tests.app.acp.conftest import Agent

PATHS = (
    "/checkout_sessions",
    "/checkout_sessions/cs_nothing",
    "/checkout_sessions/cs_nothing/complete",
    "/checkout_sessions/cs_nothing/cancel",
    "/agentic_commerce/delegate_payment",
    "/delegate_payment",
)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("known", [True, False])
def test_both_ways_give_the_same_answer(
    agent: Agent, acp_http: TestClient, monkeypatch: pytest.MonkeyPatch, path: str, known: bool
) -> None:
    headers = {"Request-Id": "one", "API-Version": "2000-01-01" if known else "2026-04-17"}
    if known:
        headers["Authorization"] = agent.key or ""
    short = acp_http.post(path, headers=headers, content=b"{}")
    monkeypatch.setattr(acp_http.app, "straight", None)
    long = acp_http.post(path, headers=headers, content=b"{}")
    assert short.status_code == (400 if known else 401)
    assert (long.status_code, long.json(), dict(long.headers)) == (
        short.status_code,
        short.json(),
        dict(short.headers),
    )


def test_what_is_not_quite_there_goes_the_long_way(acp_http: TestClient) -> None:
    assert acp_http.get("/checkout_sessions").status_code == 405
    assert acp_http.post("/checkout_sessions/a/b/c", content=b"{}").status_code == 404
