"""``python -m app`` is ``icommerce``."""

from __future__ import annotations

from app.cli import main

main()
