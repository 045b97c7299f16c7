"""A backup is one moment of a store that goes on selling, and comes back to the cent, the unit and the last link."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from engine import jobs
from engine.backup import catalog, restoring
from engine.backup.archive import MANIFEST, Archive
from engine.backup.errors import BackupDamaged, NewerSchema, NotABackup, StillServing, TargetNotEmpty, WrongKey
from engine.backup.manifest import Manifest
from engine.backup.taking import take_backup
from engine.checkout.complete import Result, complete
from engine.checks import run_checks
from engine.db import open_engine
from engine.kit import audit, clock, holds
from engine.migrate import known_revisions, prepare, upgrade
from engine.runtime import Runtime
from tests.engine.backup.conftest import MakePlace, Place, shop_in
from tests.shop import Shop

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store.backup"


def buy(shop: Shop, quantity: int = 1) -> str:
    buyer = shop.shopper()
    done = complete(shop.runtime, buyer, shop.approved(buyer, "A", quantity))
    assert done.order is not None
    return done.order.id


def counts(place: Place) -> dict[str, int]:
    """Rows of every table, seen as each tenant in turn."""
    with place.owner() as connection:
        tenants = [str(row[0]) for row in connection.execute("SELECT id FROM app.tenants").fetchall()]
        found = {}
        for table in catalog.tables(connection).values():  # type: ignore[arg-type]
            found[table.name] = 0
            for tenant_id in tenants if table.by_tenant else [""]:
                connection.execute("SELECT set_config('app.tenant_id', %s, false)", (tenant_id,))
                query = f"SELECT count(*) FROM {table.name}"  # noqa: S608 (our own names)
                row = connection.execute(query).fetchone()  # type: ignore[call-overload]
                found[table.name] += row[0]
        return found


def broken(runtime: Runtime) -> list[object]:
    return [result for result in run_checks(runtime) if not result.ok]


def test_a_backup_taken_while_others_buy_comes_back_whole(
    source: Place, selling: Shop, make_place: MakePlace, file: Path
) -> None:
    other = shop_in(selling.runtime)
    buyers = [(shop, shop.shopper()) for shop in [selling, other] * 12]
    cards = [(shop, buyer, shop.approved(buyer, "A")) for shop, buyer in buyers]
    first_sale = threading.Event()

    def pay(one: tuple[Shop, object, str]) -> Result:
        shop, buyer, card = one
        done = complete(shop.runtime, buyer, card)  # type: ignore[arg-type]
        jobs.seal_audit(shop.runtime, shop.tenant.id)
        first_sale.set()
        return done.result

    with ThreadPoolExecutor(4) as pool:
        selling_on = [pool.submit(pay, one) for one in cards]
        assert first_sale.wait(30)
        made = take_backup(source.addresses, file)
        assert {sale.result() for sale in selling_on} == {Result.PAID}
    assert broken(selling.runtime) == []

    target = make_place()
    restored = target.restore(file)

    facts = {table.name: table.rows for table in made.tables}
    back = counts(target)
    told = {"app.audit": restored.tenants, "app.restores": restored.tenants}
    assert {name: rows - told.get(name, 0) for name, rows in back.items()} == facts
    assert restored.tenants == 2
    assert not restored.migrated
    assert 1 <= facts["app.orders"] <= 24
    runtime = target.open()
    with clock.shifted(timedelta(minutes=5)):
        jobs.run_once(runtime)
    assert broken(runtime) == []
    for shop in (selling, other):
        with runtime.unit_of_work(shop.tenant.id) as session:
            verdict = audit.verify(session, shop.tenant.id)
            assert verdict.ok
            assert verdict.rows > 0
            assert not holds.held(session, shop.tenant.id)


def test_the_restored_store_goes_on(source: Place, selling: Shop, make_place: MakePlace, file: Path) -> None:
    number = _number(selling.runtime, buy(selling), selling.tenant.id)
    take_backup(source.addresses, file)
    target = make_place()
    target.restore(file)

    shop = Shop(target.open(), selling.tenant, selling.locations, selling.variants)
    next_number = _number(shop.runtime, buy(shop), shop.tenant.id)

    assert next_number - number > restoring.NUMBERS_LEAP["app.order_numbers"]
    jobs.run_once(shop.runtime)
    assert broken(shop.runtime) == []
    with shop.uow() as session:
        assert audit.verify(session, shop.tenant.id).ok
        session.connection().execute(text("SAVEPOINT refused"))
        with pytest.raises(Exception, match="permission denied"):
            session.execute(text("UPDATE app.audit SET action = 'x'"))
        session.connection().execute(text("ROLLBACK TO refused"))


def _number(runtime: Runtime, order_id: str, tenant_id: str) -> int:
    with runtime.unit_of_work(tenant_id) as session:
        number = session.execute(text("SELECT number FROM app.orders WHERE id = :id"), {"id": order_id}).scalar_one()
    return int("".join(filter(str.isdigit, number)))


def test_the_file_is_private_and_holds_no_key(source: Place, selling: Shop, file: Path) -> None:
    buy(selling)
    made = take_backup(source.addresses, file)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    with zipfile.ZipFile(file) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert source.addresses.secret_key not in everything
    assert source.addresses.secret_key.hex().encode() not in everything
    assert made.rows == sum(table.rows for table in made.tables) > 0
    assert made.revision == max(known_revisions())


def test_a_backup_that_fails_leaves_the_old_file(source: Place, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("the last one")

    def fail(_connection: object) -> list[object]:
        raise RuntimeError("disk")

    monkeypatch.setattr(catalog, "sequences", fail)
    with pytest.raises(RuntimeError, match="disk"):
        take_backup(source.addresses, file)
    assert file.read_text() == "the last one"
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def tampered(file: Path, change: str) -> Path:
    """A copy of a backup with something changed."""
    copy = file.with_name("tampered.backup")
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(copy, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if change == "rows" and name == "tables/app.variants.copy":
                data = data.replace(b"5000", b"0001")
            if change == "missing" and name == "tables/app.variants.copy":
                continue
            if change == "manifest" and name == MANIFEST:
                facts = json.loads(data)
                facts["tables"] = [table for table in facts["tables"] if table["name"] != "app.refunds"]
                data = json.dumps(facts).encode()
            new.writestr(name, data)
    if change == "cut":
        copy.write_bytes(file.read_bytes()[:-200])
    if change == "bits":
        body = bytearray(file.read_bytes())
        with zipfile.ZipFile(file) as whole:  # among a table's rows: the zip's own headers hold dates that nobody reads
            start = whole.getinfo("tables/app.variants.copy").header_offset
        body[start + 30 + len("tables/app.variants.copy") + 20] ^= 0xFF
        copy.write_bytes(bytes(body))
    return copy


@pytest.mark.parametrize("change", ["rows", "missing", "manifest", "cut", "bits"])
def test_a_changed_backup_is_refused_and_nothing_is_made(
    source: Place, selling: Shop, make_place: MakePlace, file: Path, change: str
) -> None:
    buy(selling)
    take_backup(source.addresses, file)
    target = make_place()

    with pytest.raises((BackupDamaged, NotABackup)):
        target.restore(tampered(file, change))

    assert schemas(target) == []


def test_another_key_is_refused_and_nothing_is_made(
    source: Place, selling: Shop, make_place: MakePlace, file: Path
) -> None:
    take_backup(replace(source.addresses, secret_key=b"another" * 8), file)
    target = make_place()

    with pytest.raises(WrongKey):
        target.restore(file)

    assert schemas(target) == []


def schemas(place: Place) -> list[str]:
    query = "SELECT nspname FROM pg_namespace WHERE nspname = ANY(%s)"
    with place.owner() as connection:
        return [str(row[0]) for row in connection.execute(query, (["app", "sandbox", "graph"],)).fetchall()]


def test_a_store_with_shops_is_replaced_only_when_that_is_said(
    source: Place, selling: Shop, make_place: MakePlace, file: Path
) -> None:
    take_backup(source.addresses, file)
    target = make_place(migrated=True)
    old = shop_in(target.open())
    target.close()

    with pytest.raises(TargetNotEmpty):
        target.restore(file)
    assert shops(target) == [old.tenant.slug]
    target.restore(file, replace=True)

    assert shops(target) == [selling.tenant.slug]
    assert broken(target.open()) == []


def test_a_store_in_use_is_not_replaced(source: Place, selling: Shop, make_place: MakePlace, file: Path) -> None:
    take_backup(source.addresses, file)
    target = make_place(migrated=True)
    old = shop_in(target.open())

    with pytest.raises(StillServing):
        target.restore(file, replace=True)

    assert shops(target) == [old.tenant.slug]


def shops(place: Place) -> list[str]:
    with place.owner() as connection:
        return [str(row[0]) for row in connection.execute("SELECT slug FROM app.tenants").fetchall()]


def test_an_older_schema_is_brought_forward(make_place: MakePlace, file: Path) -> None:
    old = make_place()
    assert old.addresses.owner
    engine = open_engine(old.addresses.owner)
    with engine.begin() as connection:
        prepare(connection, old.addresses)
        upgrade(connection, "0001")
        connection.execute(text(_OLD_SHOP))
    engine.dispose()
    made = take_backup(old.addresses, file)
    target = make_place()

    restored = target.restore(file)

    assert made.revision == "0001"
    assert restored.migrated
    assert restored.tenants == 1
    assert broken(target.open()) == []
    with target.owner() as connection:
        connection.execute("SELECT set_config('app.tenant_id', 'tnt_old', false)")
        row = connection.execute("SELECT on_hand, safety_stock FROM app.stock_levels").fetchone()
    assert row == (7, 0)


_OLD_SHOP = """
INSERT INTO app.tenants (id, slug, name, status, demo, currency, country, settings, created_at)
  VALUES ('tnt_old', 'old', 'Old', 'active', true, 'USD', 'US', '{}', now());
