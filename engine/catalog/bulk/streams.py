"""Files as streams: objects of JSON, lines of JSON, rows of CSV, one after the other, never all of them in memory."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal, TextIO

from engine.kit.errors import InvalidInput
from engine.kit.ids import echo

Form = Literal["csv", "json", "jsonl"]
Opener = Callable[[], TextIO]
"""Opens the file from its start, each time anew; text without newline translation."""
MOST_ITEMS: Final = 100_000
MOST_CHARACTERS: Final = 1_000_000
"""Of one item, and of one line."""
_READ: Final = 64 * 1024
_NO_TEXT: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u(?:0000|[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F]))|\x00")
"""What no text that is kept may hold: a NUL, half a surrogate pair."""


def of_text(text: str) -> Opener:
    """A text as a file."""
    return lambda: io.StringIO(text.removeprefix("\ufeff"), newline="")


def form_of(name: str) -> Form:
    """What a file's name says it is; a table for want of better."""
    ending = name.lower().rpartition(".")[2]
    return "json" if ending == "json" else "jsonl" if ending in {"jsonl", "ndjson"} else "csv"


def objects(stream: TextIO, form: Form, name: str) -> Iterator[tuple[int, Any]]:
    """What the list ``name`` of a JSON file holds, or each line of one; counted from 1. Raises ``InvalidInput``."""
    read = _elements(stream, name) if form == "json" else _lines(stream)
    try:
        yield from enumerate(read, 1)
    except (ValueError, RecursionError) as error:
        raise unreadable(error, "JSON") from None


def table(stream: TextIO, known: Callable[[str], bool]) -> csv.DictReader[str]:
    """A table whose first line names columns that are ``known``. Raises ``InvalidInput``."""
    read = csv.DictReader(_clean(stream))
    try:
        heading = [name.strip() for name in read.fieldnames or ()]
    except (csv.Error, UnicodeDecodeError) as error:
        raise unreadable(error, "a table") from None
    if unknown := [name for name in heading if not known(name)]:
        raise InvalidInput(f"There is no column {echo(unknown[0], 'of that name')}.", param="content")
    if len(set(heading)) != len(heading):
        raise InvalidInput("A column is there twice.", param="content")
    read.fieldnames = heading
    return read


def unreadable(error: Exception, what: str) -> InvalidInput:
    """Why a file is none of ours, with nothing of it."""
    if isinstance(error, InvalidInput):
        return error
    what = "text in UTF-8" if isinstance(error, UnicodeDecodeError) else what
    return InvalidInput(f"The file is not {what}.", param="content")


def _clean(stream: TextIO) -> Iterator[str]:
    for line in stream:
        if "\0" in line:
            raise InvalidInput("Text cannot hold the character NUL.", param="content")
        yield line


def _lines(stream: TextIO) -> Iterator[Any]:
    while line := stream.readline(MOST_CHARACTERS):
        if len(line) >= MOST_CHARACTERS:
            raise InvalidInput("A line of the file is too long.", param="content")
        if line.strip():
            yield _element(line)


def _element(text: str) -> Any:
    read = json.loads(text, parse_constant=_no_number)
    return None if _NO_TEXT.search(text) else read


def _elements(stream: TextIO, name: str) -> Iterator[Any]:
    """The elements of the one list: each is read when it is asked for, with the text behind it still unread."""
    text = _Ahead(stream)
    text.fill(_READ)
    head = re.match(rf'\s*(\{{\s*"{name}"\s*:\s*)?\[', text.held)
    if head is None:
        raise InvalidInput(f'The file holds a list "{name}".', param="content")
    text.skip(head.end())
    if not text.take("]"):
        yield text.element()
        while text.take(","):
            yield text.element()
        text.must("]")
    if head.group(1):
        text.must("}")
    text.must("")


class _Ahead:
    """A text of which some is held; what was read of it is let go when more is needed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._at = 0
        self._decoder = json.JSONDecoder(parse_constant=_no_number)
        self.held = ""

    def fill(self, count: int) -> bool:
        """Read on; false at the end of the file."""
        more = self._stream.read(count)
        self.held = self.held[self._at :] + more
        self._at = 0
        return bool(more)

    def skip(self, count: int) -> None:
        self._at += count

    def take(self, mark: str) -> bool:
        """Pass white space, and the mark if it stands there."""
        while True:
            while self._at < len(self.held) and self.held[self._at].isspace():
                self._at += 1
            if self._at < len(self.held):
                break
            if not self.fill(_READ):
                return not mark
        if mark and self.held.startswith(mark, self._at):
            self._at += 1
            return True
        return False

    def must(self, mark: str) -> None:
        if not self.take(mark):
            raise ValueError(mark)

    def element(self) -> Any:
        self.take(" ")
        while True:
            try:
                read, end = self._decoder.raw_decode(self.held, self._at)
            except ValueError:
                end = len(self.held)
            if end < len(self.held):
                break
            if len(self.held) - self._at > MOST_CHARACTERS:
                raise InvalidInput("An item of the file is too long, or it is not JSON.", param="content")
            if not self.fill(_READ):
                raise ValueError("the file ends in an item")
        found, self._at = self.held[self._at : end], end
        return None if _NO_TEXT.search(found) else read


def _no_number(_: str) -> Any:
    raise ValueError("no number")
