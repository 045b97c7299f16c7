"""A client of the ERP that has an address and keys: machine to machine, or signed requests."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from engine.kit import clock
from engine.sync.sandbox.merchants import Merchant
from engine.sync.sandbox.netsuite.state import Keys
from engine.sync.sandbox.netsuite.tokens import signature

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def packed(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def jwt(head: dict[str, Any], claims: dict[str, Any], pem: str) -> str:
    """A signed JSON web token: ES256 with an elliptic key, PS256 with an RSA key."""
    key = serialization.load_pem_private_key(pem.encode(), None)
    text = f"{packed(json.dumps(head).encode())}.{packed(json.dumps(claims).encode())}"
    if isinstance(key, rsa.RSAPrivateKey):
        pad = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)
        return f"{text}.{packed(key.sign(text.encode(), pad, hashes.SHA256()))}"
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    r, s = utils.decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{text}.{packed(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


class Erp:
    """Requests to one account, with a bearer that is fetched first."""

    def __init__(self, client: httpx.Client, merchant: Merchant) -> None:
        self.client = client
        self.merchant = merchant
        self.base = f"/netsuite/{merchant.credentials.netsuite_account}/services/rest"
        self.bearer = ""

    @property
    def token_url(self) -> str:
        return f"http://sandbox{self.base}/auth/oauth2/v1/token"

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(clock.now().timestamp())
        told = {
            "iss": self.merchant.credentials.netsuite_client_id,
            "scope": ["rest_webservices"],
            "aud": self.token_url,
            "iat": now,
            "exp": now + 3000,
        }
        return told | changed

    def ask_token(self, *, head: dict[str, Any] | None = None, pem: str = "", **changed: Any) -> httpx.Response:
        who = self.merchant.credentials
        header = {"typ": "JWT", "alg": "ES256", "kid": who.netsuite_certificate_id} | (head or {})
        token = jwt(header, self.claims(**changed), pem or who.netsuite_private_key_pem)
        form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION, "client_assertion": token}
        return self.client.post(f"{self.base}/auth/oauth2/v1/token", data=form)

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        if not self.bearer:
            self.bearer = self.ask_token().json()["access_token"]
        head = {"Authorization": f"Bearer {self.bearer}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return self.client.request(method, f"{self.base}{path}", json=body, headers=head)

    def signed(self, method: str, path: str, body: Any = None, **changed: str) -> httpx.Response:
        """A request with an OAuth 1.0a header (TBA)."""
        who = self.merchant.credentials
        parts = urlsplit(path)
        told = {
            "realm": who.netsuite_account,
            "oauth_consumer_key": who.netsuite_consumer_key,
            "oauth_token": who.netsuite_token_id,
            "oauth_signature_method": "HMAC-SHA256",
            "oauth_timestamp": str(int(clock.now().timestamp())),
            "oauth_nonce": packed(str(len(self.merchant.account.nonces)).encode()),
            "oauth_version": "1.0",
        }
        told |= changed
        keys = Keys(consumer_secret=who.netsuite_consumer_secret, token_secret=who.netsuite_token_secret)
        url = f"http://sandbox{self.base}{parts.path}"
        mac = signature(keys, method, url, dict(parse_qsl(parts.query)), told)
        told.setdefault("oauth_signature", mac)
        from urllib.parse import quote

        header = "OAuth " + ", ".join(f'{name}="{quote(value, safe="-._~")}"' for name, value in told.items())
        return self.client.request(method, f"{self.base}{path}", json=body, headers={"Authorization": header})

    def make(self, path: str, body: Any, method: str = "POST") -> str:
        """The id of what was made or changed; fails where it was refused."""
        answer = self.request(method, f"/record/v1/{path}", body)
        assert answer.status_code == 204, answer.text
        return answer.headers["location"].rpartition("/")[2]

    def get(self, path: str) -> dict[str, Any]:
        answer = self.request("GET", f"/record/v1/{path}?expandSubResources=true")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def refused(self, path: str, body: Any, method: str = "POST") -> tuple[int, str]:
        """Status and code of a refusal."""
        answer = self.request(method, f"/record/v1/{path}", body)
        return answer.status_code, str(answer.json()["o:errorDetails"][0]["o:errorCode"])

    def query(self, text: str, page: str = "") -> dict[str, Any]:
        answer = self.request("POST", f"/query/v1/suiteql{page}", {"q": text}, Prefer="transient")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def rows(self, text: str) -> list[dict[str, Any]]:
        return [{name: value for name, value in row.items() if name != "links"} for row in self.query(text)["items"]]

    def item(self, sku: str) -> str:
        return str(self.rows(f"SELECT id FROM item WHERE itemid = '{sku}'")[0]["id"])

    def place(self, code: str = "RNO") -> str:
        return str(self.rows(f"SELECT id FROM location WHERE name = '{code}'")[0]["id"])

    def customer(self) -> str:
        body = {"firstName": "Maya", "lastName": "Lindqvist", "isPerson": True, "subsidiary": {"id": "1"}}
        return self.make("customer/eid:SHOP-maya", body, "PUT")

    def stocked(self, place: int = 0, *, least: int = 10) -> str:
        """The SKU of goods that lie in Reno."""
        found = [item.number for item in self.merchant.house.items.values() if item.on_hand >= least]
        return found[place]

    def order(self, *lines: tuple[str, int], external_id: str = "SHOP-1", **fields: Any) -> str:
        """A sales order; returns its id."""
        sold = lines or ((self.stocked(), 3),)
        items = [{"item": {"id": self.item(sku)}, "quantity": quantity, "rate": 20} for sku, quantity in sold]
        body = {
            "entity": {"id": self.customer()},
            "location": {"id": self.place()},
            "item": {"items": items},
        }
        return self.make(f"salesOrder/eid:{external_id}", body | fields, "PUT")

    def status(self, kind: str, number: str) -> str:
        return str(self.get(f"{kind}/{number}")["status"]["id"])

    def balance(self, sku: str, code: str = "RNO") -> tuple[int, int]:
        """On hand and available."""
        text = "SELECT quantityonhand, quantityavailable FROM inventorybalance WHERE item = {} AND location = {}"
        row = self.rows(text.format(self.item(sku), self.place(code)))[0]
        return int(row["quantityonhand"]), int(row["quantityavailable"])
