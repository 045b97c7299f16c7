"""What a backup says of itself: its format, schema, moment, key and, table by table, rows and checksums.

The whole is signed with a key derived from the secret key: who can change a table's rows and its checksum too still
cannot make the signature. The secret key itself is never in it, only a keyed digest and a sealed probe.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidTag
from pydantic import BaseModel, ConfigDict, ValidationError

from engine.backup.errors import BackupDamaged, NotABackup, WrongKey
from engine.kit.envelope import derive, seal, unseal
from engine.kit.idempotency import canonical_json

FORMAT: Final = 1
_PROBE: Final = "icommerce backup probe"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TableFacts(_Part):
    """One table's file in the backup: ``columns`` in their order, in PostgreSQL's text format of COPY."""

    name: str
    columns: list[str]
    rows: int
    sha256: str


class SequenceFacts(_Part):
    """Where a sequence stood."""

    name: str
    last_value: int
    is_called: bool


class Manifest(_Part):
    format: int
    id: str
    made_by: str
    """Our version."""
    revision: str
    """The schema's revision."""
    created_at: datetime
    """The horizon: the snapshot is not older, and whatever happened later is not in it."""
    key_fingerprint: str
    probe: str
    tables: list[TableFacts]
    sequences: list[SequenceFacts]
    signature: str = ""

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)


def fingerprint(secret_key: bytes) -> str:
    """A keyed digest that tells two secret keys apart and says nothing of either."""
    return hmac.new(derive(secret_key, "backup-key"), b"fingerprint", hashlib.sha256).hexdigest()[:32]


def make_probe(secret_key: bytes, backup_id: str) -> str:
    """A sealed value that opens only under the same key, for the same backup."""
    return base64.b64encode(seal(secret_key, backup_id, "backup|probe", _PROBE)).decode()


def sign(manifest: Manifest, secret_key: bytes) -> Manifest:
    """The manifest with its signature."""
    return manifest.model_copy(update={"signature": _signature(manifest, secret_key)})


def read(text: bytes) -> Manifest:
    """A manifest from its JSON, unproven. Raises ``NotABackup``."""
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError:
        raise NotABackup("This file is not a backup that this version can read.") from None
    if manifest.format != FORMAT:
        raise NotABackup(f"This backup is in format {manifest.format}; this version reads format {FORMAT}.")
    return manifest


def prove(manifest: Manifest, secret_key: bytes) -> None:
    """Raises ``WrongKey`` when it was made under another key, ``BackupDamaged`` when it was changed since."""
    if not hmac.compare_digest(manifest.key_fingerprint, fingerprint(secret_key)):
        raise WrongKey("This backup was made under another ICOMMERCE_SECRET_KEY: give the key of that time.")
    if not hmac.compare_digest(manifest.signature, _signature(manifest, secret_key)):
        raise BackupDamaged("The backup's manifest was changed after it was signed.")
    try:
        unseal(secret_key, manifest.id, "backup|probe", base64.b64decode(manifest.probe))
    except (InvalidTag, ValueError):
        raise WrongKey("The backup's sealed probe does not open under this key.") from None


def _signature(manifest: Manifest, secret_key: bytes) -> str:
    body = canonical_json(manifest.model_dump(mode="json", exclude={"signature"}))
    return hmac.new(derive(secret_key, "backup-manifest"), body, hashlib.sha256).hexdigest()
