"""Imported where servers are forked: what each of them would import, and prepare for its first turn, is there."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from app.boot import load_heavy
from icommerce_agents import rehearsal

AT_THE_FIRST_TURN: Final = (
    "litellm.litellm_core_utils.default_encoding",
    "litellm.proxy.openai_files_endpoints.common_utils",
)

load_heavy()
rehearsal.load()
for name in ("app.cli", "app.serve", "app.commands.serving", *AT_THE_FIRST_TURN):
    import_module(name)
