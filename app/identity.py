"""Who is asking: a key, a browser session, or nobody yet. Only hashes are looked up."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from engine.agentic import keys
from engine.customers import service as customers
from engine.db import Store
from engine.kit import clock
from engine.kit.direct import Ask, Statement
from engine.kit.errors import Forbidden, InvalidInput, NotFound, Unauthenticated
from engine.kit.identity import Actor, Identity, Scope
from engine.kit.tenancy import BrowserSession, Tenant, hash_secret
from engine.runtime import Runtime
from engine.staff import sessions

COOKIE: Final = "ic_session"
FRAMED: Final = "ic_framed"
"""The same, of the shop's chat in a frame of another site's page: kept for that site alone (app/embed.py)."""
STAFF_COOKIE: Final = "ic_staff"
SESSION_LIFE: Final = timedelta(days=180)
_TOKEN_LIMIT: Final = 200


class BadKey(Unauthenticated):
    code = "unauthorized"


class ShopSuspended(Forbidden):
    code = "tenant_suspended"


class CrossSite(Forbidden):
    code = "cross_site_request"


@dataclass(frozen=True, slots=True)
class Merchant:
    """The tenant as the edge needs it."""

    id: str
    slug: str
    name: str
    host: str | None
    demo: bool
    currency: str
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, row: Tenant) -> Merchant:
        return cls(row.id, row.slug, row.name, row.host, row.demo, row.currency, row.settings)


@dataclass(frozen=True, slots=True)
class Caller:
    """The tenant a request is for and, when it showed a key or a cookie of it, whose request it is."""

    merchant: Merchant
    identity: Identity | None = None

    @property
    def known(self) -> Identity:
        """The identity. Raises ``Unauthenticated`` when there is none."""
        if self.identity is None:
            raise Unauthenticated("Start a conversation first (POST /v1/threads), or send a key.")
        return self.identity

    @property
    def staff(self) -> Identity:
        """The identity, of the shop's people. Raises ``Unauthenticated`` without one, ``Forbidden`` for others."""
        if not self.known.is_staff:
            raise Forbidden("This is for the shop's people: sign in, or use a key with a staff scope.")
        return self.known

    @property
    def operations(self) -> Identity:
        """The identity, of who runs the shop's machinery. Raises as ``staff`` does."""
        if not self.staff.is_operations:
            raise Forbidden("This is for operations: use a key with the ops scope.")
        return self.staff

    def for_thing(self) -> Identity:
        """The identity, to look up a thing by its id. Nobody owns nothing: raises ``NotFound`` without one."""
        if self.identity is None:
            raise NotFound("There is no such thing here.")
        return self.identity


def authenticate(
    runtime: Runtime, *, authorization: str | None, cookie: str | None, host: str, staff_cookie: str | None = None
) -> Caller:
    """Resolve a request. Raises ``BadKey`` for a key that is not good, ``ShopSuspended``, ``NotFound`` when there is
    no shop at all.
    """
    if authorization is not None:
        return _by_key(runtime, authorization)
    with runtime.store.without_tenant() as session:
        named = _named(session, host)
        if staff_cookie and (found := _by_staff_cookie(session, staff_cookie, named)):
            return found
        if cookie and (found := _by_cookie(session, cookie, named)):
            return found
        return Caller(named or _default(session, demo=runtime.demo))


def session_of(cookies: Mapping[str, str], shop: str = "") -> str | None:
    """The cookie of a shopper's browser, or of the frame it shows the chat in. Where one host has several shops (the
    demo), a page says which ``shop`` it is of: who the browser is there stays so whatever other tabs are of.
    """
    return cookies.get(cookie_at(shop)) or cookies.get(COOKIE) or cookies.get(FRAMED)


def cookie_at(shop: str) -> str:
    """The name of the cookie of one of several shops on one host; ``COOKIE`` is that of the one entered last."""
    return f"{COOKIE}_at_{shop}"


