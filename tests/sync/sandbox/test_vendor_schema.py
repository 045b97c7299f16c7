"""Our part of the schema and every document against the vendor's own file, where a path to it is given."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from graphql import build_schema

from engine.sync.sandbox.shopify import executing
from engine.sync.sandbox.shopify.vendor_schema import VARIABLE, differences, document_faults, load
from tests.sync.sandbox.shopping import DOCUMENTS

PATH = os.environ.get(VARIABLE, "")
with_the_file = pytest.mark.skipif(
    not PATH, reason=f"{VARIABLE} names no schema file: npm's @shopify/dev-mcp 1.16.0 has it (docs/sandbox.md)"
)


def test_every_document_fits_our_part_of_the_schema() -> None:
    assert len(DOCUMENTS) >= 14
    for name, document in DOCUMENTS.items():
        assert document_faults(executing.schema(), document) == [], name


@with_the_file
def test_our_part_of_the_schema_is_the_vendors() -> None:
    assert differences(executing.schema(), load(Path(PATH))) == []


@with_the_file
def test_every_document_fits_the_vendors_schema() -> None:
    vendor = load(Path(PATH))
    for name, document in DOCUMENTS.items():
        assert document_faults(vendor, document) == [], name


def test_a_difference_is_found() -> None:
    vendor = build_schema("type Query { a(x: Int!, y: Int!): Int! b: String } enum E { ONE }")
    ours = build_schema("type Query { a(x: Int): Int! b: Int c: Int } enum E { ONE TWO } type T { a: Int }")

    assert differences(ours, vendor) == [
        "E.TWO: the vendor has no such value",
        "Query.a(x:): Int, the vendor's is Int!",
        "Query.a(y:): the vendor requires it",
        "Query.b: Int, the vendor's is String",
        "Query.c: the vendor has no such field",
        "T: the vendor has no such type",
    ]
    assert document_faults(ours, "{ nothing }") == ["Cannot query field 'nothing' on type 'Query'."]
