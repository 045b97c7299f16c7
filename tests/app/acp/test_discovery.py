"""The discovery document: for anybody, for an hour, and never with somebody's made-up host in it."""

from __future__ import annotations

from typing import Any

from tests.app.acp.official import CHECKOUT, valid
from tests.shop import Shop


def test_anybody_may_ask_and_keep_it(shop: Shop, acp_http: Any) -> None:
    answer = acp_http.get("/.well-known/acp.json")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=3600"
    body = answer.json()
    valid("DiscoveryResponse", body, file=CHECKOUT)
    assert body["protocol"] == {
        "name": "acp",
        "version": "2026-04-17",
        "supported_versions": ["2026-01-30", "2026-04-17"],
    }
    assert body["api_base_url"] == "http://127.0.0.1:8000"
    assert "usd" in body["capabilities"]["supported_currencies"]
    assert shop.tenant.slug not in answer.text


def test_a_made_up_host_is_not_repeated(shop: Shop, acp_http: Any) -> None:
    for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example"):
        answer = acp_http.get("/.well-known/acp.json", headers={"Host": host})
        assert answer.json()["api_base_url"] == "http://127.0.0.1:8000"


def test_another_method_is_refused_in_the_protocols_words(acp_http: Any) -> None:
    answer = acp_http.post("/.well-known/acp.json", json={})
    assert answer.status_code == 405
    valid("Error", answer.json(), file=CHECKOUT)
