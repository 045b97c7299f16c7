"""The one way out: whom it calls, whom it does not, and that no answer holds it up."""

from __future__ import annotations

import datetime as dt
import ipaddress
import itertools
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from engine.kit import outward
from engine.kit.outward import AddressRefused, AnswerTooLarge, Outward, TooSlow, Unreachable
from tests.receiver import Heard, Says, receiving

NAME = "shop.example"
INSIDE = [
    "0.0.0.0",  # noqa: S104 (to be refused)
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.8.9.1",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::a00:1",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
OUTSIDE = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "192.0.1.1", "2606:4700::1111", "2a00:1450:4001::200e"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate of ``shop.example`` that only this test believes."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    place = tmp_path_factory.mktemp("tls") / "shop.pem"
    place.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return place


def server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def port_of(url: str) -> str:
    return url.rpartition(":")[2]


@pytest.mark.parametrize("address", INSIDE)
def test_what_leads_inside_is_not_called(address: str) -> None:
    client = Outward(resolve=lambda *_: [address])

    with pytest.raises(AddressRefused):
        client.call("GET", f"https://{NAME}/")


@pytest.mark.parametrize("address", OUTSIDE)
def test_what_leads_outside_may_be_called(address: str) -> None:
    assert outward.judge([address], loopback=False, scheme="https") == [ipaddress.ip_address(address)]


@given(st.ip_addresses(v=4))
def test_no_more_of_ipv4_is_open_than_the_registry_says(address: ipaddress.IPv4Address) -> None:
    if outward.is_public(address):
        assert address.is_global
        assert not any((address.is_multicast, address.is_reserved, address.is_loopback, address.is_link_local))


@given(st.ip_addresses(v=6))
def test_no_more_of_ipv6_is_open_than_the_registry_says(address: ipaddress.IPv6Address) -> None:
    if outward.is_public(address):
        assert address.is_global
        assert not address.ipv4_mapped
        assert not address.sixtofour
        assert not address.teredo


def test_a_name_that_also_leads_inside_is_not_trusted() -> None:
    with pytest.raises(AddressRefused):
        outward.judge(["8.8.8.8", "10.0.0.1"], loopback=False, scheme="https")
    with pytest.raises(AddressRefused):
        outward.judge(["8.8.8.8", "127.0.0.1"], loopback=True, scheme="https")


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/",
        "ftp://shop.example/",
        "file:///etc/passwd",
        "gopher://shop.example/",
        "//shop.example/",
        "shop.example",
        "https://",
        "https:///path",
        "https://user@shop.example/",
        "https://user:secret@shop.example/",
        "https://@shop.example/",
        "https://shop.example:22/",
        "https://shop.example:80/",
        "https://shop.example:99999/",
        "https://shop.example:abc/",
        "https://shop.example/#part",
        "https://shop.example/#",
        "https://shop/",
        "https://localhost./",
        "https://shop.example./",
        "https://shop..example/",
        "https://-shop.example/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://127.1/",
        "https://0177.0.0.1/",
        "https://127.0.0.01/",
        "https://1.2.3.4.5/",
        "https://[::ffff:127.0.0.1]/",
        "https://[0:0:0:0:0:0:0:1]/",
        "https://[::1%25lo]/",
        "https://[fe80::1%eth0]/",
        "https://shop.example\\@10.0.0.1/",
        "https://shop.example /",
        "https://shop.example/\r\nX: y",
        "https://shop.example/\x00",
        "https://shöp.example/",
        "https://①②⑦.0.0.1/",
        "https://127。0。0。1/",
        "https://shop_x.example/",
        "https://" + "a" * 64 + ".example/",
        "https://shop.example/" + "a" * 2_000,
    ],
)
def test_odd_spellings_are_refused_before_anybody_is_asked(url: str) -> None:
    def never(*_: object) -> list[str]:
        raise AssertionError

    client = Outward(resolve=never)
    with pytest.raises(AddressRefused):
        client.call("GET", url)


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("https://shop.example", "shop.example", 443, "/"),
        ("HTTPS://Shop.Example:8443/a/b?c=d&e=%20", "shop.example", 8443, "/a/b?c=d&e=%20"),
        ("https://xn--shp-fla.example/", "xn--shp-fla.example", 443, "/"),
        ("https://8.8.8.8/x", "8.8.8.8", 443, "/x"),
        ("https://[2606:4700::1111]/x", "2606:4700::1111", 443, "/x"),
    ],
)
def test_plain_addresses_are_taken_apart(url: str, host: str, port: int, path: str) -> None:
    found = outward.parse(url)

    assert (found.scheme, found.host, found.port, found.path) == ("https", host, port, path)


def test_loopback_is_for_those_who_may() -> None:
    with receiving() as there:
        said = Outward().call("POST", f"{there.url}/hook?a=1", body=b"{}", headers={"X-One": "1"}, loopback=True)
        with pytest.raises(AddressRefused):
            Outward().call("POST", there.url, body=b"{}")

    assert (said.status, said.body) == (200, b'{"received":true}')
    (heard,) = there.heard
    assert (heard.method, heard.path, heard.body) == ("POST", "/hook?a=1", b"{}")
    assert heard.headers["user-agent"] == "iCommerce/1"
    assert heard.headers["host"] == there.url.removeprefix("http://")
    assert heard.headers["x-one"] == "1"
    assert heard.headers["content-length"] == "2"


