"""What a suite is: scenarios in YAML. Closed schemas: a misspelled key is an error that says where it is.

A scenario has a shop as it is before, turns, and what is true afterwards. ``docs/howto/evals.md`` is its manual.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from engine.conversations.schemas import Action

FOLDER: Final = Path(__file__).parent / "suites"
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=80)]
Text = Annotated[str, Field(min_length=1)]
AnyOf = Text | Annotated[list[Text], Field(min_length=2)]
"""A text, or several of which one is enough. ``~`` before it makes it a regular expression."""
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class SuiteInvalid(ValueError):
    """A suite file that cannot be used; the words say the file, the place and the reason."""


class NotThere(Exception):
    """A conversation did not lead to what the next turn is about: no card to press, no case to work on."""


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OrderSpec(Part):
    """An order that was bought through the engine before the conversation begins."""

    of: str
    """``guest``, or a customer of the shop: the local part of the e-mail address."""
    lines: Annotated[dict[str, Annotated[int, Field(ge=1)]], Field(min_length=1)]
    """SKU → units."""
    state: Literal["paid", "released", "shipped", "delivered"] = "paid"
    days_ago: Annotated[int, Field(ge=0)] = 1
    """When it was paid; what came later came within hours."""
    delivered_days_ago: Annotated[int, Field(ge=0)] | None = None
    code: str | None = None
    """A discount code it was bought with."""

    @model_validator(mode="after")
    def _in_order(self) -> OrderSpec:
        if self.delivered_days_ago is not None and self.state != "delivered":
            raise ValueError("delivered_days_ago goes with state delivered")
        if (self.delivered_days_ago or 0) > self.days_ago:
            raise ValueError("an order is delivered after it was paid")
        return self


class WorldSpec(Part):
    """The shop before: a file of ``evals/worlds``, and what is different in this scenario."""

    shop: Name = "outfitter"
    stock: dict[str, dict[str, Annotated[int, Field(ge=0)]]] = {}
    """SKU → place → units on hand, in place of the file's."""
    products: dict[str, dict[str, Any]] = {}
    """Slug → fields in place of the file's (a description that tries to give orders)."""
    policies: dict[str, dict[str, Any]] = {}
    orders: dict[Name, OrderSpec] = {}
    """By the name under which the scenario speaks of it: ``{order:jacket}`` is its number."""
    carts: dict[str, dict[str, Annotated[int, Field(ge=1)]]] = {}
    """Person → SKU → units."""


class CallWanted(Part):
    """A tool call that has to be made, or must not be."""

    tool: Text
    args: dict[str, Any] = {}
    """Those that matter, each equal, or matching where it begins with ``~``."""
    ok: bool | None = None
    """Whether it was answered or refused; either, when nothing is said."""
    times: Annotated[int, Field(ge=1)] | None = None
    """Exactly so often; at least once without it."""


class Calls(Part):
    required: list[CallWanted | Text] = []
    forbidden: list[CallWanted | Text] = []
    most: Annotated[int, Field(ge=0)] | None = None
    """No more calls than this, of whatever tool."""


class Words(Part):
    """Of what the shop says; case does not count."""

    must: list[AnyOf] = []
    must_not: list[Text] = []


class TurnExpected(Part):
    calls: Calls = Calls()
    words: Words = Words()
    cards: Words = Words()
    """Types of the cards shown in this turn."""


class Press(Part):
    answer: Literal["yes", "no"]
    card: str | None = None
    """Its reason, where several may be open: ``confirmation``, ``order_change``, …"""


class Wait(Part):
    minutes: Annotated[int, Field(ge=0)] = 0
    hours: Annotated[int, Field(ge=0)] = 0
    days: Annotated[int, Field(ge=0)] = 0


class Staff(Part):
    """What one of the shop's people does with the case of this conversation. Exactly one."""

    reply: Text | None = None
    take: Literal[True] | None = None
    resolve: Literal["agents", "close"] | None = None

    @model_validator(mode="after")
    def _one(self) -> Staff:
        _exactly_one(self, "reply", "take", "resolve")
        return self


class Meanwhile(Part):
    """What happens elsewhere. Exactly one."""

    release: Name | None = None
    ship: Name | None = None
    deliver: Name | None = None
    stock: dict[str, dict[str, int]] | None = None
    """SKU → place → units that come (or, below 0, that are gone)."""
    price: dict[str, Annotated[int, Field(gt=0)]] | None = None
    """SKU → its new price in minor units."""

    @model_validator(mode="after")
    def _one(self) -> Meanwhile:
        _exactly_one(self, "release", "ship", "deliver", "stock", "price")
        return self


