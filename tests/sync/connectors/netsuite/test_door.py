"""How the connector comes in, and what it makes of each no."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from engine.kit import clock
from engine.sync import connections, connectors, trying
from engine.sync.connectors.netsuite import signing
from engine.sync.connectors.netsuite.connector import NetSuite
from engine.sync.connectors.netsuite.tokens import Bearer, Bearers
from engine.sync.errors import AuthExpired, RateLimited, Rejected, Transient, UnknownOutcome
from engine.sync.models import ConnectionStatus, System
from tests.engine.sync.scene import MANY, connect
from tests.sync.connectors.netsuite.conftest import START, Books, Opened, left


def operations(books: Books) -> list[str]:
    return [one.operation for one in books.asked()]


def test_one_bearer_serves_every_run_of_a_connection(books: Books) -> None:
    assert books.open().items(["nothing"]) == {}
    assert books.open().items(["nothing"]) == {}

    assert operations(books) == ["token", "suiteql", "suiteql"]


def test_a_bearer_is_asked_for_anew_before_it_ends(books: Books) -> None:
    with clock.own(START) as hands:
        books.open().items(["nothing"])
        hands.move(timedelta(minutes=57))
        books.open().items(["nothing"])
        assert operations(books).count("token") == 1
        hands.move(timedelta(minutes=1, seconds=1))
        books.open().items(["nothing"])

    assert operations(books).count("token") == 2
    assert [one.status for one in books.asked()] == [200] * 5


def test_a_bearer_that_was_taken_back_is_replaced_at_once(books: Books) -> None:
    books.open().items(["nothing"])
    books.merchant.account.bearers.clear()
    books.open().items(["nothing"])

    assert [(one.operation, one.status) for one in books.asked()[2:]] == [
        ("suiteql", 401),
        ("token", 200),
        ("suiteql", 200),
    ]


def test_nothing_secret_is_in_the_journal(books: Books) -> None:
    books.open().items(["nothing"])
    bearer = next(iter(books.merchant.account.bearers))
    kept = "".join(f"{one.path}{one.request}{one.response}" for one in books.calls())

    assert [one.path for one in books.calls()] == ["/auth/oauth2/v1/token", "/query/v1/suiteql"]
    assert bearer not in kept
    assert "client_assertion=••••" in kept
    assert "eyJ" not in kept


def test_an_rsa_key_signs_by_ps256(opened: Opened, world) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    keys = world.merchants[0].account.keys
    keys.certificates["rsa-1"] = key.public_key().public_bytes(serialization.Encoding.PEM, kind).decode()
    books = opened({"private_key": pem(key)}, certificate_id="rsa-1")

    assert books.open().items(["nothing"]) == {}
    assert [one.status for one in books.asked()] == [200, 200]


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    kind = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()).decode().strip()


@pytest.mark.parametrize("bad", ["a stranger's", "another curve", "no key"])
def test_a_key_that_opens_nothing_lets_the_connection_rest(opened: Opened, bad: str) -> None:
    private = {
        "a stranger's": lambda: pem(ec.generate_private_key(ec.SECP256R1())),
        "another curve": lambda: pem(ec.generate_private_key(ec.SECP384R1())),
        "no key": lambda: "-----BEGIN NOTHING-----",
    }[bad]()
    books = opened({"private_key": private})
    with pytest.raises(AuthExpired):
        books.open().items(["nothing"])

    with books.runtime.unit_of_work(books.tenant.id) as session:
        row = connections.get(session, books.tenant.id, books.connection.id)
    assert row.status == ConnectionStatus.AUTH_EXPIRED
    assert "suiteql" not in operations(books)


def test_while_a_key_is_replaced_both_are_tried(books: Books) -> None:
    fresh = ec.generate_private_key(ec.SECP256R1())
    with books.runtime.unit_of_work(books.tenant.id) as session:
        who = {"actor": "key_test", "secrets_given": {"private_key": pem(fresh)}}
        connections.rotate(session, books.runtime, books.tenant.id, books.connection.id, **who)

    assert books.open().items(["nothing"]) == {}
    assert [(one.operation, one.status) for one in books.asked()] == [("token", 400), ("token", 200), ("suiteql", 200)]


def test_without_a_key_every_request_is_signed(opened: Opened, world) -> None:
    who = world.merchants[0].credentials
    secrets = {
        "consumer_key": who.netsuite_consumer_key,
        "consumer_secret": who.netsuite_consumer_secret,
        "token_id": who.netsuite_token_id,
        "token_secret": who.netsuite_token_secret,
    }
    books = opened(secrets)
    erp = books.open()
    order = books.order(erp, external_id="SHOP+a:1~b")

    assert erp.sales_order(id=order).external_id == "SHOP+a:1~b"
    assert {one.status for one in books.asked()} == {200, 204}
    assert "token" not in operations(books)


def test_a_signature_is_the_one_of_the_standard() -> None:
    """RFC 5849, section 3.4.1.1: its base string, with this vendor's kind of parameters."""
    said = signing.base_string(
        "post", "https://Example.COM:443/request", {"b5": "=%3D", "a3": "a", "c@": "", "a2": "r b"}
    )

    assert said == "POST&https%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D"
    keys = {"consumer_key": "ck", "consumer_secret": "cs", "token_id": "tk", "token_secret": "ts"}
    more = {"method": "GET", "url": "http://h/x", "params": {}, "at": START, "nonce": "n"}
    header = signing.header(account="1234_SB1", keys=keys, **more)
    assert header.startswith('OAuth realm="1234_SB1", oauth_consumer_key="ck", oauth_token="tk"')
    assert len(unquote(header.rpartition('oauth_signature="')[2].rstrip('"'))) == 44


