"""What a model meant by its arguments: read as JSON, mended once, checked against the tool's model."""

from __future__ import annotations

import ast
import json
import re
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from engine.kit.errors import InvalidInput
from tools.spec import ToolSpec

LIMIT: Final = 20_000
"""Characters of one call's arguments."""
TOO_LONG: Final = '{"arguments": "too long"}'
UNREADABLE: Final = '{"arguments": "unreadable"}'
"""What stands for arguments that cannot be kept; no tool takes these."""
_FENCE: Final = re.compile(r"^\s*```(?:json)?\s*|\s*```\s*$")
_TRAILING_COMMA: Final = re.compile(r",\s*([}\]])")


class InvalidArguments(InvalidInput):
    code = "invalid_arguments"


def read_arguments(spec: ToolSpec, raw: str) -> BaseModel:
    """``raw`` as the tool's arguments. Raises ``InvalidArguments`` saying which one is wrong and why."""
    values = _read(raw)
    try:
        return spec.arguments.model_validate(values)
    except ValidationError:
        mended = _mend(spec, values)
    try:
        return spec.arguments.model_validate(mended)
    except ValidationError as error:
        raise InvalidArguments(_explain(error)) from None


def as_sent_back(raw: str) -> str:
    """The arguments as they stand in the history from now on: a JSON object of a size that any provider takes."""
    if len(raw) > LIMIT:
        return TOO_LONG
    try:
        return json.dumps(_read(raw), ensure_ascii=False)
    except (InvalidArguments, RecursionError):
        return UNREADABLE


def call_arguments(arguments: BaseModel) -> dict[str, Any]:
    """The checked values by name, as the function takes them."""
    return {name: getattr(arguments, name) for name in type(arguments).model_fields}


def _read(raw: str) -> dict[str, Any]:
    """Nesting that can be parsed may still be too deep to be walked through."""
    try:
        values: dict[str, Any] = _writable(_parse(raw))
    except RecursionError:
        raise InvalidArguments("The arguments are not a JSON object.") from None
    return values


def _parse(raw: str) -> dict[str, Any]:
    if raw == TOO_LONG:
        raise InvalidArguments("The arguments are too long: say less.")
    if raw == UNREADABLE:
        raise InvalidArguments("The arguments are not a JSON object.")
    text = raw.strip() or "{}"
    for attempt in (text, _TRAILING_COMMA.sub(r"\1", _FENCE.sub("", text))):
        try:
            values = json.loads(attempt)
        except (ValueError, RecursionError):
            continue
        if isinstance(values, dict):
            return values
    return _python_literal(text)


def _writable(value: Any) -> Any:
    """The same without letters that no text can hold: the null byte, halves of a surrogate pair."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "ignore").decode("utf-8")
    if isinstance(value, list):
        return [_writable(item) for item in value]
    if isinstance(value, dict):
        return {_writable(name): _writable(item) for name, item in value.items()}
    return value


def _python_literal(text: str) -> dict[str, Any]:
    """Some models write Python: single quotes, None, True.

    CPython 3.11 raises ``SystemError`` for text that is in order when something else is parsed in the middle of it.
    """
    try:
        values = ast.literal_eval(_FENCE.sub("", text))
    except (ValueError, SyntaxError, MemoryError, RecursionError, SystemError):
        values = None
    if not isinstance(values, dict):
        raise InvalidArguments("The arguments are not a JSON object.")
    return values


def _mend(spec: ToolSpec, values: dict[str, Any]) -> dict[str, Any]:
    """Drop what the tool does not know and nulls; unpack objects that came as JSON text."""
    kept = {name: value for name, value in values.items() if name in spec.arguments.model_fields and value is not None}
    return {name: _unpacked(value) for name, value in kept.items()}


def _unpacked(value: Any) -> Any:
    if not isinstance(value, str) or value[:1] not in {"{", "["}:
        return value
    try:
        return _writable(json.loads(value))
    except (ValueError, RecursionError):
        return value


def _explain(error: ValidationError) -> str:
    wrong = [f"{'.'.join(map(str, part['loc'])) or 'arguments'}: {part['msg']}" for part in error.errors()]
    return "; ".join(wrong[:5])
