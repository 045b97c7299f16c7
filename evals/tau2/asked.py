"""What a caller says, checked before anything is done with it: a known tool, every argument there and of its kind."""

from __future__ import annotations

import re
from typing import Any, Final

from evals.tau2.reasons import Reason
from evals.tau2.refusals import Refused
from evals.tau2.shapes import LISTS, TOOLS

_LONGEST: Final = 1_000
_LONGER: Final = {"summary": 20_000}
"""What is told in sentences."""
_NO_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_SHOWN: Final = 40


def checked(name: Any, arguments: Any) -> dict[str, Any]:
    """The arguments. Raises ``Refused`` for a tool there is none of, and for what cannot be an argument of it."""
    if not isinstance(name, str) or name not in TOOLS:
        raise Refused(Reason.MALFORMED, f"There is no tool {_shown(name)}.")
    if not isinstance(arguments, dict):
        raise Refused(Reason.MALFORMED, f"{name} takes named arguments.")
    wanted = TOOLS[name]
    for key in arguments:
        if key not in wanted:
            raise Refused(Reason.MALFORMED, f"{name} takes no {_shown(key)}.")
    for key in wanted:
        if key not in arguments:
            raise Refused(Reason.MALFORMED, f"{name} needs {key}.")
        _check(key, arguments[key])
    return arguments


def _check(key: str, value: Any) -> None:
    if key in LISTS:
        if not isinstance(value, list) or not all(_is_text(one, _LONGEST) for one in value):
            raise Refused(Reason.MALFORMED, f"{key} is a list of ids.")
    elif not _is_text(value, most := _LONGER.get(key, _LONGEST)):
        raise Refused(Reason.MALFORMED, f"{key} is a text of at most {most} letters.")


def _is_text(value: Any, most: int) -> bool:
    """Whether it is a text that can be kept: no control characters, no halves of characters, and not endless."""
    return isinstance(value, str) and len(value) <= most and not _NO_TEXT.search(value)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else type(value).__name__
    return ascii(text[:_SHOWN])