def test_a_connection_is_tested_by_a_question_that_changes_nothing(books: Books) -> None:
    tested = trying.try_out(
        books.runtime, books.tenant.id, books.connection.id, actor="key_test", transport=books.transport
    )

    assert (tested.ok, operations(books)) == (True, ["token", "governanceLimits"])


def test_one_asks_for_a_bearer_while_the_others_wait() -> None:
    bearers, asked, inside = Bearers(), [], threading.Event()
    ends = datetime(2100, 1, 1, tzinfo=UTC)

    def ask() -> Bearer:
        asked.append(1)
        inside.set()
        return Bearer("b", ends)

    with ThreadPoolExecutor(8) as pool:
        found = [one.result() for one in [pool.submit(bearers.get, b"k", ask) for _ in range(20)]]

    assert (found, len(asked)) == (["b"] * 20, 1)
    assert "'b'" not in repr(Bearer("b", ends))


def test_only_the_bearer_that_was_refused_is_forgotten() -> None:
    bearers, ends = Bearers(), datetime(2100, 1, 1, tzinfo=UTC)
    bearers.get(b"k", lambda: Bearer("new", ends))

    assert not bearers.forget(b"k", "old")
    assert bearers.get(b"k", lambda: Bearer("other", ends)) == "new"
    assert bearers.forget(b"k", "new")


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("concurrency_exceeded", RateLimited),
        ("http_429", RateLimited),
        ("http_503", Transient),
        ("http_500", Transient),
        ("timeout_before_commit", Transient),
        ("truncated_json", Transient),
        ("connection_reset", Transient),
    ],
)
def test_what_goes_wrong_with_a_query_is_never_in_doubt(books: Books, erp: NetSuite, kind: str, wanted: type) -> None:
    books.put(kind, match={"operation": "suiteql"})
    with pytest.raises(wanted):
        erp.items(["nothing"])


def test_a_fault_names_its_field(books: Books, erp: NetSuite) -> None:
    with pytest.raises(Rejected) as error:
        books.order(erp, location={"id": "999999"})

    assert [(one.path, one.message) for one in error.value.fields] == [
        ("location", "Invalid Field Value 999999 for the following field: location")
    ]
    assert books.kind("salesOrder") == []


def test_a_transform_that_nobody_answers_is_in_doubt_and_an_upsert_is_not(books: Books, erp: NetSuite) -> None:
    sku = books.skus()[0]
    order = books.order(erp, (sku, 1, "20"))
    erp.fulfil(order, "DCL-1", left((sku, 1)))
    books.put("timeout_after_commit", match={"operation": "salesOrder!invoice"})
    with pytest.raises(UnknownOutcome):
        erp.bill(order, "INV-1", "invoice")
    books.put("timeout_after_commit", match={"operation": "customer"})
    with pytest.raises(Transient):
        books.order(erp)
    assert (len(books.kind("invoice")), len(books.kind("customer"))) == (1, 1)


def test_a_bearer_is_of_one_connection_alone(opened: Opened, make_tenant, runtime) -> None:
    books = opened()
    books.open().items(["nothing"])
    other = make_tenant()
    who = books.merchant.credentials
    scene = connect(
        runtime,
        other,
        system=System.NETSUITE,
        base_url=books.connection.base_url,
        secrets={"private_key": who.netsuite_private_key_pem.strip()},
        settings=dict(books.connection.settings),
        limit=MANY,
    )
    made = connectors.erp(runtime, other.id, scene.connection.id, transport=books.transport)
    assert made.items(["nothing"]) == {}

    assert operations(books).count("token") == 2
    assert len(books.merchant.account.bearers) == 2


def test_what_the_erp_was_not_asked_for_is_not_missing(books: Books) -> None:
    sku = books.skus()[0]
    erp = books.open()
    known = books.open().items([sku])[sku]
    books.put("http_503", match={"operation": "suiteql"}, times=1)

    with pytest.raises(Transient):
        erp.items([sku])

    assert erp.items([sku]) == {sku: known}
    assert erp.items(["nothing"]) == {}
    asked = operations(books).count("suiteql")
    assert erp.items(["nothing"]) == {}
    assert operations(books).count("suiteql") == asked
