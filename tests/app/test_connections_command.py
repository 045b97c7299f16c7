"""``icommerce connections``: secrets come by stdin, are kept sealed and are never shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from typer.testing import CliRunner

import app.commands.opened
import app.logs
from app.cli import app as cli
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync import connections, dialects, secrets
from engine.sync.models import Connection, System
from tests.receiver import Says, receiving

SECRET = "shpat_0123456789abcdef"
NEW = "shpat_new0new0new0new0"
Run = Callable[..., Any]


@pytest.fixture
def run(runtime: Runtime, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Run:
    @contextmanager
    def opened(*_: object, **__: object) -> Iterator[Runtime]:
        yield runtime

    monkeypatch.setattr(app.commands.opened, "runtime", opened)
    monkeypatch.setattr(app.logs, "configure", lambda: None)  # of this whole process

    def invoke(*words: str, stdin: str = "") -> Any:
        return CliRunner().invoke(cli, ["connections", *words, "--tenant", tenant.slug], input=stdin)

    return invoke


def test_added_listed_tested_rotated_paused_closed(
    run: Run, runtime: Runtime, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(dialects.DIALECTS, System.SHOPIFY, "tests.engine.sync.scene:Token")
    with receiving(says=lambda heard: Says(200 if heard.headers["x-token"] == NEW else 401, b"{}")) as there:
        words = ("add", "shopify", "--base-url", there.url, "--setting", "location=7", "--json")
        made = run(*words, stdin=f"access_token={SECRET}\n")
        which = json.loads(made.output)["id"]
        refused = run("test", which, "--json")
        rotated = run("rotate", which, "--overlap", "0", stdin=f"access_token = {NEW}\n")
        tried = run("test", which)
    assert (refused.exit_code, json.loads(refused.output.splitlines()[-1])["code"]) == (1, "auth_expired")
    assert rotated.output == f"{which} (shopify, Main) is active.\n"
    assert (tried.exit_code, tried.output.startswith("It works.")) == (0, True)
    (listed,) = json.loads(run("list", "--json").output)
    assert (listed["settings"], listed["secrets"][0]["version"]) == ({"location": "7"}, 2)
    assert "is paused" in run("pause", which, "--reason", "Stocktaking").output
    assert "Stocktaking" in run("list").output
    assert "is active" in run("resume", which).output
    assert "is closed" in run("close", which, "--reason", "Over").output
    for one in (made, refused, rotated, tried):
        assert SECRET not in one.output
        assert NEW not in one.output
    with runtime.unit_of_work(tenant.id) as session:
        row = connections.get(session, tenant.id, which)
        assert dict(secrets.secrets_of(session, runtime, row)) == {}


def test_a_key_of_several_lines_is_written_with_their_ends(run: Run, runtime: Runtime, tenant: Tenant) -> None:
    words = ("add", "netsuite", "--base-url", "https://1234.example.com", "--json")
    made = run(*words, stdin="private_key=-----BEGIN KEY-----\\nabc\\n-----END KEY-----\n")
    with runtime.unit_of_work(tenant.id) as session:
        row = connections.get(session, tenant.id, json.loads(made.output)["id"])
        kept = secrets.secrets_of(session, runtime, row)["private_key"]
    assert kept == ("-----BEGIN KEY-----\nabc\n-----END KEY-----",)


@pytest.mark.parametrize(
    ("words", "stdin", "kind"),
    [
        (("add", "sap", "--base-url", "https://x.example"), "a=b\n", None),
        (("add", "shopify", "--base-url", "https://x.example"), "", None),
        (("add", "shopify", "--base-url", "https://x.example"), f"{SECRET}\n", None),
        (("add", "shopify", "--base-url", "https://x.example", "--setting", "x"), f"access_token={SECRET}\n", None),
        (("add", "shopify", "--base-url", "https://x.example"), "access_token=short\n", InvalidInput),
        (("pause", "con_nowhere", "--reason", "x"), "", NotFound),
        (("test", "con_nowhere"), "", NotFound),
    ],
)
def test_what_cannot_be_is_refused(
    run: Run, runtime: Runtime, tenant: Tenant, words: tuple[str, ...], stdin: str, kind: type[Exception] | None
) -> None:
    done = run(*words, stdin=stdin)

    assert done.exit_code == (2 if kind is None else 1)
    assert kind is None or isinstance(done.exception, kind)
    assert SECRET not in done.output
    with runtime.unit_of_work(tenant.id) as session:
        assert session.query(Connection).count() == 0
