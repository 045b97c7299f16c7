"""Every table and every free column is classified: a new one that is not fails here until somebody decides."""

from __future__ import annotations

from typing import Final

import pytest
from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Float, Integer, Table

from engine.kit.tenancy import AppendOnly, Base
from engine.migrate import load_models
from engine.privacy.erasing import _GRAPH
from engine.privacy.rooms import ROOMS, SHOP, Room
from graph.checkpointer import thread_key

load_models()
TABLES: Final = {table.name: table for table in Base.metadata.tables.values()}
BY_NAME: Final = {room.table: room for room in ROOMS}
NUMBERS: Final = (Integer, BigInteger, Boolean, DateTime, Date, Float)
NAMES: Final = {"id", "tenant_id", "currency", "status", "kind"}


def is_free(column: Column[object]) -> bool:
    """Whether it can say something of a person by itself: no number, moment, id or state, and not what the database
    works out of another column.
    """
    if column.computed is not None:
        return False
    return not (isinstance(column.type, NUMBERS) or column.name in NAMES or column.name.endswith("_id"))


def free(table: Table) -> set[str]:
    return {column.name for column in table.columns if is_free(column)}


def test_every_table_is_on_the_map_once() -> None:
    assert len(BY_NAME) == len(ROOMS)
    assert set(BY_NAME) | set(SHOP) == set(TABLES), "name it in engine/privacy/rooms.py"
    assert not set(BY_NAME) & set(SHOP)


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_free_column_is_classified(name: str) -> None:
    room = BY_NAME.get(name)
    classified = set(SHOP[name].split()) if room is None else set(room.plain.split()) | room.about_people
    dropped = free(TABLES[name]) if room and room.drop and room.about_people else set()

    assert free(TABLES[name]) <= classified | dropped, "classify it in engine/privacy/rooms.py"
    assert classified <= set(TABLES[name].columns.keys())


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.table)
def test_what_is_personal_is_shown_or_withheld_with_a_reason_and_goes_or_stays_by_law(room: Room) -> None:
    shown = set(room.export.split())

    assert shown <= set(TABLES[room.table].columns.keys())
    assert room.about_people - shown <= set(room.withheld) | shown
    assert not set(room.withheld) & shown
    assert all(room.withheld.values())
    assert not room.personal or room.drop or room.kept


def test_history_that_is_erased_says_so_itself() -> None:
    for mapper in Base.registry.mappers:
        if issubclass(mapper.class_, AppendOnly):
            room = BY_NAME.get(mapper.local_table.name)  # type: ignore[attr-defined] # all are tables
            assert room is None or not room.drop
            assert set(room.erase if room else ()) <= set(mapper.class_.erasable), mapper.class_


def test_the_conversations_memory_is_found_by_its_own_key() -> None:
    assert thread_key("tnt_x", "thr_y") == "tnt_x" + ":" + "thr_y"
    assert set(_GRAPH) == {"checkpoints", "checkpoint_blobs", "checkpoint_writes"}
