"""A letter's words over its facts: a subject, a text and the same as plain, accessible HTML.

The HTML has no image, no link and no script: nothing in it tells anybody that it was read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from engine.mail import tables, wording

_BLANK: Final = re.compile(r"\n\s*\n+")
_SUBJECT_LIMIT: Final = 200


@dataclass(frozen=True, slots=True)
class Rendered:
    subject: str
    text: str
    html: str


def render(
    name: str, facts: Mapping[str, Any], *, own: Mapping[str, Any] | None, footer: Sequence[str], lang: str
) -> Rendered:
    """The letter ``name``. ``facts`` are plain values; ``own`` are the shop's words for it.

    Raises ``jinja2.TemplateError`` for a fact that the words name and that is not there.
    """
    subject_words, body_words = wording.words(name, own)
    subject = " ".join(wording.render(subject_words, facts).split())[:_SUBJECT_LIMIT]
    paragraphs = [part.strip("\n") for part in _BLANK.split(wording.render(body_words, facts)) if part.strip()]
    blocks = [_block(part, facts) for part in paragraphs]
    foot = [line for line in footer if line]
    text = "\n\n".join(_as_text(block) for block in blocks) + "\n\n-- \n" + "\n".join(foot) + "\n"
    html = _layout().get_template("layout.html").render(subject=subject, blocks=blocks, footer=foot, lang=lang)
    return Rendered(subject, text, html)


@cache
def _layout() -> Environment:
    loader = FileSystemLoader(wording.FOLDER)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _block(paragraph: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    name = tables.marked(paragraph)
    if name is None:
        return {"table": None, "lines": [line.strip() for line in paragraph.splitlines()]}
    return {"table": tables.clean(facts["tables"][name]), "lines": []}


def _as_text(block: Mapping[str, Any]) -> str:
    return tables.as_text(block["table"]) if block["table"] else "\n".join(block["lines"])