def merchant_by_slug(runtime: Runtime, slug: str) -> Merchant:
    """An active shop by its slug. Raises ``NotFound``."""
    with runtime.store.without_tenant() as session:
        query = select(Tenant).where(Tenant.slug == slug, Tenant.status == "active")
        row = session.scalar(query) if slug.isprintable() else None
        if row is None:
            raise NotFound("There is no such shop.")
        return Merchant.of(row)


def shop_named(runtime: Runtime, caller: Caller, slug: str, host: str) -> Merchant:
    """The shop that an address names, where its host is no shop's own. Raises ``NotFound``."""
    if not slug or caller.merchant.slug == slug:
        return caller.merchant
    named = merchant_by_slug(runtime, slug)
    if named.host or caller.merchant.host == host_name(host):
        raise NotFound("There is no such shop.")
    return named


def new_session(session: Session, identity: Identity) -> str:
    """Remember a browser as this shopper; returns the cookie's value, which is kept nowhere."""
    token = secrets.token_urlsafe(32)
    expires = clock.now() + SESSION_LIFE
    session.add(
        BrowserSession(
            token_hash=hash_secret(token),
            tenant_id=identity.tenant_id,
            shopper_id=identity.id,
            expires_at=expires,
        )
    )
    return token


def rotate_session(session: Session, identity: Identity) -> str:
    """A new cookie's value for this shopper; every earlier cookie of theirs opens nothing from now on."""
    end_session(session, identity)
    return new_session(session, identity)


def end_session(session: Session, identity: Identity) -> None:
    """Forget every browser that stands for this shopper."""
    session.execute(
        delete(BrowserSession).where(
            BrowserSession.tenant_id == identity.tenant_id, BrowserSession.shopper_id == identity.id
        )
    )


def end_everywhere(session: Session, identity: Identity) -> None:
    """Forget every browser of this shopper's customer; of a guest, this one's."""
    theirs = customers.shoppers_of(session, identity)
    session.execute(
        delete(BrowserSession).where(
            BrowserSession.tenant_id == identity.tenant_id, BrowserSession.shopper_id.in_(theirs)
        )
    )


def check_same_site(headers: Mapping[str, str], own_origin: str) -> None:
    """Refuse a write that another site's page makes with the browser's cookie. Raises ``CrossSite``."""
    origin = headers.get("origin")
    foreign = origin is not None and origin.lower() != own_origin.lower()
    if foreign or headers.get("sec-fetch-site") == "cross-site":
        raise CrossSite("This request came from another site.")


def host_name(host: str) -> str:
    """The name in a Host header, without port. Raises ``InvalidInput`` for what is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        raise InvalidInput("The Host header names no host.", param="Host") from None


_KEY: Final = Statement("""
SELECT k.id, k.scopes, k.person, k.platform_id, t.id AS tenant_id, t.slug, t.name, t.host, t.demo, t.currency,
  t.settings, t.status, k.xmin::text AS key_version, t.xmin::text AS tenant_version
FROM app.api_keys k JOIN app.tenants t ON t.id = k.tenant_id
WHERE k.key_hash = %(hash)s AND k.revoked_at IS NULL AND k.suspended_at IS NULL
  AND (k.expires_at IS NULL OR k.expires_at > %(now)s)
""")
_UNCHANGED: Final = Statement("""
SELECT 1 / count(*) AS whole FROM app.api_keys k JOIN app.tenants t ON t.id = k.tenant_id
WHERE k.key_hash = %(hash)s AND (k.expires_at IS NULL OR k.expires_at > %(now)s)
  AND k.xmin::text = %(key_version)s AND t.xmin::text = %(tenant_version)s
""")


@dataclass(frozen=True, slots=True)
class Guard:
    """What a remembered caller rests on: the rows of the key and of its shop."""

    key_hash: str
    key_version: str
    tenant_version: str

    def ask(self) -> Ask:
        """A statement that fails (``Refused``) when anything of it has changed, or the key's time is over."""
        versions = {"key_version": self.key_version, "tenant_version": self.tenant_version}
        return _UNCHANGED, {"hash": self.key_hash, "now": clock.now()} | versions


_REMEMBERED: Final = 1_000


