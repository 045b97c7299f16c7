"""JMESPath, checked before it is used: functions that exist, as many arguments as they take, and no inexact sums."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import jmespath
from jmespath import exceptions
from jmespath.functions import Functions
from jmespath.parser import ParsedResult

LONGEST: Final = 500
INEXACT: Final = frozenset({"sum", "avg", "to_number", "abs", "ceil", "floor"})
"""They make fractions that no amount may be: the transforms reckon exactly."""
_GIVES: Final[Mapping[str, str]] = {
    "length": "integer",
    "join": "string",
    "to_string": "string",
    "type": "string",
    "contains": "boolean",
    "ends_with": "boolean",
    "starts_with": "boolean",
    "keys": "array",
    "values": "array",
    "map": "array",
    "sort": "array",
    "sort_by": "array",
    "to_array": "array",
    "merge": "object",
}
_NODES: Final[Mapping[str, str]] = {
    "projection": "array",
    "filter_projection": "array",
    "value_projection": "array",
    "flatten": "array",
    "multi_select_list": "array",
    "multi_select_dict": "object",
    "comparator": "boolean",
    "not_expression": "boolean",
}


class Misfit(ValueError):
    """A value or an expression that cannot be where it is; the message says why, in the mapping's words."""


def compiled(expression: str) -> ParsedResult:
    """The expression, ready. Raises ``Misfit`` that says what is wrong with it."""
    if not expression.strip() or len(expression) > LONGEST:
        raise Misfit(f"an expression has 1 to {LONGEST} characters")
    try:
        parsed = jmespath.compile(expression)
        _check(parsed.parsed)
    except (exceptions.JMESPathError, RecursionError):
        raise Misfit("this is no JMESPath expression") from None
    return parsed


def kind(parsed: ParsedResult) -> str | None:
    """What an expression gives whatever it reads, in JSON's words; ``None`` where that depends."""
    node = parsed.parsed
    if node["type"] == "function_expression":
        return _GIVES.get(node["value"])
    if node["type"] == "literal":
        return kind_of(node["value"])
    return _NODES.get(node["type"])


def kind_of(value: Any) -> str:
    """A value's kind in JSON's words."""
    for name, types in _KINDS.items():
        if isinstance(value, types):
            return name
    return "null"


_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "boolean": (bool,),
    "integer": (int,),
    "number": (float,),
    "string": (str,),
    "array": (list, tuple),
    "object": (dict,),
}


def search(parsed: ParsedResult, document: Any) -> Any:
    """What the expression finds. Raises ``Misfit`` where a function meets what it cannot work with."""
    try:
        return parsed.search(document)
    except (exceptions.JMESPathError, TypeError, RecursionError):
        raise Misfit("the expression does not fit what it reads") from None


def _check(node: Mapping[str, Any]) -> None:
    if node["type"] == "function_expression":
        _check_function(node["value"], len(node["children"]))
    for child in node["children"]:
        _check(child)


def _check_function(name: str, given: int) -> None:
    if name in INEXACT:
        raise Misfit(f"{name}() is not exact: use a transform")
    known = Functions.FUNCTION_TABLE.get(name)
    if known is None:
        raise Misfit("there is no such function in JMESPath")
    wanted = known["signature"]
    least, open_ended = len(wanted), bool(wanted and wanted[-1].get("variadic"))
    if given < least or (given > least and not open_ended):
        raise Misfit(f"{name}() takes {least}{' or more' if open_ended else ''}, not {given}")
