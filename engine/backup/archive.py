"""The backup's file: one ZIP with a manifest and a file per table, 0600, there whole or not at all.

Entries are read by the names that a proven manifest gives; nothing is ever unpacked to disk.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from engine.backup import manifest as manifests
from engine.backup.errors import BackupDamaged, NotABackup
from engine.backup.manifest import Manifest, TableFacts
from engine.embedded.files import open_private, sync_folder

MANIFEST: Final = "manifest.json"
_CHUNK_BYTES: Final = 1 << 18
_LEVEL: Final = 5
_LIMIT_BYTES: Final = 64 << 20
"""A manifest is far smaller."""


class TableWriter:
    """Takes one table's bytes and keeps their digest."""

    def __init__(self, into: IO[bytes]) -> None:
        self._into = into
        self._digest = hashlib.sha256()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._digest.update(data)
        self._into.write(data)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


class Writer:
    """A backup being written."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._zip = file

    @contextmanager
    def table(self, name: str) -> Iterator[TableWriter]:
        """The file of one table, open until the block ends."""
        with self._zip.open(_entry(name), "w", force_zip64=True) as into:
            yield TableWriter(into)

    def finish(self, manifest: Manifest) -> None:
        self._zip.writestr(MANIFEST, manifest.model_dump_json(indent=1))


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """Write a backup to ``path``: under another name until the block ends well, then in its place at once."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(open_private(draft, os.O_RDWR | os.O_EXCL), "w+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as made:
                yield Writer(made)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


class Archive:
    """A backup opened for reading. Raises ``NotABackup`` for any other file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except zipfile.BadZipFile:
            raise NotABackup(f"{path} is not a backup, or not a whole one.") from None
        self.manifest = manifests.read(self._read_manifest())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def chunks(self, table: TableFacts) -> Iterator[bytes]:
        """One table's bytes. Raises ``BackupDamaged`` at their end when they are not what was written."""
        digest = hashlib.sha256()
        try:
            with self._zip.open(_entry(table.name)) as file:
                while data := file.read(_CHUNK_BYTES):
                    digest.update(data)
                    yield data
        except (KeyError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise BackupDamaged(f"The backup's table {table.name} cannot be read ({type(error).__name__}).") from None
        if digest.hexdigest() != table.sha256:
            raise BackupDamaged(f"The backup's table {table.name} is not what was written: its checksum differs.")

    def prove(self, secret_key: bytes) -> None:
        """Read everything once. Raises ``WrongKey`` or ``BackupDamaged``."""
        manifests.prove(self.manifest, secret_key)
        for table in self.manifest.tables:
            for _ in self.chunks(table):
                pass

    def _read_manifest(self) -> bytes:
        try:
            if self._zip.getinfo(MANIFEST).file_size > _LIMIT_BYTES:
                raise NotABackup(f"{self.path} is not a backup of iCommerce.")
            return self._zip.read(MANIFEST)
        except (KeyError, zipfile.BadZipFile, zlib.error, EOFError):
            raise NotABackup(f"{self.path} is not a backup of iCommerce, or a damaged one.") from None


def _entry(table: str) -> str:
    return f"tables/{table}.copy"
