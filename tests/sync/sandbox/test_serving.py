"""The world on real sockets: HTTP, webhooks, broken connections, and mail."""

from __future__ import annotations

import asyncio
import json
import smtplib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from engine.sync.sandbox import World, app, serving
from engine.sync.sandbox.__main__ import main
from engine.sync.sandbox.faults import Rule
from engine.sync.sandbox.serving import Served
from tests.sync.sandbox.ledger import Erp
from tests.sync.sandbox.shopping import SUBSCRIBE, Shopper


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[World, Served]]:
    """One served world for these tests: a running clock, and nobody pushes webhooks."""
    made = World.preset("summit")
    with serving(made) as served:
        yield made, served


@pytest.fixture
def served(running: tuple[World, Served]) -> Iterator[Served]:
    yield running[1]
    running[0].ground.faults.clear()


@pytest.fixture
def live(running: tuple[World, Served]) -> World:
    return running[0]


def put(world: World, system: str, kind: str, **fields: Any) -> None:
    world.ground.faults.put(Rule.model_validate({"id": kind, "system": system, "kind": kind} | fields))


@contextmanager
def hearing() -> Iterator[tuple[str, list[bytes], threading.Event]]:
    """A receiver on a real socket."""
    got: list[bytes] = []
    heard = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()
            heard.set()

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hooks", got, heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_webhook_goes_out_by_itself(live: World, served: Served) -> None:
    with hearing() as (url, got, heard), httpx.Client(base_url=served.url) as client:
        shop = Shopper(client, live.merchants[0])
        shop(SUBSCRIBE, topic="ORDERS_CREATE", to={"uri": url})
        order = shop.order()

        assert heard.wait(30)
        assert order["name"].encode() in got[0]


def test_the_erp_is_reached_by_its_real_address(live: World, served: Served) -> None:
    class Here(Erp):
        @property
        def token_url(self) -> str:
            return f"{served.url}{self.base}/auth/oauth2/v1/token"

    with httpx.Client(base_url=served.url) as client:
        erp = Here(client, live.merchants[0])
        answer = erp.request("GET", "/record/v1/location")

    assert answer.json()["totalResults"] == 5
    assert answer.json()["items"][0]["links"][0]["href"].startswith(f"{served.netsuite('TSTDRV1001')}/services/rest/")


def test_the_warehouse_and_the_control_answer(live: World, served: Served) -> None:
    who = live.merchants[0].credentials
    auth = (who.dcl_username, who.dcl_password)

    assert httpx.get(f"{served.dcl}/orders", auth=auth).json() == {"orders": []}
    assert httpx.get(f"{served.url}/_sandbox/faults").json() == {"faults": []}
    assert httpx.get(f"{served.url}/elsewhere").status_code == 404


def test_a_request_without_an_answer_waits_until_the_client_goes(live: World, served: Served) -> None:
    put(live, "shopify", "timeout_before_commit")
    with httpx.Client(base_url=served.url, timeout=httpx.Timeout(30, read=0.3)) as client:
        shop = Shopper(client, live.merchants[0])
        with pytest.raises(httpx.ReadTimeout):
            shop.post("{ shop { name } }")
    with httpx.Client(base_url=served.url) as client:
        assert Shopper(client, live.merchants[0]).post("{ shop { name } }").status_code == 200


def test_a_connection_breaks(live: World, served: Served) -> None:
    put(live, "shopify", "connection_reset")
    with httpx.Client(base_url=served.url) as client:
        shop = Shopper(client, live.merchants[0])
        with pytest.raises(httpx.TransportError):
            shop.post("{ shop { name } }")
        assert shop.post("{ shop { name } }").status_code == 200


def test_an_answer_is_slow(live: World, served: Served) -> None:
    put(live, "dcl", "slow", params={"ms": 1})
    who = live.merchants[0].credentials

    assert httpx.get(f"{served.dcl}/orders", auth=(who.dcl_username, who.dcl_password)).status_code == 200