INSERT INTO app.locations (tenant_id, id, code, name, kind, country, region, city, postal_code, ships, position)
  VALUES ('tnt_old', 'loc_old', 'X', 'X', 'warehouse', 'US', 'WA', 'X', '0', true, 0);
INSERT INTO app.products (tenant_id, id, slug, title, brand, category, description, motif, facts, options,
  tax_category, restrictions, warranty_months, rating, rating_count, status, position, search_strong, search_weak,
  created_at, updated_at, version)
  VALUES ('tnt_old', 'prd_old', 'x', 'X', 'X', 'x', 'x', 'box', '{}', '{}', 'standard', '{}', 0, 0, 0, 'active', 0,
  'x', '', now(), now(), 1);
INSERT INTO app.variants (tenant_id, id, product_id, sku, title, options, price, cost, weight_g, length_mm, width_mm,
  height_mm, sellable, position, updated_at)
  VALUES ('tnt_old', 'var_old', 'prd_old', 'X', 'X', '{}', 100, 50, 1, 1, 1, 1, true, 0, now());
INSERT INTO app.stock_levels (tenant_id, variant_id, location_id, on_hand, reserved)
  VALUES ('tnt_old', 'var_old', 'loc_old', 7, 0);
INSERT INTO app.stock_movements (tenant_id, variant_id, location_id, kind, on_hand_delta, reserved_delta, subject, at)
  VALUES ('tnt_old', 'var_old', 'loc_old', 'receipt', 7, 0, 'old', now());
