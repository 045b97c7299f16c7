"""What the models are told: Markdown with a front-matter, read once. ``policies/`` is also what the evals grade by.

A policy with a ``section`` states a shop's own rules: it holds no figure of its own, only ``{names}`` of that section's
data in the engine, and lines that begin with ``[names]`` are said when those are set (``!`` for not).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

_ROOT: Final = Path(__file__).resolve().parent
_NAME: Final = re.compile(r"\{(\w+)\}")
_CONDITION: Final = re.compile(r"- \[([\w! ]+)\] ")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt's text with its policies at the end; ``version`` changes whenever its words do."""

    name: str
    version: int
    text: str
    rules: tuple[str, ...] = ()
    """The shop's own rules that go with it, by name: see ``rules``."""

    @property
    def digest(self) -> str:
        """Short, and another one whenever a word is: what a run's account names beside the version."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Rules:
    """A shop's rules in words, to be filled in from the engine's policy ``section``."""

    name: str
    version: int
    section: str
    lines: tuple[tuple[tuple[str, ...], str], ...]
    """Conditions, and the line that is said when they all hold."""

    def text(self, values: Mapping[str, Any]) -> str:
        """The rules of a shop whose policy has these values. Raises ``KeyError`` for a name the policy has not."""
        said = [line for conditions, line in self.lines if all(_holds(one, values) for one in conditions)]
        return "\n".join(_NAME.sub(lambda match: _plain(values[match[1]]), line) for line in said)


@cache
def prompt(name: str) -> Prompt:
    """The prompt in ``prompts/<name>.md``. Raises ``FileNotFoundError``."""
    head, body = _read(f"{name}.md")
    policies = [_read(f"policies/{policy}.md")[1] for policy in head.get("policies", [])]
    text = "\n\n".join([body, *policies])
    return Prompt(name=head["name"], version=head["version"], text=text, rules=tuple(head.get("rules", [])))


@cache
def rules(name: str) -> Rules:
    """The rules in ``prompts/policies/<name>.md``. Raises ``FileNotFoundError``."""
    head, body = _read(f"policies/{name}.md")
    lines = tuple(_conditional(line) for line in body.splitlines())
    return Rules(name=head["name"], version=head["version"], section=head["section"], lines=lines)


@cache
def phrase(key: str) -> str:
    """A fixed sentence of the house, for where no model speaks. Raises ``KeyError``."""
    phrases: dict[str, str] = yaml.safe_load((_ROOT / "phrases.yaml").read_text(encoding="utf-8"))
    return phrases[key]


def _conditional(line: str) -> tuple[tuple[str, ...], str]:
    found = _CONDITION.match(line)
    if found is None:
        return (), line
    return tuple(found[1].split()), f"- {line[found.end() :]}"


def _holds(condition: str, values: Mapping[str, Any]) -> bool:
    return bool(values[condition.removeprefix("!")]) is not condition.startswith("!")


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    return str(value).replace("_", " ")


def _read(path: str) -> tuple[dict[str, Any], str]:
    text = (_ROOT / path).read_text(encoding="utf-8")
    _, head, body = text.split("---\n", 2)
    return yaml.safe_load(head), body.strip()