def test_it_is_a_process_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    end = threading.Event()
    thread = threading.Thread(target=main, args=(["--merchants", "2", "--seed", "4"],), kwargs={"end": end})
    thread.start()
    said = ""
    while not said:
        said = capsys.readouterr().out
        thread.join(0.01)
    told = json.loads(said)
    merchants = httpx.get(f"{told['url']}/_sandbox/merchants").json()["merchants"]
    end.set()
    thread.join()

    assert [one["slug"] for one in merchants] == ["summit-outdoor", "summit-outdoor-2"]
    assert told["preset"] == "summit"


def test_the_application_is_asked_without_a_socket() -> None:
    world = World.preset("summit")
    put(world, "slack", "connection_reset", when="before")
    path = f"http://sandbox/slack/services/{world.merchants[0].credentials.slack_path}"

    async def talk() -> list[Any]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app(world))) as client:
            with pytest.raises(httpx.ReadError):
                await client.post(path, json={"text": "hi"})
            moved = await client.post("http://sandbox/_sandbox/clock/advance", json={"seconds": 1})
            return [await client.post(path, json={"text": "hi"}), moved, await client.get("http://sandbox/nobody")]

    said = asyncio.run(talk())
    assert [one.status_code for one in said] == [200, 200, 404]


def letter(subject: str = "Digest") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "ops@shop.example", "owner@shop.example", subject
    made.set_content("Three orders failed.\n.\n..and a line that begins with dots\n")
    return made


class TestMail:
    @pytest.fixture(autouse=True)
    def empty(self, live: World) -> Iterator[None]:
        live.mail.letters.clear()
        live.mail.username = live.mail.password = ""
        yield
        live.mail.username = ""

    def send(self, served: Served, *, login: tuple[str, str] | None = None) -> None:
        with smtplib.SMTP(served.smtp_host, served.smtp_port, timeout=30) as post:
            if login:
                post.login(*login)
            post.send_message(letter())

    def test_a_letter_is_kept_as_it_was(self, live: World, served: Served) -> None:
        self.send(served)

        [kept] = live.mail.letters
        assert (kept.sender, kept.to) == ("ops@shop.example", ["owner@shop.example"])
        assert kept.message()["Subject"] == "Digest"
        assert kept.message().get_content().splitlines() == letter().get_content().splitlines()
        assert "Three orders failed." in httpx.get(f"{served.url}/_sandbox/mail").json()["letters"][0]["text"]

    def test_who_must_say_who_they_are(self, live: World, served: Served) -> None:
        live.mail.username, live.mail.password = "ops", "secret"
        with pytest.raises(smtplib.SMTPSenderRefused):
            self.send(served)
        with pytest.raises(smtplib.SMTPAuthenticationError):
            self.send(served, login=("ops", "wrong"))
        self.send(served, login=("ops", "secret"))

        assert len(live.mail.letters) == 1

    def test_a_letter_is_refused_for_a_while(self, live: World, served: Served) -> None:
        put(live, "smtp", "http_503")
        with pytest.raises(smtplib.SMTPDataError) as refused:
            self.send(served)
        assert refused.value.smtp_code == 451
        self.send(served)

        assert len(live.mail.letters) == 1

    def test_a_letter_is_kept_and_nobody_says_so(self, live: World, served: Served) -> None:
        put(live, "smtp", "timeout_after_commit")
        with pytest.raises(smtplib.SMTPServerDisconnected):
            self.send(served)

        assert len(live.mail.letters) == 1

    def test_the_grammar_of_mail(self, served: Served) -> None:
        with smtplib.SMTP(served.smtp_host, served.smtp_port, timeout=30) as post:
            said = [
                post.docmd("NOOP")[0],
                post.docmd("RCPT", "TO:<a@b.example>")[0],
                post.docmd("MAIL", "FROM:<a@b.example>")[0],
                post.docmd("DATA")[0],
                post.docmd("RCPT", "TO: nobody")[0],
                post.docmd("RSET")[0],
                post.docmd("TURN")[0],
                post.docmd("AUTH", "LOGIN")[0],
                post.docmd("HELO", "x")[0],
            ]

        assert said == [250, 503, 250, 503, 501, 250, 502, 504, 250]
