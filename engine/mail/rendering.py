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
    name: str,
    facts: Mapping[str, Any],
    *,
    own: Mapping[str, Any] | None,
    footer: Sequence[str],
    lang: str,
    language: str = wording.DEFAULT,
) -> Rendered:
    """The letter ``name`` in a ``language``. ``facts`` are plain values; ``own`` are the shop's words for it: what
    stands between them is in their language then. ``lang`` is how the default language is written there.

    Raises ``jinja2.TemplateError`` for a fact that the words name and that is not there.
    """
    subject_words, body_words = wording.words(name, own, language)
    if own and own.get("body"):
        language = wording.DEFAULT
    facts = _said(facts, wording.phrases(language))
    subject = " ".join(wording.render(subject_words, facts).split())[:_SUBJECT_LIMIT]
    paragraphs = [part.strip("\n") for part in _BLANK.split(wording.render(body_words, facts)) if part.strip()]
    blocks = [_block(part, facts) for part in paragraphs]
    foot = [line for line in footer if line]
    text = "\n\n".join(_as_text(block) for block in blocks) + "\n\n-- \n" + "\n".join(foot) + "\n"
    written = {"lang": lang if language == wording.DEFAULT else language, "dir": wording.direction(language)}
    html = _layout().get_template("layout.html").render(subject=subject, blocks=blocks, footer=foot, **written)
    return Rendered(subject, text, html)


def _said(facts: Mapping[str, Any], phrases: Mapping[str, str]) -> Mapping[str, Any]:
    """The facts with what the house says of them in another language; names of goods and people stay as they are."""
    if not phrases:
        return facts
    said = {name: dict(table) for name, table in facts.get("tables", {}).items()}
    for name, table in said.items():
        table["head"] = [phrases.get(cell, cell) for cell in table["head"]]
        column = {"totals": 0, "waiting": -1}.get(name)
        if column is not None:
            table["rows"] = [_cell_said(row, column, phrases) for row in table["rows"]]
    refund = facts.get("refund")
    more = {"refund": refund | {"to": phrases.get(refund["to"], refund["to"])}} if refund else {}
    return {**facts, **more, **({"tables": said} if said else {})}


def _cell_said(row: Sequence[str], column: int, phrases: Mapping[str, str]) -> list[str]:
    cells = list(row)
    cells[column] = phrases.get(cells[column], cells[column])
    return cells


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
