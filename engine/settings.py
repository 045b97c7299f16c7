"""Every setting, read once from the environment. Nothing else in the house reads ``os.environ`` for configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_MOST_IMPORT_MB: Final = 512
_NO: Final = frozenset({"0", "false", "no", ""})


class SettingsError(ValueError):
    """A setting that cannot work; the message says which and what to do."""


@dataclass(frozen=True)
class Settings:
    home: Path
    host: str
    port: int
    database_url: str | None
    """The runtime role; unset means the embedded PostgreSQL in ``home``."""
    database_admin_url: str | None
    """The owner, for ``icommerce migrate`` alone."""
    chroma_url: str | None
    model: str
    embedding_model: str | None
    secret_key: str | None
    endpoint: str
    demo: bool | None
    """``None``: demo tenants in an embedded store, none elsewhere."""
    smtp_url: str | None = field(default=None, repr=False)
    """``smtp://user:password@host:port``; without it the letters of shops that are no demo wait."""
    demo_pipeline: bool = False
    """Whether the demo serves other people's systems, and has the first demo shop connected to them."""
    import_limit_mb: int = 32
    """Megabytes of a file that is handed in over HTTP."""
    durable: bool = True
    """``False`` gives up fsync in the embedded store: for tests alone."""

    @property
    def embedded(self) -> bool:
        return self.database_url is None

    @property
    def wants_demo(self) -> bool:
        return self.embedded if self.demo is None else self.demo

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Read ``ICOMMERCE_*``, ``DATABASE_URL``, ``DATABASE_ADMIN_URL`` and ``CHROMA_URL``.

        Raises ``SettingsError`` for a port that is not a number, or a ``DATABASE_URL`` without a secret key.
        """
        port = env.get("ICOMMERCE_PORT", "8000")
        if not port.isdigit():
            raise SettingsError(f"ICOMMERCE_PORT must be a port number, not {port!r}.")
        database_url, secret_key = env.get("DATABASE_URL") or None, env.get("ICOMMERCE_SECRET_KEY") or None
        if database_url and not secret_key:
            raise SettingsError(
                "With DATABASE_URL set, ICOMMERCE_SECRET_KEY is needed too (32 or more random characters)."
            )
        host = env.get("ICOMMERCE_HOST", "127.0.0.1")
        demo = env.get("ICOMMERCE_DEMO")
        durable = env.get("ICOMMERCE_DURABLE", "1") != "0"
        pipeline = env.get("ICOMMERCE_DEMO_PIPELINE", "1" if durable and database_url is None else "0")
        return cls(
            home=Path(env.get("ICOMMERCE_HOME") or ".icommerce").expanduser().resolve(),
            host=host,
            port=int(port),
            database_url=database_url,
            database_admin_url=env.get("DATABASE_ADMIN_URL") or None,
            chroma_url=env.get("CHROMA_URL") or None,
            model=env.get("ICOMMERCE_MODEL") or "icommerce/offline",
            embedding_model=env.get("ICOMMERCE_EMBEDDING_MODEL") or None,
            secret_key=secret_key,
            endpoint=env.get("ICOMMERCE_ENDPOINT") or f"http://{host}:{port}",
            demo=None if demo is None else demo not in _NO,
            smtp_url=env.get("ICOMMERCE_SMTP_URL") or None,
            import_limit_mb=_limit(env),
            demo_pipeline=pipeline not in _NO,
            durable=durable,
        )


def _limit(env: Mapping[str, str]) -> int:
    said = env.get("ICOMMERCE_IMPORT_LIMIT_MB", "32")
    if not (said.isdigit() and 1 <= int(said) <= _MOST_IMPORT_MB):
        raise SettingsError(f"ICOMMERCE_IMPORT_LIMIT_MB is a number of megabytes from 1 to {_MOST_IMPORT_MB}.")
    return int(said)
