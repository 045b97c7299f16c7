"""The benchmark's cases and recorded conversations, and the part of its shop that each of them can touch."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from engine.kit.errors import DomainError
from evals.tau2.shapes import TOOLS, Json, in_cents
from evals.tau2.shop import NotThisShop, read_shop

Row = TypeVar("Row")


class DataInvalid(DomainError):
    """A file of the benchmark that cannot be read as one."""

    code = "tau2_data_invalid"
    retryable = False


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it was recorded; ``result`` is ``None`` where it was not kept."""

    name: str
    arguments: Json
    result: Json
    error: str | None


@dataclass(frozen=True, slots=True)
class Case:
    """Calls that solve a task, and how they leave the shop: ``changes`` are ``{path, before, after}``."""

    task_id: str
    calls: tuple[Call, ...]
    changes: tuple[Json, ...]
    scenario: str
    """The customer's script, for whoever plays them."""
    told: tuple[str, ...] = ()
    """What the customer has to be told, as it is written."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A conversation that a model had with the shop."""

    name: str
    task_id: str
    messages: tuple[Json, ...]
    calls: tuple[Call, ...]
    """Those of the shop's own tools, in order."""
    places: tuple[int, ...]
    """Where each of ``calls`` stands among all that were recorded: messages name calls by it."""


def read_db(path: Path) -> Json:
    """The shop. Raises ``DataInvalid``."""
    try:
        db = json.loads(path.read_text(encoding="utf-8"))
        found = {table: db[table] for table in ("products", "users", "orders")}
        read_shop(found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataInvalid(f"{path} is no shop of the benchmark: {error!r}") from None
    except NotThisShop as error:
        raise DataInvalid(f"{path} is no shop of the benchmark: {error.message}") from None
    return found


def read_gold(paths: Iterable[Path]) -> list[Case]:
    """The cases of the files, in order. Raises ``DataInvalid``."""
    return [one for path in paths for one in _made(path, _case, ("task_id", "gold_actions", "expected"))]


def read_conversations(paths: Iterable[Path]) -> list[Recorded]:
    """The conversations of the files, and of a folder's files. Raises ``DataInvalid``."""
    files = [file for path in paths for file in (sorted(path.glob("*.jsonl")) if path.is_dir() else [path])]
    return [one for file in files for one in _made(file, _recorded, ("task_id", "messages", "calls"))]


def _made(path: Path, make: Callable[[Json], Row], wanted: Sequence[str]) -> Iterator[Row]:
    for row in _rows(path, wanted):
        try:
            yield make(row)
        except (KeyError, TypeError, AttributeError) as error:
            raise DataInvalid(f"{path} is no file of the benchmark: {error!r}") from None


def _rows(path: Path, wanted: Sequence[str]) -> Iterator[Json]:
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            missing = [key for key in wanted if key not in row]
            if missing:
                raise DataInvalid(f"{path} is no file of the benchmark: {missing[0]} is missing")
            yield row
    except (OSError, ValueError, TypeError) as error:
        raise DataInvalid(f"{path} cannot be read: {error!r}") from None


def _case(row: Json) -> Case:
    calls = tuple(Call(one["name"], one["arguments"], one["result"], one["error"]) for one in row["gold_actions"])
    expected = row["expected"]
    changes = expected["diff"] if expected["diff_clean"] is None else expected["diff_clean"]
    told = tuple(map(str, row.get("communicate_info") or ()))
    return Case(row["task_id"], calls, tuple(changes), row.get("scenario_text") or "", told)


def _recorded(row: Json) -> Recorded:
    ours = [(place, one) for place, one in enumerate(row["calls"]) if one["name"] in TOOLS]
    calls = tuple(
        Call(one["name"], one["arguments"], one["result"], str(one["result"]) if one["error"] else None)
        for _, one in ours
    )
    name = ":".join(str(row[key]) for key in ("run", "task_id", "trial") if row.get(key) is not None)
    return Recorded(name, row["task_id"], tuple(row["messages"]), calls, tuple(place for place, _ in ours))


def changed(db: Json, changes: Iterable[Json]) -> Json:
    """``db`` in cents after ``changes``, whose paths are of the form ``/orders/#W1/items/0/price``."""
    state = copy.deepcopy(db)
    for change in changes:
        place: Json = state
        key: str | int = ""
        left = change["path"].strip("/").split("/")
        while left:
            key = _step(place, left)
            if left:
                place = place[key]
        place[key] = change["after"]
    return in_cents(state)


def _step(place: Json, left: list[str]) -> str | int:
    """Take the next key off a path; an option's name may hold a slash itself."""
    if isinstance(place, list):
        return int(left.pop(0))
    size = next((size for size in range(1, len(left) + 1) if "/".join(left[:size]) in place), 1)
    key = "/".join(left[:size])
    del left[:size]
    return key


class Shop:
    """The whole shop, and slices of it that no call of a case can tell from the whole."""

    def __init__(self, db: Json) -> None:
        self.db = db
        self._by_email: dict[str, set[str]] = {}
        self._by_name: dict[tuple[str, str], set[str]] = {}
        for user_id, user in db["users"].items():
            name = (user["name"]["first_name"].lower(), user["name"]["last_name"].lower())
            self._by_email.setdefault(user["email"].lower(), set()).add(user_id)
            self._by_name.setdefault(name, set()).add(user_id)

    def slice_for(self, calls: Iterable[Call], paths: Iterable[str] = ()) -> Json:
        """The shop with the customers that ``calls`` or ``paths`` can reach, their orders, and all products."""
        reached = set(self.customers_of(calls))
        for path in paths:
            _, table, key, *_ = path.split("/")
            reached |= self._owner({"user_id": key} if table == "users" else {"order_id": key})
        return self.slice_of(reached)

    def slice_of(self, user_ids: Iterable[str]) -> Json:
        """The shop with these customers only, in the shop's order."""
        wanted = set(user_ids)
        return {
            "products": self.db["products"],
            "users": {key: user for key, user in self.db["users"].items() if key in wanted},
            "orders": {key: order for key, order in self.db["orders"].items() if order["user_id"] in wanted},
        }

    def customers_of(self, calls: Iterable[Call]) -> list[str]:
        """Whoever the calls can be about, most often meant first."""
        met = Counter(user_id for call in calls for user_id in sorted(self._reached(call.arguments)))
        return [user_id for user_id, _ in met.most_common()]

    def _reached(self, arguments: Json) -> set[str]:
        """Whoever an id, an e-mail or a name of the arguments can be of: a name at any address."""
        if not isinstance(arguments, dict):
            return set()
        given = {key: value for key, value in arguments.items() if isinstance(value, str)}
        name = (given.get("first_name", "").lower(), given.get("last_name", "").lower())
        by_email = self._by_email.get(given.get("email", "").lower(), set())
        return self._owner(given) | by_email | self._by_name.get(name, set())

    def _owner(self, given: Json) -> set[str]:
        order = self.db["orders"].get(given.get("order_id"))
        found = {given["user_id"]} & self.db["users"].keys() if "user_id" in given else set()
        return found | ({order["user_id"]} if order else set())
