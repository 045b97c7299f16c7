"""What breaks each rule of ``engine/checks/catalog.py``: SQL that the owner runs in the second tenant."""

# ruff: noqa: E501
from __future__ import annotations

FAULTS: dict[str, str] = {
    "a price is in a currency there is": "INSERT INTO app.prices (tenant_id, id, variant_id, currency, amount, source, created_at, updated_at) SELECT tenant_id, 'prc_x', id, 'XQX', 1, 'import', now(), now() FROM app.variants LIMIT 1",
}
