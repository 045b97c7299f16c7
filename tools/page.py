"""The page of all tools, from the registry: ``python -m tools.page > docs/tools.md``."""

from __future__ import annotations

import json
import re
import sys
from typing import Final

from tools.spec import AgentName, ToolSpec, load, tools_for

_HEAD: Final = """# Tools

What a model can call, as the registry has it (`tools/*.py`): this page is made by `python -m tools.page`, and a test
keeps it equal. How to add one: [add a tool](howto/add-a-tool.md). How they are kept in bounds:
[ADR 0041](adr/0041-what-a-model-may-call.md).

- **Access**: a write may only name ids that a result in the same conversation told.
- **Risk**: `read` changes nothing; `cart` touches the caller's own cart or checkout; `ask` shows a card or tells the
  shop's people. None moves goods or money.
- **Caps**: calls in a day, in one conversation and by one identity. *Staff*: for the shop's people alone.
"""
_LETTERS_A_TOKEN: Final = 4
_OF: Final = {"thread": "conversation", "day": "day"}


def page() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *_sizes(), "", *_table(), ""])


def tokens(agent: AgentName) -> int:
    """About how many tokens an agent's tools are, with names, descriptions and schemas: they go out with every turn."""
    said = [{"name": one.name, "description": one.description, "parameters": one.schema()} for one in tools_for(agent)]
    return sum(len(json.dumps(one)) for one in said) // _LETTERS_A_TOKEN


def _sizes() -> list[str]:
    rows = [f"| {agent} | {len(tools_for(agent))} | about {round(tokens(agent), -2):,} |" for agent in AgentName]
    return ["| Agent | Tools | Tokens a turn |", "|---|---|---|", *rows]


def _table() -> list[str]:
    head = ["| Tool | Agents | Access | Risk | Caps | |", "|---|---|---|---|---|---|"]
    return head + [_row(spec) for _, spec in sorted(load().items())]


def _row(spec: ToolSpec) -> str:
    agents = ", ".join(sorted(spec.agents)) + (" (staff)" if spec.staff else "")
    caps = ", ".join(f"{most} a {_OF[of]}" for of, most in sorted(spec.caps.items()))
    cells = [f"`{spec.name}`", agents, spec.access.value, spec.risk.value, caps, _first(spec.description)]
    return f"| {' | '.join(cells)} |"


def _first(description: str) -> str:
    """The first sentence."""
    whole = " ".join(description.split())
    return re.split(r"(?<=\.)\s", whole, maxsplit=1)[0]


if __name__ == "__main__":
    sys.stdout.write(page())
