"""``icommerce gateways``: secrets come by stdin, are kept sealed and are never shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

import app.commands.opened
from app.cli import app as cli
from engine.kit.errors import Forbidden, NotFound
from engine.payments.errors import GatewayMisconfigured, GatewayNotConfigured
from engine.payments.gateways import accounts
from engine.payments.gateways.stripe.gateway import StripeGateway
from engine.runtime import Runtime
from tests.conftest import MakeTenant
from tests.contracts.gateways.stripe_double import StripeDouble

Run = Callable[..., Any]
KEYS = "sk_test_abc\nwhsec_one\n"


@pytest.fixture
def double() -> Iterator[StripeDouble]:
    running = StripeDouble()
    running.account("sk_test_abc")
    yield running
    running.close()


@pytest.fixture
def run(runtime: Runtime, double: StripeDouble, monkeypatch: pytest.MonkeyPatch) -> Run:
    stripe = StripeGateway(runtime.store, runtime.secret_key, api_base=double.url)
    here = replace(runtime, gateways={**runtime.gateways, "stripe": stripe})

    @contextmanager
    def opened(*_: object, **__: object) -> Iterator[Runtime]:
        yield here

    monkeypatch.setattr(app.commands.opened, "runtime", opened)

    def invoke(*words: str, stdin: str = "") -> Any:
        return CliRunner().invoke(cli, ["gateways", *words], input=stdin)

    return invoke


def test_an_account_is_set_tried_and_listed_without_its_secrets(run: Run, runtime: Runtime, tenant) -> None:
    words = ("stripe", "--tenant", tenant.slug, "--json")
    made = run("set", *words, "--secret-key-stdin", "--webhook-secret-stdin", "--multicapture", stdin=KEYS)
    tried, listed = run("test", *words), run("list", "--tenant", tenant.slug, "--json")

    assert (made.exit_code, json.loads(made.output)["mode"]) == (0, "test")
    assert json.loads(tried.output) == {"gateway": "stripe", "tenant": tenant.slug, "ok": True, "live": False}
    assert [row["settings"] for row in json.loads(listed.output)] == [{"multicapture": True}]
    assert "abc" not in made.output + tried.output + listed.output
    with runtime.unit_of_work(tenant.id) as session:
        account = accounts.read(session, runtime.secret_key, tenant.id, "stripe")
    assert (account.secret_key, account.webhook_secrets) == ("sk_test_abc", ("whsec_one",))


def test_what_is_not_given_stays(run: Run, runtime: Runtime, tenant) -> None:
    words = ("stripe", "--tenant", tenant.slug)
    run("set", *words, "--secret-key-stdin", "--webhook-secret-stdin", stdin=KEYS)
    run("set", *words, "--webhook-secret-stdin", "--publishable-key", "pk_test_1", stdin="whsec_two\n")
    with runtime.unit_of_work(tenant.id) as session:
        account = accounts.read(session, runtime.secret_key, tenant.id, "stripe")
    assert (account.secret_key, account.publishable_key) == ("sk_test_abc", "pk_test_1")
    assert account.webhook_secrets == ("whsec_two", "whsec_one")


@pytest.mark.parametrize(
    ("options", "stdin"),
    [
        (("--secret-key-stdin",), "pk_test_wrong\n"),
        (("--secret-key-stdin",), ""),
        (("--publishable-key", "sk_test_wrong"), ""),
        (("--webhook-secret-stdin",), "one\n"),
    ],
)
def test_keys_of_a_wrong_form_are_refused(run: Run, runtime: Runtime, tenant, options: tuple[str], stdin: str) -> None:
    refused = run("set", "stripe", "--tenant", tenant.slug, *options, stdin=stdin)
    assert refused.exit_code == 2
    with runtime.unit_of_work(tenant.id) as session:
        assert accounts.listed(session, tenant.id) == []


def test_a_demo_shop_takes_no_live_key(run: Run, runtime: Runtime, tenant, make_tenant: MakeTenant) -> None:
    words, live = ("set", "stripe", "--secret-key-stdin", "--tenant"), "sk_live_abc\n"
    assert isinstance(run(*words, tenant.slug, stdin=live).exception, Forbidden)
    shop = make_tenant(demo=False)
    assert run(*words, shop.slug, stdin=live).exit_code == 0
    with runtime.unit_of_work(tenant.id) as session:
        assert accounts.listed(session, tenant.id) == []


def test_what_cannot_be_tried_says_why(run: Run, tenant) -> None:
    words = ("--tenant", tenant.slug)
    assert run("test", "nobody", *words).exit_code == 2
    assert isinstance(run("test", "stripe", "--tenant", "no-shop").exception, NotFound)
    assert isinstance(run("test", "stripe", *words).exception, GatewayNotConfigured)
    run("set", "stripe", *words, "--secret-key-stdin", stdin="sk_test_revoked\n")
    assert isinstance(run("test", "stripe", *words).exception, GatewayMisconfigured)
