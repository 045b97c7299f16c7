"""The conversations' memory beside the rest of the store."""

from __future__ import annotations

import pytest

from engine.db import Addresses
from engine.kit.tenancy import RUNTIME_ROLE
from graph.checkpointer import setup


@pytest.fixture(scope="session", autouse=True)
def _memory(addresses: Addresses) -> None:
    assert addresses.owner is not None
    setup(addresses.owner, RUNTIME_ROLE)
