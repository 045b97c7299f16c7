"""``icommerce backup`` and ``icommerce restore``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from engine.backup.archive import Archive
    from engine.backup.manifest import Manifest
    from engine.backup.taking import Progress
    from engine.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
KeyFile = Annotated[Path | None, typer.Option(dir_okay=False, exists=True, help="The secret key, or a secrets.json.")]


def backup(
    file: Annotated[Path, typer.Argument(help="Where to write the backup.")],
    save_key: Annotated[
        Path | None, typer.Option(help="Write the secret key there too, 0600: keep it apart from the backup.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE if it is there.")] = False,
    json: Json = False,
) -> None:
    """Write the whole store, as it is at one moment, to one file; the shop goes on selling."""
    from app.commands.opened import database
    from app.commands.outcome import show, show_json
    from engine.backup.taking import take_backup
    from engine.embedded.files import write_atomic
    from engine.settings import Settings

    for target in (file, save_key):
        _check_target(target, overwrite=overwrite)
    if save_key and save_key.resolve() == file.resolve():
        raise typer.BadParameter("the key does not go into the backup", param_hint="--save-key")
    with database(Settings.from_env(), start=True) as addresses, _progress() as progress:
        made = take_backup(addresses, file, progress=progress)
        if save_key:
            write_atomic(save_key, addresses.secret_key.decode() + "\n")
    facts = _facts(file, made) | {"bytes": file.stat().st_size}
    if json:
        show_json(facts)
    else:
        show(f"{file}: {made.rows} rows of {facts['tenants']} shops, {facts['bytes']} bytes.")
        show("It opens only with this store's secret key, which is not in it.")


def restore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A backup.")],
    replace: Annotated[bool, typer.Option("--replace", help="Replace the shops that are here.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Confirm --replace.")] = False,
    key_file: KeyFile = None,
    verify: Annotated[bool, typer.Option("--verify", help="Only prove that the backup is whole.")] = False,
    json: Json = False,
) -> None:
    """Bring a backup back into an empty store; what would leave the house waits until payments are reconciled."""
    from app.commands.outcome import show, show_json
    from engine.backup.archive import Archive
    from engine.settings import Settings

    if replace and not yes:
        raise typer.BadParameter("this throws away the shops that are here: confirm with --yes", param_hint="--replace")
    settings = Settings.from_env()
    with Archive(file) as archive:
        key = _key(settings, archive, key_file)
        facts = _facts(file, archive.manifest)
        if verify:
            archive.prove(key.encode())
            facts |= {"whole": True}
        else:
            facts |= _restore(settings, archive, key, replace=replace)
    if json:
        show_json(facts)
    elif verify:
        show(f"{file} is whole: {facts['rows']} rows of {facts['tenants']} shops, as of {facts['created_at']}.")
    else:
        show(f"{facts['tenants']} shops are back as of {facts['created_at']}.")
        show("Webhooks and workflows wait until `icommerce serve` has compared payments; `icommerce doctor` shows it.")


def _restore(settings: Settings, archive: Archive, key: str, *, replace: bool) -> dict[str, Any]:
    from app.boot import migrate_graph
    from app.commands.opened import database
    from engine.backup import restoring

    with _nobody_serves(settings):
        restoring.check_revision(archive.manifest)
        archive.prove(key.encode())
        _keep_key(settings, key)
        with database(settings, start=True) as addresses, _progress() as progress:
            done = restoring.restore(
                addresses, archive, replace=replace, prepare_others=migrate_graph, progress=progress
            )
    return {"migrated": done.migrated, "held": True}


@contextmanager
def _nobody_serves(settings: Settings) -> Iterator[None]:
    """Hold the home's serving lock. Raises ``StillServing``."""
    import os

    from engine.backup.errors import StillServing
    from engine.embedded.files import make_home, try_lock

    lock = try_lock(make_home(settings.home) / "serve.lock")
    if lock is None:
        raise StillServing(f"A server runs from {settings.home}. Stop it first.")
    try:
        yield
    finally:
        os.close(lock)


def _key(settings: Settings, archive: Archive, key_file: Path | None) -> str:
    """The secret key to restore under: the file's, else the home's, else the environment's, proven by the backup."""
    from engine.backup import manifest
    from engine.backup.errors import WrongKey
    from engine.embedded_postgres import read_secrets

    kept = read_secrets(settings.home).get("secret_key") if settings.embedded else settings.secret_key
    given = _read_key(key_file) if key_file else None
    key = given or kept or settings.secret_key
    if key is None:
        raise WrongKey("This home has no secret key yet: give the backup's with --key-file or ICOMMERCE_SECRET_KEY.")
    manifest.prove(archive.manifest, key.encode())
    return key


def _keep_key(settings: Settings, key: str) -> None:
    """Give an embedded home the key before its database is made. Raises ``WrongKey`` where another is in use."""
    from engine.backup.errors import WrongKey
    from engine.embedded.place import find_place
    from engine.embedded_postgres import read_secrets, update_secrets

    kept = read_secrets(settings.home).get("secret_key") if settings.embedded else settings.secret_key
    if kept == key:
        return
    if not settings.embedded or (kept and find_place(settings.home)):
        raise WrongKey("This store has a secret key of its own, not the backup's: restore into a fresh home.")
    update_secrets(settings.home, secret_key=key)


def _read_key(path: Path) -> str:
    """A key as text, or ``secret_key`` of a ``secrets.json``."""
    import json

    text = path.read_text(encoding="utf-8").strip()
    if text.startswith("{"):
        try:
            text = str(json.loads(text)["secret_key"])
        except (ValueError, KeyError):
            raise typer.BadParameter("this file holds no secret_key", param_hint="--key-file") from None
    if not text:
        raise typer.BadParameter("this file is empty", param_hint="--key-file")
    return text


def _check_target(path: Path | None, *, overwrite: bool) -> None:
    if path is None:
        return
    if not path.resolve().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {path.resolve().parent}")
    if path.is_dir() or (path.exists() and not overwrite):
        raise typer.BadParameter(f"{path} is there already (--overwrite replaces a file)")


def _facts(file: Path, manifest: Manifest) -> dict[str, Any]:
    tenants = next((table.rows for table in manifest.tables if table.name == "app.tenants"), 0)
    return {
        "file": str(file),
        "id": manifest.id,
        "created_at": manifest.created_at.isoformat(),
        "revision": manifest.revision,
        "made_by": manifest.made_by,
        "tenants": tenants,
        "tables": len(manifest.tables),
        "rows": manifest.rows,
        "key_fingerprint": manifest.key_fingerprint,
    }


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar where somebody watches, silence elsewhere."""
    import sys

    if not sys.stderr.isatty():
        yield lambda _words, _done, _of: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")
        yield lambda words, done, of: bar.update(task, description=words, completed=done, total=of)
