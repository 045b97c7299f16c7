"""A code from an e-mail that is typed into the chat: it signs in, and nobody keeps it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from app.identity import COOKIE
from engine.conversations.models import Run
from tests.app.conftest import Browser, counted
from tests.app.test_customers import ADA, ask, newest_code
from tests.shop import Shop

_ALL = "SELECT coalesce(string_agg(x::text, ' '), '') FROM app.{} x"
_TABLES = ("runs", "events", "messages", "idempotency_keys", "audit", "outbox")


def _say(browser: Browser, thread: str, words: str) -> Any:
    return browser.post(f"/v1/threads/{thread}/runs", {"message": words})


def _stored(shop: Shop) -> str:
    """Everything that is written of conversations, and of answers that are kept."""
    with shop.uow() as session:
        found = [session.execute(text(_ALL.format(name))).scalar_one() for name in _TABLES]
        return "\n".join(found)


def test_the_right_code_signs_in_under_a_new_cookie_and_is_kept_nowhere(open_browser, shop: Shop) -> None:
    browser, thief = open_browser(), open_browser()
    thread = browser.start(shop.tenant)
    planted = browser.http.cookies.get(COOKIE, path="/")
    ask(browser)
    code = newest_code(shop)

    answer = _say(browser, thread, f" {code[:3]} {code[3:]} ")

    assert answer.status_code == 202
    assert "set-cookie" in answer.headers
    assert browser.get("/v1/me").json()["email"] == ADA
    thief.http.cookies.set(COOKIE, planted)
    assert thief.get(f"/v1/threads/{thread}").status_code == 404
    with shop.uow() as session:
        run = session.get_one(Run, (shop.tenant.id, answer.json()["run_id"]))
        assert run.input == {"message": "••••••", "sign_in": "signed_in"}
        assert run.identity["customer_id"] is not None
    assert code not in _stored(shop)
    assert f"{code[:3]} {code[3:]}" not in _stored(shop)


def test_a_wrong_code_is_counted_and_kept_as_little(browser: Browser, shop: Shop) -> None:
    thread = browser.start(shop.tenant)
    ask(browser)
    wrong = f"{(int(newest_code(shop)) + 1) % 1_000_000:06d}"

    answer = _say(browser, thread, wrong)

    assert answer.status_code == 202
    assert browser.get("/v1/me").status_code == 401
    with shop.uow() as session:
        run = session.get_one(Run, (shop.tenant.id, answer.json()["run_id"]))
        assert run.input["message"] == "••••••"
        assert run.input["sign_in"].startswith("This code does not fit")
        assert session.execute(text("SELECT attempts FROM app.email_codes")).scalar_one() == 1
    assert wrong not in _stored(shop)
    assert [m["content"] for m in browser.get(f"/v1/threads/{thread}").json()["messages"]] == ["••••••"]


def test_six_digits_that_nobody_waits_for_are_words(browser: Browser, shop: Shop) -> None:
    thread = browser.start(shop.tenant)

    assert _say(browser, thread, "123456").status_code == 202

    assert browser.get(f"/v1/threads/{thread}").json()["messages"][0]["content"] == "123456"
    assert counted(shop, Run) == 1


def test_nobody_types_a_code_into_anothers_conversation(open_browser, shop: Shop) -> None:
    browser, other = open_browser(), open_browser()
    browser.start(shop.tenant)
    theirs = other.start(shop.tenant)
    ask(browser)

    assert _say(browser, theirs, newest_code(shop)).status_code == 404

    assert counted(shop, Run) == 0
    assert browser.get("/v1/me").status_code == 401
