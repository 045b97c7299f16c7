"""The console's door, and people to come in by it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from app.identity import STAFF_COOKIE
from engine.kit.identity import Role
from engine.kit.members import StaffMember
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.staff import members
from tests.app.conftest import WEB, Browser

_numbers = itertools.count(1)
Hire = Callable[..., StaffMember]


class Console(Browser):
    """A browser at the console: it says that it is, and where its requests come from."""

    def form(self, path: str, **fields: str) -> Any:
        return self.http.post(path, data=fields, headers={"Origin": WEB}, follow_redirects=False)

    def page(self, path: str) -> Any:
        return self.http.get(path, follow_redirects=False)

    def post(self, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> Any:
        return super().post(path, body, key=key, **({"X_Staff": "1", "Origin": WEB} | headers))

    def get(self, path: str, **headers: str) -> Any:
        return super().get(path, **({"X_Staff": "1"} | headers))

    @property
    def cookie(self) -> str | None:
        return self.http.cookies.get(STAFF_COOKIE)


@pytest.fixture
def hire(runtime: Runtime) -> Hire:
    """Somebody who works for a shop."""

    def make(tenant: Tenant, role: Role, name: str = "") -> StaffMember:
        name = name or f"Person {next(_numbers)}"
        email = f"{name.replace(' ', '.').lower()}@people.example"
        with runtime.unit_of_work(tenant.id) as session:
            return members.invite(session, runtime, tenant.id, email=email, role=role, actor="test", name=name).member

    return make


@pytest.fixture
def console(open_browser: Callable[[], Browser]) -> Callable[..., Console]:
    """A browser in which a member is signed in; without one, a browser at the door."""

    def make(runtime: Runtime | None = None, member: StaffMember | None = None) -> Console:
        made = Console(open_browser().http)
        if runtime and member:
            with runtime.unit_of_work(member.tenant_id) as session:
                row = members.locked(session, member.tenant_id, member.id)
                made.http.cookies.set(STAFF_COOKIE, members.sign_in(session, row, by="test"))
        return made

    return make
