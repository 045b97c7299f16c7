"""What the models are told: Markdown with a front-matter, read once. ``policies/`` is also what the evals grade by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

_ROOT: Final = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt's text with its policies at the end; ``version`` changes whenever its words do."""

    name: str
    version: int
    text: str


@cache
def prompt(name: str) -> Prompt:
    """The prompt in ``prompts/<name>.md``. Raises ``FileNotFoundError``."""
    head, body = _read(f"{name}.md")
    policies = [_read(f"policies/{policy}.md")[1] for policy in head.get("policies", [])]
    return Prompt(name=head["name"], version=head["version"], text="\n\n".join([body, *policies]))


@cache
def phrase(key: str) -> str:
    """A fixed sentence of the house, for where no model speaks. Raises ``KeyError``."""
    phrases: dict[str, str] = yaml.safe_load((_ROOT / "phrases.yaml").read_text(encoding="utf-8"))
    return phrases[key]


def _read(path: str) -> tuple[dict[str, Any], str]:
    text = (_ROOT / path).read_text(encoding="utf-8")
    _, head, body = text.split("---\n", 2)
    return yaml.safe_load(head), body.strip()