def recalled(runtime: Runtime, authorization: str) -> tuple[Caller, Guard] | None:
    """Whose key it was when it was last looked up; good only in a transaction that asks the guard."""
    token = _token(authorization)
    return _memory(runtime).get(hash_secret(token))


def _memory(runtime: Runtime) -> dict[str, tuple[Caller, Guard]]:
    return _MEMORIES.setdefault(runtime.store, {})


_MEMORIES: Final[WeakKeyDictionary[Store, dict[str, tuple[Caller, Guard]]]] = WeakKeyDictionary()


def _token(authorization: str) -> str:
    """Raises ``BadKey``."""
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token.startswith(keys.PREFIX) or len(token) > _TOKEN_LIMIT:
        raise BadKey("This key is not valid.")
    return token


def _by_key(runtime: Runtime, authorization: str) -> Caller:
    """In one round trip: every request of a program comes through here."""
    key_hash = hash_secret(_token(authorization))
    (rows,) = runtime.store.ask("", (_KEY, {"hash": key_hash, "now": clock.now()}))
    if not rows:
        raise BadKey("This key is not valid.")
    row = rows[0]
    require_open(row["status"])
    identity = Identity(
        row["tenant_id"],
        Actor.API_KEY,
        row["id"],
        scopes=frozenset(Scope(scope) for scope in row["scopes"]),
        person=row["person"],
        key_id=row["id"],
        platform_id=row["platform_id"],
    )
    known = (row[name] for name in ("tenant_id", "slug", "name", "host", "demo", "currency", "settings"))
    caller = Caller(Merchant(*known), identity if identity.is_staff else identity.buyer)
    memory = _memory(runtime)
    if len(memory) >= _REMEMBERED:
        memory.clear()
    memory[key_hash] = caller, Guard(key_hash, row["key_version"], row["tenant_version"])
    return caller


def _by_cookie(session: Session, cookie: str, named: Merchant | None) -> Caller | None:
    if len(cookie) > _TOKEN_LIMIT:
        return None
    row = session.execute(
        select(BrowserSession.shopper_id, Tenant)
        .join(Tenant, Tenant.id == BrowserSession.tenant_id)
        .where(BrowserSession.token_hash == hash_secret(cookie), BrowserSession.expires_at > clock.now())
    ).one_or_none()
    if row is None or (named is not None and named.id != row.Tenant.id):
        return None
    require_active(row.Tenant)
    session.execute(text("SELECT set_config('app.tenant_id', :tenant, true)"), {"tenant": row.Tenant.id})
    identity = customers.shopper(session, row.Tenant.id, row.shopper_id)
    return Caller(Merchant.of(row.Tenant), identity) if identity else None


def _by_staff_cookie(session: Session, cookie: str, named: Merchant | None) -> Caller | None:
    identity = sessions.who(session, cookie)
    if identity is None or (named is not None and named.id != identity.tenant_id):
        return None
    tenant = session.get_one(Tenant, identity.tenant_id)
    require_active(tenant)
    return Caller(Merchant.of(tenant), identity)


def require_active(tenant: Tenant) -> None:
    """Raises ``ShopSuspended``."""
    require_open(tenant.status)


def require_open(status: str) -> None:
    """The same of a shop's status."""
    if status != "active":
        raise ShopSuspended("This shop is closed at the moment.")


def _named(session: Session, host: str) -> Merchant | None:
    """The shop a host name belongs to. Raises ``ShopSuspended``."""
    name = host_name(host)
    if not name or name == "localhost" or _is_address(name):
        return None
    row = session.scalar(select(Tenant).where(Tenant.host == name))
    if row is None:
        return None
    require_active(row)
    return Merchant.of(row)


def _default(session: Session, *, demo: bool) -> Merchant:
    """The shop of requests that name none: the first demo shop in demo mode, else the first."""
    order = (Tenant.demo.desc(), Tenant.number) if demo else (Tenant.number,)
    row = session.scalar(select(Tenant).where(Tenant.status == "active").order_by(*order).limit(1))
    if row is None:
        raise NotFound("There is no shop here yet.")
    return Merchant.of(row)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
