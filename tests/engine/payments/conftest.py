from __future__ import annotations

import pytest

from tests.engine.payments.paying import Till
from tests.shop import Shop


@pytest.fixture
def till(shop: Shop) -> Till:
    return Till(shop)
