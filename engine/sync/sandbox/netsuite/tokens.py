"""Who may come in: a bearer token for a signed assertion (OAuth 2.0, machine to machine), or a signed request (TBA)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, cast
from urllib.parse import parse_qsl, quote, unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from engine.sync.sandbox.netsuite.errors import problem
from engine.sync.sandbox.netsuite.state import AccountState, Keys
from engine.sync.sandbox.wire import Answer, Call, Json

LIVES: Final = timedelta(seconds=3600)
_LONGEST: Final = 3600
_LEEWAY: Final = 60
_STAMP_WINDOW: Final = 300
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_SCOPE: Final = "rest_webservices"


class Denied(Exception):
    """Why an assertion was refused."""


def grant(state: AccountState, call: Call, *, wall: datetime) -> Answer:
    """``POST /auth/oauth2/v1/token``."""
    form = dict(parse_qsl(call.body.decode(errors="replace")))
    if form.get("grant_type") != "client_credentials" or form.get("client_assertion_type") != _ASSERTION:
        return Answer(400, {"error": "unsupported_grant_type"})
    try:
        check_assertion(state.keys, form.get("client_assertion", ""), audience=call.url, wall=wall)
    except Denied:
        return Answer(400, {"error": "invalid_grant"})
    bearer = f"{state.rng.getrandbits(256):064x}"
    state.bearers[bearer] = wall + LIVES
    return Answer(200, {"access_token": bearer, "expires_in": str(int(LIVES.total_seconds())), "token_type": "Bearer"})


def check_assertion(keys: Keys, token: str, *, audience: str, wall: datetime) -> None:
    """Raises ``Denied`` unless the JWT is signed by a certificate of this client, for this address, and for now."""
    try:
        head, claims, signed, signature = _opened(token)
    except ValueError as error:
        raise Denied("unreadable") from error
    certificate = keys.certificates.get(str(head.get("kid")))
    if certificate is None:
        raise Denied("no such certificate")
    _check_signature(str(head.get("alg")), certificate, signed, signature)
    _check_claims(keys, claims, audience=audience, wall=wall)


def _opened(token: str) -> tuple[Json, Json, bytes, bytes]:
    parts = token.split(".")
    if len(parts) != 3:
        raise ValueError("three parts")
    head, claims = (json.loads(_unpacked(part)) for part in parts[:2])
    if not isinstance(head, dict) or not isinstance(claims, dict):
        raise ValueError("two objects")  # noqa: TRY004 (the caller's mistake, not the program's)
    return head, claims, f"{parts[0]}.{parts[1]}".encode(), _unpacked(parts[2])


def _unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _check_signature(algorithm: str, certificate: str, signed: bytes, signature: bytes) -> None:
    key = serialization.load_pem_public_key(certificate.encode())
    try:
        if algorithm == "PS256" and isinstance(key, rsa.RSAPublicKey):
            pad = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)
            key.verify(signature, signed, pad, hashes.SHA256())
            return
        if algorithm == "ES256" and isinstance(key, ec.EllipticCurvePublicKey) and len(signature) == 64:
            numbers = (int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
            key.verify(utils.encode_dss_signature(*numbers), signed, ec.ECDSA(hashes.SHA256()))
            return
    except InvalidSignature as error:
        raise Denied("wrong signature") from error
    raise Denied("algorithm")


def _check_claims(keys: Keys, claims: Json, *, audience: str, wall: datetime) -> None:
    now = wall.timestamp()
    issued, ends = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int) or not isinstance(ends, int):
        raise Denied("dates")
    scope = claims.get("scope")
    scopes = scope if isinstance(scope, list) else str(scope).replace(",", " ").split()
    wrong = {
        "issuer": claims.get("iss") != keys.client_id,
        "audience": claims.get("aud") != audience,
        "scope": _SCOPE not in scopes,
        "not yet": issued > now + _LEEWAY,
        "no more": ends <= now - _LEEWAY,
        "too long": ends - issued > _LONGEST,
    }
    for why, found in wrong.items():
        if found:
            raise Denied(why)


def check_caller(state: AccountState, call: Call, *, wall: datetime) -> Answer | None:
    """Nothing for who may come in; the refusal for who may not."""
    given = call.header("authorization")
    scheme, _, rest = given.partition(" ")
    if scheme.lower() == "bearer" and state.bearers.get(rest, wall) > wall:
        return None
    if scheme.lower() == "oauth" and _signed(state, call, rest, wall):
        return None
    return denied()


def denied() -> Answer:
    detail = "Invalid login attempt. For more details, see the Login Audit Trail in the NetSuite UI."
    answer = problem(401, detail, "INVALID_LOGIN")
    answer.headers["www-authenticate"] = 'Bearer realm="NetSuite", error="invalid_token"'
    return answer


def _signed(state: AccountState, call: Call, text: str, wall: datetime) -> bool:
    told = _read_header(text)
    keys = state.keys
    known = (told.get("oauth_consumer_key"), told.get("oauth_token")) == (keys.consumer_key, keys.token_id)
    method = told.get("oauth_signature_method") == "HMAC-SHA256"
    realm = str(told.get("realm", "")).upper() == state.account.upper()
    stamp, nonce = str(told.get("oauth_timestamp", "")), str(told.get("oauth_nonce", ""))
    fresh = stamp.isdigit() and abs(int(stamp) - wall.timestamp()) <= _STAMP_WINDOW
    if not (keys.consumer_key and known and method and realm and fresh and nonce and nonce not in state.nonces):
        return False
    wanted = signature(keys, call.method, call.url, call.query, told)
    if not hmac.compare_digest(wanted, str(told.get("oauth_signature", ""))):
        return False
    state.nonces.add(nonce)
    return True


def _read_header(text: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in text.split(","))
    return {name: unquote(value.strip('"')) for name, _, value in pairs if name}


def signature(keys: Keys, method: str, url: str, query: Mapping[str, str], told: Mapping[str, Any]) -> str:
    """The OAuth 1.0a signature (RFC 5849, section 3.4): HMAC-SHA256 over method, address and sorted parameters."""
    said = {name: value for name, value in told.items() if name not in {"realm", "oauth_signature"}}
    pairs = sorted((_escaped(name), _escaped(str(value))) for name, value in {**query, **said}.items())
    joined = "&".join(f"{name}={value}" for name, value in pairs)
    base = "&".join((method.upper(), _escaped(url), _escaped(joined)))
    key = f"{_escaped(keys.consumer_secret)}&{_escaped(keys.token_secret)}"
    return base64.b64encode(hmac.new(key.encode(), base.encode(), hashlib.sha256).digest()).decode()


def _escaped(text: str) -> str:
    return quote(text, safe="-._~")


def rotate(keys: Keys, params: Json, fresh: str) -> None:
    """New secrets: ``what`` is ``token_secret`` (the default), ``consumer_secret``, or ``certificates`` (none left but
    the one that ``value`` gives under ``kid``).
    """
    what = str(params.get("what", "token_secret"))
    if what == "certificates":
        keys.certificates = {str(params["kid"]): cast("str", params["value"])} if "kid" in params else {}
    else:
        setattr(keys, what, params.get("value") or fresh)
