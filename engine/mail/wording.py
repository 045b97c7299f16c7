"""The letters there are, their words, and what a shop may write instead.

A letter is one Jinja template: its first line is the subject, the rest the body. Text and HTML are made from the same
body, so they cannot differ, and no shop writes HTML. A shop's own words are a stranger's data: they may say, choose
and repeat, and do nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

from jinja2 import StrictUndefined, Template, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.mail import tables
from engine.mail.samples import SAMPLES

FOLDER: Final = Path(__file__).with_name("templates")
DEFAULT: Final = "en"
NAMES: Final = tuple(sorted(SAMPLES))
NEEDED: Final = frozenset({"email_code", "staff_code", "staff_invite"})
"""Letters without which something a person asked for cannot go on."""
_FILTERS: Final = frozenset(
    {"capitalize", "default", "first", "join", "last", "length", "lower", "title", "trim", "upper"}
)
_MAY: Final = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Const,
    nodes.If,
    nodes.For,
    nodes.Filter,
    nodes.Compare,
    nodes.Operand,
    nodes.Not,
    nodes.And,
    nodes.Or,
    nodes.CondExpr,
    nodes.Concat,
)
_DEEPEST: Final = 2
_RIGHT_TO_LEFT: Final = frozenset({"ar", "fa", "he", "ur"})


@cache
def environment() -> ImmutableSandboxedEnvironment:
    """Text as it is, no globals, a name that is not there is an error."""
    made = ImmutableSandboxedEnvironment(
        autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.globals.clear()
    return made


def words(name: str, own: Mapping[str, Any] | None = None, language: str = DEFAULT) -> tuple[str, str]:
    """Subject and body of a letter as templates: the shop's own where it has some, else in the ``language`` where there
    are words in it.
    """
    subject, body = _ours(name, language)
    own = own or {}
    return own.get("subject") or subject, own.get("body") or body


def render(source: str, facts: Mapping[str, Any]) -> str:
    """A template over the facts; tables are left as marks. Raises ``jinja2.TemplateError``."""
    marks = {name: tables.mark(name) if name in facts.get("tables", {}) else "" for name in tables.NAMES}
    return _compiled(source).render(tables.clean(facts) | marks)


@lru_cache(maxsize=512)
def _compiled(source: str) -> Template:
    return environment().from_string(source)


def check(name: str, *, subject: str | None, body: str | None) -> None:
    """Whether a shop's own words can be used for this letter. Raises ``ValueError`` that says why not."""
    for source in (subject, body):
        if source is None:
            continue
        try:
            _allowed(environment().parse(source))
            render(source, SAMPLES[name] | _SHOP)
        except TemplateError as error:
            raise ValueError(f"{name}: {error.message or type(error).__name__}") from None
    if subject is not None and "\n" in subject.strip():
        raise ValueError(f"{name}: a subject is one line")


@cache
def phrases(language: str) -> Mapping[str, str]:
    """What facts say in English, in this language: the heads of tables, the names of sums, where money went."""
    file = FOLDER / language / "phrases.json"
    known: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return known


def direction(language: str) -> str:
    """Which way its lines run: ``ltr`` or ``rtl``."""
    return "rtl" if language in _RIGHT_TO_LEFT else "ltr"


@cache
def _ours(name: str, language: str) -> tuple[str, str]:
    there = FOLDER / language / f"{name}.txt"
    file = there if there.exists() else FOLDER / f"{name}.txt"
    subject, _, body = file.read_text(encoding="utf-8").partition("\n")
    return subject.removeprefix("Subject: "), body.strip() + "\n"


def _allowed(tree: nodes.Template) -> None:
    for node, loops in _walk(tree, 0):
        if not isinstance(node, _MAY):
            raise TemplateError(f"{type(node).__name__.lower()} is not allowed in a letter")
        if isinstance(node, nodes.Filter) and node.name not in _FILTERS:
            raise TemplateError(f"there is no filter {node.name!r} in a letter")
        if isinstance(node, nodes.For) and (loops >= _DEEPEST or node.recursive):
            raise TemplateError("loops in loops in loops are not allowed in a letter")


def _walk(node: nodes.Node, loops: int) -> Iterator[tuple[nodes.Node, int]]:
    yield node, loops
    inside = loops + isinstance(node, nodes.For)
    for child in node.iter_child_nodes():
        yield from _walk(child, inside)


_SHOP: Final[dict[str, Any]] = {
    "shop": {"name": "Shop", "legal_name": "Shop Ltd", "address": ["1 Road", "Town"], "email": "help@shop.example"}
}