class Turn(Part):
    """One thing that somebody does. Exactly one of the first seven."""

    say: Text | None = None
    press: Press | Literal["yes", "no"] | None = None
    action: Action | None = None
    wait: Wait | None = None
    staff: Staff | None = None
    meanwhile: Meanwhile | None = None
    sign_in: str | None = None
    """Prove by a code that this session is that customer's."""
    expect: TurnExpected = TurnExpected()

    @model_validator(mode="after")
    def _one(self) -> Turn:
        _exactly_one(self, "say", "press", "action", "wait", "staff", "meanwhile", "sign_in")
        return self

    @property
    def pressed(self) -> Press | None:
        return Press(answer=self.press) if isinstance(self.press, str) else self.press


class Expected(Part):
    state: dict[str, Any] = {}
    """What changed, as nested paths to the new values. Of orders, stock, stored value, returns, claims and approvals
    everything that changed has to be here."""
    exact: list[Literal["carts", "cases", "changes", "consents", "people", "thread"]] = []
    """More parts of the picture of which everything has to be said."""
    calls: Calls = Calls()
    words: Words = Words()
    cards: Words = Words()


class Scenario(Part):
    name: Name
    about: str = ""
    tags: list[Name] = []
    speaker: str = "guest"
    """``guest``, ``staff``, or a customer who is signed in."""
    world: WorldSpec = WorldSpec()
    turns: Annotated[list[Turn], Field(min_length=1)]
    expect: Expected = Expected()
    cassette: str | None = None
    """A file with the answers of the model, for a replay; its path begins where the suite's file is."""


class Suite(Part):
    suite: Name
    about: str = ""
    bar: Annotated[float, Field(ge=0, le=1)]
    """The share of its scenarios that the offline model passes, as measured: below it the suite fails."""
    scenarios: Annotated[list[Scenario], Field(min_length=1)]

    @field_validator("scenarios")
    @classmethod
    def _names_once(cls, scenarios: list[Scenario]) -> list[Scenario]:
        names = [one.name for one in scenarios]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"named twice: {', '.join(twice)}")
        return scenarios


def read_suite(file: Path) -> Suite:
    """Raises ``SuiteInvalid`` with the place of every fault."""
    return parse_suite(file.read_text(encoding="utf-8"), file)


def parse_suite(text: str, file: Path) -> Suite:
    """The suite that ``file`` is with this ``text``. Raises ``SuiteInvalid``."""
    try:
        suite = Suite.model_validate(yaml.load(text, Loader=_LOADER))  # noqa: S506 (safe)
        return suite.model_copy(update={"scenarios": [_with_cassette(one, file) for one in suite.scenarios]})
    except yaml.YAMLError as error:
        raise SuiteInvalid(f"{file}: {error}") from None
    except ValidationError as error:
        faults = [f"  {_place(one['loc'])}: {one['msg']}" for one in error.errors(include_url=False)]
        raise SuiteInvalid("\n".join([f"{file}:", *faults])) from None


def _with_cassette(scenario: Scenario, file: Path) -> Scenario:
    if scenario.cassette is None:
        return scenario
    return scenario.model_copy(update={"cassette": str(file.parent / scenario.cassette)})


def read_suites(names: Sequence[str] = (), folder: Path = FOLDER) -> list[Suite]:
    """The named suites (files, or names of ``folder``), or all of that folder. Raises ``SuiteInvalid``."""
    files = [_file(name, folder) for name in names] if names else sorted(folder.glob("*.yaml"))
    return [read_suite(file) for file in files]


def _file(name: str, folder: Path) -> Path:
    for file in (Path(name), folder / f"{name}.yaml"):
        if file.is_file():
            return file
    known = ", ".join(sorted(one.stem for one in folder.glob("*.yaml")))
    raise SuiteInvalid(f"There is no suite {name!r}; there are: {known}.")


def _place(loc: Iterable[int | str]) -> str:
    """``scenarios[3].turns[0].say``."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _exactly_one(part: Part, *names: str) -> None:
    given = [name for name in names if getattr(part, name) is not None]
    if len(given) != 1:
        raise ValueError(f"give exactly one of {', '.join(names)}; here: {', '.join(given) or 'none'}")