def test_loopback_opens_nothing_but_this_machine() -> None:
    with pytest.raises(AddressRefused):
        Outward(resolve=lambda *_: ["10.0.0.1"]).call("GET", "http://shop.example:8080/", loopback=True)
    with pytest.raises(AddressRefused):
        Outward(resolve=lambda *_: ["8.8.8.8"]).call("GET", "http://shop.example:8080/", loopback=True)


def test_the_name_is_looked_up_once_and_the_judged_address_is_the_one_that_is_called(certificate: Path) -> None:
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return next(answers)

    trust = ssl.create_default_context(cafile=str(certificate))
    seen: list[str | None] = []
    tls = server_side(certificate)
    tls.sni_callback = lambda _, name, __: seen.append(name)
    with receiving(tls=tls) as there:
        client = Outward(resolve=rebinding, trust=trust)
        said = client.call("GET", f"https://{NAME}:{port_of(there.url)}/", loopback=True)

    assert said.status == 200
    assert asked == [NAME]
    assert seen == [NAME]
    assert there.heard[0].headers["host"] == f"{NAME}:{port_of(there.url)}"


def test_a_certificate_must_fit_the_name_and_be_believed(certificate: Path) -> None:
    trust = ssl.create_default_context(cafile=str(certificate))
    with receiving(tls=server_side(certificate)) as there:
        port = port_of(there.url)
        for client, host in (
            (Outward(resolve=lambda *_: ["127.0.0.1"], trust=trust), "other.example"),
            (Outward(resolve=lambda *_: ["127.0.0.1"]), NAME),
        ):
            with pytest.raises(Unreachable):
                client.call("GET", f"https://{host}:{port}/", loopback=True)

    assert there.heard == []


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with receiving(says=lambda _: Says(302, b"", {"location": "http://169.254.169.254/latest/meta-data"})) as there:
        said = Outward().call("GET", there.url, loopback=True)

    assert said.status == 302
    assert len(there.heard) == 1


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as there, receiving() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setitem(os.environ, name, proxy.url)
        Outward().call("GET", there.url, loopback=True)

    assert len(there.heard) == 1
    assert proxy.heard == []


def test_a_huge_answer_is_left_where_it_is() -> None:
    sent = itertools.count()

    def huge(_: Heard) -> Says:
        head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n"
        return Says(raw=itertools.chain([head], (b"x" * 65_536 for _ in iter(lambda: next(sent) < 15_000, False))))

    with receiving(says=huge) as there, pytest.raises(AnswerTooLarge):
        Outward().call("GET", there.url, loopback=True)

    assert next(sent) < 14_000


def test_a_packed_answer_stays_packed() -> None:
    import gzip

    packed = gzip.compress(b"0" * 50_000_000)[:60_000]
    with receiving(says=lambda _: Says(200, packed, {"content-encoding": "gzip"})) as there:
        said = Outward().call("GET", there.url, loopback=True)

    assert said.body == packed
    assert there.heard[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n"])
def test_an_answer_that_drips_ends_with_the_time_of_the_whole_call(start: bytes) -> None:
    with receiving() as there:

        def drip() -> Iterator[bytes]:
            yield start
            while not there.closing.wait(0.05):
                yield b"x" if start.endswith(b"\r\n\r\n") else b"x: y\r\n" if start else b"H"

        there.says = lambda _: Says(raw=drip())
        with pytest.raises((TooSlow, Unreachable)):
            Outward().call("GET", there.url, seconds=0.5, loopback=True)


def test_a_receiver_that_takes_nothing_in_ends_with_the_time_of_the_whole_call() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        with pytest.raises(TooSlow):
            Outward().call("POST", url, body=b"x" * 50_000_000, seconds=0.5, loopback=True)


def test_a_look_up_that_hangs_ends_with_the_time_of_the_whole_call() -> None:
    with receiving() as there:
        client = Outward(resolve=lambda *_: [str(there.closing.wait(60))])
        with pytest.raises(TooSlow):
            client.call("GET", f"https://{NAME}/", seconds=0.2)


def test_nobody_there_and_no_such_name_are_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]

    def no_such_name(*_: object) -> list[str]:
        raise socket.gaierror

    with pytest.raises(Unreachable):
        Outward().call("GET", f"http://127.0.0.1:{port}/", loopback=True)
    with pytest.raises(Unreachable):
        Outward(resolve=no_such_name).call("GET", f"https://{NAME}/")


def test_what_is_not_http_is_unreachable_and_its_words_are_in_no_error() -> None:
    with receiving(says=lambda _: Says(raw=iter([b"220 secret words\r\n"]))) as there, pytest.raises(Unreachable) as no:
        Outward().call("GET", f"{there.url}/path?token=hidden", loopback=True)

    assert "secret" not in str(no.value)
    assert "hidden" not in str(no.value)


def test_an_answer_shows_no_body_by_itself() -> None:
    assert "words" not in repr(outward.Answer(200, {}, b"words"))
