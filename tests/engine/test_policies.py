"""Every domain's policy is listed, shown with its defaults, and changed with a trace."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest
from sqlalchemy import select

import engine
from engine.kit.audit import AuditRow
from engine.kit.errors import InvalidInput
from engine.kit.policies import Policy, PolicyBroken, policy_of
from engine.kit.tenancy import Tenant
from engine.policies import POLICIES, policy_kind, set_policy, show_policies
from engine.runtime import Runtime
from tests.conftest import MakeTenant

INVENTORY = policy_kind("inventory")


def test_every_policy_of_the_engine_is_listed_under_its_section() -> None:
    for module in pkgutil.walk_packages(engine.__path__, "engine."):
        import_module(module.name)
    declared = {kind.section: f"{kind.__module__}:{kind.__name__}" for kind in all_kinds(Policy)}
    assert declared.items() <= dict(POLICIES).items()
    for section in POLICIES:
        assert policy_kind(section).section == section


def all_kinds(kind: type[Policy]) -> list[type[Policy]]:
    below = [each for each in kind.__subclasses__() if each.__module__.startswith("engine.")]
    return below + [deeper for each in below for deeper in all_kinds(each)]


def test_what_a_shop_never_said_is_the_default(runtime: Runtime, tenant: Tenant) -> None:
    with runtime.unit_of_work(tenant.id) as session:
        views = {view.section: view for view in show_policies(session, tenant.id)}
    assert set(views) == set(POLICIES)
    assert views["inventory"].values == INVENTORY().model_dump(mode="json")
    assert views["inventory"].changed == []
    assert views["inventory"].about


def test_a_change_is_kept_audited_and_stays_in_its_shop(
    runtime: Runtime, tenant: Tenant, make_tenant: MakeTenant
) -> None:
    other = make_tenant()
    with runtime.unit_of_work(tenant.id) as session:
        set_policy(session, tenant.id, "inventory", {"lead_days": 3}, actor="key_x")
        view = set_policy(session, tenant.id, "inventory", {"low_stock_at": 5}, actor="key_x")
    assert view.changed == ["lead_days", "low_stock_at"]
    with runtime.unit_of_work(tenant.id) as session:
        policy = policy_of(session, tenant.id, INVENTORY)
        told = session.execute(select(AuditRow.actor, AuditRow.action, AuditRow.subject, AuditRow.facts)).all()
    assert (policy.lead_days, policy.low_stock_at) == (3, 5)  # type: ignore[attr-defined]
    # Two lines of one transaction have no order.
    assert sorted((tuple(row) for row in told), key=str) == [
        ("key_x", "policy.changed", "inventory", {"lead_days": [14, 3]}),
        ("key_x", "policy.changed", "inventory", {"low_stock_at": [None, 5]}),
    ]
    with runtime.unit_of_work(other.id) as session:
        assert policy_of(session, other.id, INVENTORY) == INVENTORY()


def test_saying_what_is_so_already_leaves_no_trace(runtime: Runtime, tenant: Tenant) -> None:
    with runtime.unit_of_work(tenant.id) as session:
        set_policy(session, tenant.id, "inventory", {"lead_days": 14}, actor="cli")
        assert session.scalars(select(AuditRow.id)).all() == []


@pytest.mark.parametrize(
    ("section", "values", "words"),
    [
        ("nothing", {}, "there are: "),
        ("inventory", {"colour": 1}, "it has: variance_auto_approve_units"),
        ("inventory", {"lead_days": 1, "low_stock_at": -1}, "inventory.low_stock_at"),
        ("inventory", {"lead_days": "soon"}, "inventory.lead_days"),
    ],
)
def test_what_cannot_be_changes_nothing(
    runtime: Runtime, tenant: Tenant, section: str, values: dict[str, object], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words), runtime.unit_of_work(tenant.id) as session:
        set_policy(session, tenant.id, section, values, actor="cli")
    with runtime.unit_of_work(tenant.id) as session:
        assert policy_of(session, tenant.id, INVENTORY) == INVENTORY()
        assert session.scalars(select(AuditRow.id)).all() == []


def test_a_rule_that_cannot_be_any_more_is_named_and_can_be_set_anew(runtime: Runtime, tenant: Tenant) -> None:
    orders = policy_kind("orders")
    with runtime.store.without_tenant() as session:
        row = session.get_one(Tenant, tenant.id)
        row.settings = row.settings | {"policies": {"orders": {"change_window_minutes": 10**18}}}
    with (
        runtime.unit_of_work(tenant.id) as session,
        pytest.raises(PolicyBroken, match=r"orders\.change_window_minutes"),
    ):
        policy_of(session, tenant.id, orders)
    with runtime.unit_of_work(tenant.id) as session:
        set_policy(session, tenant.id, "orders", {"change_window_minutes": 60}, actor="key_x")
        assert policy_of(session, tenant.id, orders).model_dump()["change_window_minutes"] == 60
