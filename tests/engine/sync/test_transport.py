"""Lines that are kept open: whom they lead to, and that no answer holds one up."""

from __future__ import annotations

import gzip
import itertools
import os
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from engine.kit.outward import AddressRefused, Outward
from engine.sync.errors import Rejected, Transient, UnknownOutcome
from engine.sync.models import UNDER_WAY
from engine.sync.transport import AnswerTooLarge, GuardedTransport, guarded
from tests.engine.kit.test_outward import INSIDE, NAME, certificate, port_of, server_side  # noqa: F401 (a fixture)
from tests.engine.sync.scene import Token, connect
from tests.receiver import Heard, Says, receiving


def ask(url: str, way: Outward | None = None, *, loopback: bool = True, seconds: float = 5.0, **more) -> httpx.Response:
    line = GuardedTransport(way or Outward(), loopback=loopback, **more)
    try:
        return line.handle_request(httpx.Request("GET", url, extensions={"timeout": {"read": seconds}}))
    finally:
        line.close()


@pytest.mark.parametrize("address", INSIDE)
def test_what_leads_inside_is_not_called(address: str) -> None:
    with pytest.raises(AddressRefused):
        ask(f"https://{NAME}/", Outward(resolve=lambda *_: [address]), loopback=False)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9999/", "https://127.0.0.1:9999/", "http://shop.example/"])
def test_this_machine_is_for_those_who_may(url: str) -> None:
    with pytest.raises(AddressRefused):
        ask(url, loopback=False)


def test_plain_http_leads_to_this_machine_alone() -> None:
    with pytest.raises(AddressRefused):
        ask("http://shop.example:8080/", Outward(resolve=lambda *_: ["8.8.8.8"]))


def test_a_line_is_kept_and_used_again() -> None:
    """What is asked next goes the same way, without another look-up or another connection."""
    asked: list[str] = []
    callers: list[tuple[str, int]] = []

    class Patient(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            callers.append(self.client_address)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    with ThreadingHTTPServer(("127.0.0.1", 0), Patient) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        line = GuardedTransport(Outward(resolve=resolve), loopback=True)
        for _ in range(3):
            url = f"http://localhost:{server.server_address[1]}/"
            assert line.handle_request(httpx.Request("GET", url)).status_code == 200
        line.close()
        server.shutdown()
        thread.join()
    assert (len(callers), len(set(callers)), asked) == (3, 1, ["localhost"])


def test_the_judged_address_is_the_one_that_is_called(certificate: Path) -> None:  # noqa: F811 (a fixture)
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    trust = ssl.create_default_context(cafile=str(certificate))
    with receiving(tls=server_side(certificate)) as there:
        way = Outward(resolve=lambda *_: next(answers), trust=trust)
        assert ask(f"https://{NAME}:{port_of(there.url)}/", way).status_code == 200


def test_a_certificate_must_fit_and_be_believed(certificate: Path) -> None:  # noqa: F811 (a fixture)
    trust = ssl.create_default_context(cafile=str(certificate))
    with receiving(tls=server_side(certificate)) as there:
        for way, host in (
            (Outward(resolve=lambda *_: ["127.0.0.1"], trust=trust), "other.example"),
            (Outward(resolve=lambda *_: ["127.0.0.1"]), NAME),
        ):
            with pytest.raises(httpx.ConnectError):
                ask(f"https://{host}:{port_of(there.url)}/", way)
    assert there.heard == []


def test_no_redirect_is_followed_and_no_proxy_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = {"location": "http://169.254.169.254/latest/meta-data"}
    with receiving(says=lambda _: Says(302, b"", elsewhere)) as there, receiving() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setitem(os.environ, name, proxy.url)
        assert ask(there.url).status_code == 302
    assert (len(there.heard), proxy.heard) == (1, [])


def test_a_huge_answer_is_left_where_it_is() -> None:
    sent = itertools.count()

    def huge(_: Heard) -> Says:
        head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n"
        return Says(raw=itertools.chain([head], (b"x" * 65_536 for _ in iter(lambda: next(sent) < 15_000, False))))

    with receiving(says=huge) as there, pytest.raises(AnswerTooLarge):
        ask(there.url, most_bytes=1_000_000)
    assert next(sent) < 14_000


def test_a_packed_answer_stays_packed() -> None:
    packed = gzip.compress(b"0" * 50_000_000)[:60_000]
    with receiving(says=lambda _: Says(200, packed, {"content-encoding": "gzip"})) as there:
        assert ask(there.url).content == packed


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n"])
def test_an_answer_that_drips_ends_with_the_time_of_the_whole_call(start: bytes) -> None:
    with receiving() as there:

        def drip() -> Iterator[bytes]:
            yield start
            while not there.closing.wait(0.05):
                yield b"x" if start.endswith(b"\r\n\r\n") else b"x: y\r\n" if start else b"H"

        there.says = lambda _: Says(raw=drip())
        with pytest.raises((httpx.ReadTimeout, httpx.RemoteProtocolError)):
            ask(there.url, seconds=0.5)


def test_the_lines_are_the_processs() -> None:
    assert guarded(Outward(), loopback=True) is guarded(Outward(), loopback=True)
    assert guarded(Outward(), loopback=True) is not guarded(Outward(), loopback=False)


def test_a_client_goes_over_them(runtime, tenant) -> None:
    with receiving(says=lambda _: Says(headers={"content-type": "application/json"})) as there:
        scene = connect(runtime, tenant, base_url=f"{there.url}/shopify/admin")
        reply = scene.client(transport=None).request("POST", "/orders", json={"a": 1})
    assert (reply.data, there.heard[0].path) == ({"received": True}, "/shopify/admin/orders")

    with pytest.raises(Transient):  # nobody is there any more
        scene.client(transport=None).request("POST", "/orders")
    assert [call.outcome for call in scene.calls()] == ["", Transient.code]


def test_who_hangs_up_leaves_us_in_the_dark(runtime, tenant) -> None:
    with receiving(says=lambda _: Says(raw=iter([b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"]))) as there:
        scene = connect(runtime, tenant, base_url=there.url)
        with pytest.raises(UnknownOutcome):
            scene.client(transport=None).request("POST", "/orders")
        with pytest.raises(Transient):
            scene.client(transport=None).request("GET", "/orders")


def test_a_name_that_came_to_lead_inside_is_refused_when_it_is_called(runtime, make_tenant) -> None:
    scene = connect(runtime, make_tenant(demo=False))
    inside = Outward(resolve=lambda *_: ["10.0.0.1"])
    scene.runtime = type(runtime)(**(vars(runtime) | {"outward": inside}))
    with pytest.raises(Rejected, match="public internet"):
        scene.client(Token, transport=None).request("GET", "/orders")
    assert [call.outcome != UNDER_WAY for call in scene.calls()] == [True]
    assert scene.permits() == []
