"""Versions of mappings: saved when they fit, in force when somebody says so, and never two at once."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from engine.kit.audit import AuditRow
from engine.kit.errors import InvalidInput, NotFound
from engine.sync import mapping, mappings, targets
from engine.sync.mapping import MappingRefused
from engine.sync.work_models import Mapping
from tests.engine.sync.targets import MADE, ORDER, PLACE, SPEC

NAME = "order-to-sales-order"


@pytest.fixture(autouse=True)
def _target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(targets.TARGETS, "test.salesOrder", PLACE)
    monkeypatch.setitem(targets.TARGETS, "test.other", PLACE)


def save(runtime, tenant, spec: Any = None, **more: Any) -> Mapping:
    usual = {"actor": "key_test", "name": NAME, "target": "test.salesOrder", "spec": spec or SPEC}
    with runtime.unit_of_work(tenant.id) as session:
        return mappings.save(session, tenant.id, **(usual | more))


def activate(runtime, tenant, version: int) -> Mapping:
    with runtime.unit_of_work(tenant.id) as session:
        return mappings.activate(session, tenant.id, actor="key_test", name=NAME, version=version)


def other_spec() -> dict[str, Any]:
    made = copy.deepcopy(SPEC)
    made["fields"]["status"] = {"constant": "A"}
    return made


def test_a_version_is_in_force_when_somebody_says_so(runtime, tenant) -> None:
    first, second = save(runtime, tenant), save(runtime, tenant, other_spec(), note="pending")
    with runtime.unit_of_work(tenant.id) as session:
        assert (first.version, second.version) == (1, 2)
        assert mappings.active(session, tenant.id, NAME) is None
        assert mappings.ready(session, tenant.id, NAME) is None

    activate(runtime, tenant, 2)
    activate(runtime, tenant, 2)
    activate(runtime, tenant, 1)

    with runtime.unit_of_work(tenant.id) as session:
        ready = mappings.ready(session, tenant.id, NAME)
        assert ready is not None
        assert mapping.apply(ready, ORDER) == MADE
        assert [row.version for row in mappings.versions(session, tenant.id, NAME)] == [2, 1]
        assert [(row.name, row.version) for row in mappings.listed(session, tenant.id)] == [(NAME, 2)]
        told = [(row.action, row.facts) for row in session.query(AuditRow).order_by(AuditRow.id)]
    assert [(action, facts["version"], facts.get("before")) for action, facts in told] == [
        ("mapping.saved", 1, None),
        ("mapping.saved", 2, None),
        ("mapping.activated", 2, None),
        ("mapping.activated", 1, 2),
    ]


def test_what_does_not_fit_is_not_kept(runtime, tenant) -> None:
    wrong = copy.deepcopy(SPEC)
    wrong["fields"]["nowhere"] = {"path": "x"}
    for refusal, more in (
        (MappingRefused, {"spec": wrong}),
        (InvalidInput, {"target": "nowhere"}),
        (mappings.SampleRefused, {"samples": [ORDER, ORDER | {"processed_at": "x"}]}),
        (InvalidInput, {"spec": SPEC | {"lookups": {"x": {"values": {"a": "b" * 500_000}}}}}),
    ):
        with pytest.raises(refusal):
            save(runtime, tenant, **more)
    with runtime.unit_of_work(tenant.id) as session:
        assert (session.query(Mapping).count(), session.query(AuditRow).count()) == (0, 0)


def test_a_sample_that_does_not_map_is_named(runtime, tenant) -> None:
    with pytest.raises(mappings.SampleRefused) as error:
        save(runtime, tenant, samples=[ORDER, ORDER | {"processed_at": "yesterday"}])
    assert error.value.message == "Sample 1 does not map. tranDate: it is no moment"


def test_a_mapping_keeps_its_target(runtime, tenant) -> None:
    save(runtime, tenant)
    with pytest.raises(InvalidInput, match="another target has another name"):
        save(runtime, tenant, target="test.other")


def test_eight_who_save_at_once_have_eight_numbers(runtime, tenant) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: save(runtime, tenant).version, range(8)))
    assert sorted(found) == list(range(1, 9))


def test_one_is_in_force_however_many_say_so_at_once(runtime, tenant) -> None:
    for _ in range(4):
        save(runtime, tenant)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda turn: activate(runtime, tenant, turn + 1), range(4)))
    with runtime.unit_of_work(tenant.id) as session:
        assert session.query(Mapping).filter(Mapping.active).count() == 1


def test_a_dry_run_and_a_difference_by_version(runtime, tenant) -> None:
    save(runtime, tenant)
    save(runtime, tenant, other_spec())
    with runtime.unit_of_work(tenant.id) as session:
        (newest,) = mappings.dry_run(session, tenant.id, NAME, [ORDER])
        (first,) = mappings.dry_run(session, tenant.id, NAME, [ORDER], version=1)
        (changed,) = mappings.diff(session, tenant.id, NAME, [ORDER], old=1, new=2)
        with pytest.raises(NotFound):
            mappings.dry_run(session, tenant.id, NAME, [ORDER], version=3)
        with pytest.raises(InvalidInput):
            mappings.dry_run(session, tenant.id, NAME, [ORDER] * 101)
    assert (newest.result["status"], first.result["status"], changed.changed) == ("A", "B", {"status": ["B", "A"]})


def test_what_no_longer_fits_is_not_put_in_force(runtime, tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    save(runtime, tenant)
    monkeypatch.setitem(targets.TARGETS, "test.salesOrder", "tests.engine.sync.targets:Address")

    with pytest.raises(MappingRefused):
        activate(runtime, tenant, 1)
    with runtime.unit_of_work(tenant.id) as session:
        assert mappings.active(session, tenant.id, NAME) is None