"""


def test_a_newer_schema_is_refused(
    source: Place, make_place: MakePlace, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_backup(source.addresses, file)
    target = make_place()
    monkeypatch.setattr(restoring, "known_revisions", lambda: frozenset({"0001"}))

    with pytest.raises(NewerSchema):
        target.restore(file)

    assert schemas(target) == []


_DIE = """
import pathlib, sys
from engine.backup.archive import Archive
from engine.backup.restoring import restore
from engine.db import Addresses
from engine.kit import faults
from tests.engine.backup.conftest import prepare_graph
point, file, replace, runtime, owner, sandbox, key = sys.argv[1:]
faults.set_hook(faults.kill_at(point))
with Archive(pathlib.Path(file)) as archive:
    addresses = Addresses(runtime=runtime, owner=owner, sandbox=sandbox, secret_key=bytes.fromhex(key))
    restore(addresses, archive, replace=replace == "1", prepare_others=prepare_graph)
"""


@pytest.mark.parametrize("point", ["during_restore", "before_restore_commit"])
@pytest.mark.parametrize("full", [False, True])
def test_killed_during_a_restore_the_store_is_as_it_was(
    source: Place, selling: Shop, make_place: MakePlace, file: Path, point: str, full: bool
) -> None:
    buy(selling)
    take_backup(source.addresses, file)
    target = make_place(migrated=full)
    before = [shop_in(target.open()).tenant.slug] if full else []
    target.close()
    there = target.addresses
    urls = (there.runtime, there.owner or "", there.sandbox, there.secret_key.hex())

    died = subprocess.run(
        [sys.executable, "-c", _DIE, point, str(file), str(int(full)), *urls],
        check=False,
        timeout=60,
        capture_output=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT}/agents"},
    )

    assert died.returncode == -signal.SIGKILL, died.stderr
    assert (shops(target) if full else []) == before
    if not full:
        with target.owner() as connection:
            assert connection.execute("SELECT to_regclass('app.tenants')").fetchone() == (None,)
    target.restore(file, replace=full)
    assert shops(target) == [selling.tenant.slug]
    assert broken(target.open()) == []


def test_every_table_can_be_filled_after_those_it_points_at(source: Place) -> None:
    with source.owner() as connection:
        names = list(catalog.tables(connection))  # type: ignore[arg-type]
        order = catalog.filling_order(connection, names)  # type: ignore[arg-type]
    assert sorted(order) == sorted(names)
    assert order.index("app.orders") < order.index("app.order_lines")
    assert "app.restores" in names
    assert any(name.startswith("graph.") for name in names)


def test_a_manifest_says_what_is_in_the_file(source: Place, selling: Shop, file: Path) -> None:
    buy(selling)
    made = take_backup(source.addresses, file)

    with Archive(file) as archive:
        archive.prove(source.addresses.secret_key)
        read: Manifest = archive.manifest

    assert read == made
    assert {table.name: table.rows for table in read.tables}["app.orders"] == 1
    assert "app.order_numbers" in {sequence.name for sequence in read.sequences}
    assert "app.alembic_version" not in {table.name for table in read.tables}
