"""The table of workflows for their page, from their definitions: ``python -m engine.workflows.table FILE`` writes it
there, between its marks.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final, get_args

from engine.workflows import registry
from engine.workflows.definition import Workflow

HEAD: Final = (
    "| Workflow | What | Begins by | Business key | About | Systems | Taken back |",
    "|---|---|---|---|---|---|---|",
)
BEGIN, END = "<!-- workflows -->", "<!-- end of workflows -->"
_MINUTE: Final = 60


class _Named(str):  # noqa: SLOT000 (it keeps what it is part of)
    """A value of a payload that says its own name: so does what it consists of, and what its methods give."""

    _whole: _Named

    def __getattr__(self, name: str) -> _Named:
        if name.startswith("_"):
            raise AttributeError(name)
        part = _Named(f"{{{name}}}")
        part._whole = self
        return part

    def __call__(self, *_args: object, **_more: object) -> _Named:
        return self._whole

    def __format__(self, spec: str) -> str:
        return str(self)


def table() -> str:
    """A row for each workflow that is live, in the registry's order."""
    return "\n".join([*HEAD, *(_row(registry.live(name)) for name in registry.names())])


def _row(workflow: Workflow[Any]) -> str:
    cells = (
        f"`{workflow.name}` {workflow.version}",
        _what(workflow),
        _begins(workflow),
        f"`{_key(workflow)}`",
        _about(workflow),
        ", ".join(workflow.systems) or "-",
        "; ".join(f"{step}: {words}" for step, words in workflow.undo.items()) or "-",
    )
    return "| " + " | ".join(cells) + " |"


def _what(workflow: Workflow[Any]) -> str:
    """The first sentence of its module, without its own name."""
    module = registry.WORKFLOWS[workflow.name].partition(":")[0]
    words = " ".join((import_module(module).__doc__ or "").split("\n\n")[0].split())
    return words.partition(": ")[2] if words.startswith(f"{workflow.name}: ") else words


def _begins(workflow: Workflow[Any]) -> str:
    ways = [f"{system} `{topic}`" for system, topic in workflow.hears]
    if workflow.poll is not None:
        ways.append(f"poll, {_often(workflow)}")
    return ", ".join(ways) or "another workflow, or an event of ours"


def _often(workflow: Workflow[Any]) -> str:
    every, later = workflow.every_seconds or _MINUTE, workflow.offset_seconds
    words = f"every {every // _MINUTE} min" if every % _MINUTE == 0 else f"every {every} s"
    return f"{words} and {later} s" if later else words


def _sample(workflow: Workflow[Any]) -> Any:
    """A payload whose values are their names; what is yes or no is as it usually is."""
    fields = workflow.payload.model_fields.items()
    said = {name: one.default if _decides(one.annotation) else _Named(f"{{{name}}}") for name, one in fields}
    return workflow.payload.model_construct(**said)


def _decides(annotation: Any) -> bool:
    return annotation is bool or bool in get_args(annotation)


def _key(workflow: Workflow[Any]) -> str:
    return workflow.key(_sample(workflow))


def _about(workflow: Workflow[Any]) -> str:
    return str(workflow.subject(_sample(workflow))[0])


def within(page: str) -> str:
    """The page with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(within(file.read_text(encoding="utf-8")), encoding="utf-8")
