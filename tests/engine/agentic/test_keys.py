"""Keys of agent platforms: replaced without a gap, and what was bought stays the platform's."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.identity import BadKey, authenticate
from engine.agentic import keys
from engine.agentic.models import AgentPlatform
from engine.kit import clock
from engine.kit.errors import NotFound
from engine.kit.identity import Identity, Scope
from engine.kit.tenancy import ApiKey
from engine.runtime import Runtime
from tests.shop import Shop


def _make(runtime: Runtime, shop: Shop, *scopes: str, platform: str = "") -> keys.NewKey:
    with runtime.unit_of_work(shop.tenant.id) as session:
        return keys.create(session, shop.tenant.id, scopes=list(scopes), actor="test", platform=platform)


def _who(runtime: Runtime, secret: str) -> Identity:
    return authenticate(runtime, authorization=f"Bearer {secret}", cookie=None, host="x").known


def test_a_key_that_names_no_platform_has_one_of_its_own(runtime: Runtime, shop: Shop) -> None:
    one, two = _make(runtime, shop, "acp"), _make(runtime, shop, "acp")
    named = [_make(runtime, shop, "acp", platform="Assistant") for _ in range(2)]
    assert len({one.platform_id, two.platform_id, named[0].platform_id}) == 3
    assert named[0].platform_id == named[1].platform_id
    with runtime.unit_of_work(shop.tenant.id) as session:
        assert session.get_one(AgentPlatform, (shop.tenant.id, named[0].platform_id)).trusted


def test_a_platform_buys_as_itself_and_staff_act_as_themselves(runtime: Runtime, shop: Shop) -> None:
    buying, both, staff = (_make(runtime, shop, *scopes) for scopes in (["acp"], ["acp", "staff"], ["staff"]))
    assert _who(runtime, buying.secret).id == buying.platform_id
    known = _who(runtime, both.secret)
    assert known.id == both.id
    assert known.is_staff
    assert known.buyer.id == both.platform_id
    assert known.buyer.scopes == {Scope.ACP}
    assert not known.buyer.is_staff
    assert staff.platform_id is None
    assert _who(runtime, staff.secret).buyer.id == staff.id


def test_a_replaced_key_goes_on_for_a_while(runtime: Runtime, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    old = _make(runtime, shop, "acp")
    with runtime.unit_of_work(shop.tenant.id) as session:
        new = keys.rotate(session, shop.tenant.id, old.id, actor="test", overlap=timedelta(hours=1))
    assert _who(runtime, old.secret).id == _who(runtime, new.secret).id == old.platform_id
    later = clock.now() + timedelta(hours=2)
    monkeypatch.setattr(clock, "now", lambda: later)
    with pytest.raises(BadKey):
        _who(runtime, old.secret)
    assert _who(runtime, new.secret).key_id == new.id


def test_a_key_that_ended_is_not_replaced(runtime: Runtime, shop: Shop) -> None:
    old = _make(runtime, shop, "staff")
    with runtime.store.without_tenant() as session:
        session.get_one(ApiKey, old.id).revoked_at = clock.now()
    with runtime.unit_of_work(shop.tenant.id) as session, pytest.raises(NotFound):
        keys.rotate(session, shop.tenant.id, old.id, actor="test", overlap=timedelta(hours=1))
