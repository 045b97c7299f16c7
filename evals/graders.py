"""Three graders, each alone: what changed, what was called, what was said. A reward is their product.

A grader answers with what is not as it should be; nothing means full marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from evals.picture import GUARDED
from evals.suite import AnyOf, Calls, CallWanted, Words
from evals.talking import Call, Heard

ANY: Final = "any"
GONE: Final = "gone"
_RELATIVE: Final = re.compile(r"[+-]\d+")
_PATTERN: Final = "~"


@dataclass(frozen=True, slots=True)
class Miss:
    """One thing that is not as expected."""

    grader: str
    """state, calls or words."""
    what: str
    expected: str
    found: str


Changes = Mapping[str, tuple[Any, Any]]


def grade_state(expected: Mapping[str, Any], changes: Changes, *, exact: Sequence[str] = ()) -> list[Miss]:
    """Every expected change happened, and nothing else did to money, goods, or the parts named in ``exact``."""
    wanted = flat(expected)
    misses = [miss for path, value in wanted.items() if (miss := _changed(path, value, changes.get(path)))]
    guarded = {*GUARDED, *exact}
    for path, (before, after) in changes.items():
        if path not in wanted and path.partition(".")[0] in guarded:
            misses.append(Miss("state", path, f"unchanged ({_shown(before)})", _shown(after)))
    return misses


def grade_calls(expected: Calls, calls: Sequence[Call]) -> list[Miss]:
    """Every required call was made, none that is forbidden, and no more than allowed."""
    misses = []
    for wanted in map(_call, expected.required):
        count = sum(fits(wanted, call) for call in calls)
        if count != wanted.times if wanted.times else not count:
            often = f"{wanted.times} times" if wanted.times else "at least once"
            misses.append(Miss("calls", _named(wanted), often, f"{count} times; {_list(calls)}"))
    misses += [
        Miss("calls", _named(banned), "never", _list(found))
        for banned in map(_call, expected.forbidden)
        if (found := [call for call in calls if fits(banned, call)])
    ]
    if expected.most is not None and len(calls) > expected.most:
        misses.append(Miss("calls", "all of them", f"at most {expected.most}", f"{len(calls)}; {_list(calls)}"))
    return misses


def grade_words(expected: Words, texts: Sequence[str], *, what: str = "words") -> list[Miss]:
    """Every text that must be there is, and none that must not."""
    whole = "\n".join(texts)
    missing = [wanted for wanted in expected.must if not any(_said(one, whole) for one in _choices(wanted))]
    said = [banned for banned in expected.must_not if _said(banned, whole)]
    return [
        *(Miss("words", what, " or ".join(map(repr, _choices(wanted))), whole or "nothing") for wanted in missing),
        *(Miss("words", what, f"not {banned!r}", _around(banned, whole)) for banned in said),
    ]


def grade_failures(heard: Iterable[Heard]) -> list[Miss]:
    """A run that failed, or a tool that broke, is never right."""
    misses = []
    for turn in heard:
        if turn.error:
            misses.append(Miss("words", f"the turn {turn.said!r}", "an answer", f"the run failed: {turn.error}"))
        misses += [
            Miss("calls", call.tool, "an answer or a refusal", "it broke (internal)")
            for call in turn.calls
            if call.error == "internal"
        ]
    return misses


def flat(tree: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Nested keys as paths."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        place = f"{path}.{key}" if path else str(key)
        found |= flat(value, place) if isinstance(value, Mapping) else {place: value}
    return found


def fits(wanted: CallWanted, call: Call) -> bool:
    """Whether a call is one that was wanted."""
    if call.tool != wanted.tool or (wanted.ok is not None and call.ok is not wanted.ok):
        return False
    if not wanted.args:
        return True
    return not isinstance(call.args, str) and _contains(wanted.args, call.args)


def _contains(wanted: Any, found: Any) -> bool:
    """Everything wanted is there; more may be."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            key in found and _contains(value, found[key]) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(found, list) and all(any(_contains(one, other) for other in found) for one in wanted)
    if isinstance(wanted, str) and wanted.startswith(_PATTERN):
        return re.search(wanted[1:], str(found), re.IGNORECASE) is not None
    return bool(wanted == found)


def _changed(path: str, wanted: Any, change: tuple[Any, Any] | None) -> Miss | None:
    if change is None:
        return Miss("state", path, _shown(wanted), "unchanged")
    before, after = change
    if wanted == ANY:
        return None
    if wanted == GONE:
        right = after is None
    elif isinstance(wanted, str) and _RELATIVE.fullmatch(wanted):
        right = (after or 0) - (before or 0) == int(wanted)
    elif isinstance(wanted, str) and wanted.startswith(_PATTERN):
        right = after is not None and re.search(wanted[1:], str(after), re.IGNORECASE) is not None
    else:
        right = after == wanted
    return None if right else Miss("state", path, _shown(wanted), f"{_shown(after)} (before: {_shown(before)})")


def _call(wanted: CallWanted | str) -> CallWanted:
    return CallWanted(tool=wanted) if isinstance(wanted, str) else wanted


def _choices(wanted: AnyOf) -> list[str]:
    return [wanted] if isinstance(wanted, str) else list(wanted)


def _said(wanted: str, text: str) -> bool:
    if wanted.startswith(_PATTERN):
        return re.search(wanted[1:], text, re.IGNORECASE) is not None
    return wanted.casefold() in text.casefold()


def _around(banned: str, text: str) -> str:
    """The words near what should not be there."""
    if banned.startswith(_PATTERN):
        found = re.search(banned[1:], text, re.IGNORECASE)
        place = found.start() if found else 0
    else:
        place = text.casefold().find(banned.casefold())
    return f"…{text[max(0, place - 80) : place + 120]}…"


def _named(wanted: CallWanted) -> str:
    more = "" if wanted.ok is None else ", answered" if wanted.ok else ", refused"
    return f"{wanted.tool}({', '.join(f'{k}={v!r}' for k, v in wanted.args.items())}){more}"


def _list(calls: Sequence[Call]) -> str:
    return ", ".join(f"{call.tool}({call.args}){'' if call.ok else f' refused: {call.error}'}" for call in calls) or "-"


def _shown(value: Any) -> str:
    return "not there" if value is None else str(value)
