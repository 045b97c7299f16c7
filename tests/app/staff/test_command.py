"""``icommerce staff``, over the test database."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from engine.kit.errors import NotFound
from engine.runtime import Runtime
from engine.staff import members
from engine.staff.errors import AlreadyMember, LastAdmin
from tests.engine.staff.people import audited, secret_of, sessions_of
from tests.shop import Shop

Run = Callable[..., Result]
SAM = ("--email", "sam@people.example")


@pytest.fixture
def run(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command for the shop; its runtime is the test's."""

    @contextmanager
    def opened(_settings: Any, **_: Any) -> Iterator[Runtime]:
        yield shop.runtime

    monkeypatch.setattr("app.commands.opened.runtime", opened)

    def invoke(*words: str, tenant: str = shop.tenant.slug) -> Result:
        return CliRunner().invoke(app, ["staff", *words, "--tenant", tenant])

    return invoke


def answer(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_from_the_first_admin_to_the_last(run: Run, shop: Shop) -> None:
    ada = answer(run("invite", "--email", "ada@people.example", "--role", "admin", "--name", "Ada", "--json"))
    sam = answer(run("invite", *SAM, "--role", "support", "--json"))
    assert (ada["role"], ada["name"], sam["name"], sam["status"]) == ("admin", "Ada", "sam", "active")
    with shop.uow() as session:
        members.accept(session, shop.tenant.id, secret_of(sam["link"]))
    assert isinstance(run("invite", *SAM, "--role", "admin").exception, AlreadyMember)

    assert answer(run("role", *SAM, "--role", "supervisor", "--json"))["role"] == "supervisor"
    with shop.uow() as session:
        assert sessions_of(shop.runtime, members.locked(session, shop.tenant.id, sam["id"])) == 0
    assert answer(run("disable", *SAM, "--json"))["status"] == "disabled"
    assert [(one["name"], one["status"]) for one in answer(run("list", "--json"))] == [
        ("Ada", "active"),
        ("sam", "disabled"),
    ]
    assert answer(run("enable", *SAM, "--json"))["status"] == "active"
    assert isinstance(run("disable", "--email", "ada@people.example").exception, LastAdmin)
    assert {actor for actor, action, _ in audited(shop) if action != "staff.signed_in"} == {"cli"}


def test_the_words_for_people(run: Run) -> None:
    made = run("invite", *SAM, "--role", "Support", "--name", "Sam")
    assert made.stdout.startswith("http://127.0.0.1:8000/staff/join?shop=")
    assert "Sam (sam@people.example) is invited as support." in made.stderr
    assert "support    invited  Sam" in run("list").stdout
    assert run("role", *SAM, "--role", "ops").stdout == "Sam (sam@people.example): ops, active.\n"


def test_what_is_not_there(run: Run) -> None:
    assert run("invite", *SAM, "--role", "boss").exit_code == 2
    assert run("invite", *SAM).exit_code == 2
    assert isinstance(run("disable", *SAM).exception, NotFound)
    assert isinstance(run("list", tenant="no-shop").exception, NotFound)


def test_help_needs_none_of_the_engine() -> None:
    code = (
        "import sys; sys.argv=['icommerce','staff','--help']; import app.cli\n"
        "try: app.cli.main()\nexcept SystemExit: pass\n"
        "assert not [m for m in sys.modules if m.startswith('engine.')]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "invite" in done.stdout
