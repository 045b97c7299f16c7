"""What pydantic finds wrong with a value, in words for who typed it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import ValidationError, WrapValidator

OURS: Final = "Value error, "
"""What pydantic puts before the words of our own rules."""
_PLAIN: Final[Mapping[str, str]] = {
    "missing": "this is needed",
    "extra_forbidden": "there is no such field",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "decimal_type": "a number",
    "decimal_parsing": "a number",
    "decimal_max_places": "at most {decimal_places} decimals",
    "decimal_max_digits": "at most {max_digits} digits",
    "bool_type": "yes or no",
    "bool_parsing": "yes or no",
    "string_type": "text",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "enum": "one of {expected}",
    "literal_error": "one of {expected}",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "too_short": "at least {min_length} of them",
    "too_long": "at most {max_length} of them",
    "dict_type": "names and values",
    "model_type": "names and values",
    "model_attributes_type": "names and values",
    "date_type": "a day such as 2026-03-31",
    "date_parsing": "a day such as 2026-03-31",
    "date_from_datetime_parsing": "a day such as 2026-03-31",
    "date_from_datetime_inexact": "a day such as 2026-03-31",
    "time_type": "a time such as 09:30",
    "time_parsing": "a time such as 09:30",
    "datetime_type": "a moment such as 2026-03-31T09:30:00Z",
    "datetime_parsing": "a moment such as 2026-03-31T09:30:00Z",
    "datetime_from_date_parsing": "a moment such as 2026-03-31T09:30:00Z",
    "timezone_aware": "a moment with its time zone",
    "url_type": "an address such as https://example.com",
    "url_parsing": "an address such as https://example.com",
}
"""Kind of fault → words; ``{…}`` is filled from what pydantic tells of it."""


def in_words(fault: Mapping[str, Any]) -> str:
    """One of ``ValidationError.errors()``: our own words where a rule has them, else plain ones for its kind. A kind
    that is not known here keeps pydantic's.
    """
    plain = _PLAIN.get(fault["type"])
    if plain is None:
        return str(fault["msg"]).removeprefix(OURS)
    return plain.format_map(fault.get("ctx", {})).replace("1 characters", "1 character").replace("'", "")


def worded(words: str) -> WrapValidator:
    """What does not fit its type is refused in these words, not in those of its pattern."""

    def judge(value: Any, check: Callable[[Any], Any]) -> Any:
        try:
            return check(value)
        except ValidationError:
            raise ValueError(words) from None

    return WrapValidator(judge)
