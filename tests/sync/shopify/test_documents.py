"""The connector's own GraphQL documents: what they cost, and that they are the vendor's language."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.sync.connectors.shopify import documents
from engine.sync.connectors.shopify.dialect import VERSION
from engine.sync.connectors.shopify.documents import Operation
from engine.sync.sandbox.shopify import executing
from engine.sync.sandbox.shopify.cost import MOST, priced
from engine.sync.sandbox.shopify.emulator import CURRENT
from engine.sync.sandbox.shopify.vendor_schema import VARIABLE, document_faults, load

PATH = os.environ.get(VARIABLE, "")
each = pytest.mark.parametrize("operation", documents.ALL, ids=lambda one: one.name)


@each
def test_it_costs_what_it_says_and_never_too_much(operation: Operation) -> None:
    document, faults = executing.read_document(operation.text)
    found = executing.operation_of(document, None)
    assert faults == ()
    assert priced(executing.schema(), document, found, dict(operation.sizes)).requested() == operation.cost <= MOST
    assert (found.operation.value == "query") is operation.reads
    assert executing.root_field(document, None) == operation.root


def test_every_part_is_sent_by_somebody() -> None:
    sent = {name for name in documents.parts() for one in documents.ALL if f" {name}" in one.text}
    assert sent == set(documents.parts())
    assert {one.name for one in documents.ALL} <= sent
    assert VERSION == CURRENT


@pytest.mark.skipif(not PATH, reason=f"{VARIABLE} names no schema file: npm's @shopify/dev-mcp 1.16.0 has it")
@each
def test_it_fits_the_vendors_schema(operation: Operation) -> None:
    assert document_faults(load(Path(PATH)), operation.text) == []
