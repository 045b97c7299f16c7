"""A merchant's rules for its pages: how they look, how the assistant sounds, in which languages they are."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from engine.kit.policies import Policy
from engine.kit.refusals import worded
from engine.theme.colors import READABLE, WHITE, Color, contrast, readable

LIGHT_GROUND: Final = Color.of("#f6f4ef")
DARK_GROUND: Final = Color.of("#131517")
LIGHT_SOFT: Final = Color.of("#eeece6")
"""What lies behind words at the lightest theme's darkest: quiet labels have to be readable there."""
_LIGHT_QUIET: Final = Color.of("#5c5f63")
_DARK_QUIET: Final = Color.of("#a9adb3")
_CONTROLS: Final = "".join(map(chr, [*range(32), 127, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]))


def _readable_under_white(text: str) -> str:
    color = Color.of(text)
    found = contrast(color, WHITE)
    if found < READABLE:
        near = readable(color, WHITE, towards=Color(0, 0, 0))
        raise ValueError(
            f"white words on {color} have a contrast of {found:.1f} to 1 and need {READABLE} to 1; {near} would do"
        )
    return str(color)


def _plain(text: str) -> str:
    if any(sign in text for sign in _CONTROLS):
        raise ValueError("it has signs that cannot be seen")
    return " ".join(text.split())


Hex = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$"), worded("a color such as #1f6f54")]
Accent = Annotated[Hex, AfterValidator(_readable_under_white)]
Language = Annotated[
    str, Field(pattern=r"^[a-z]{2,3}$"), worded("a language in two or three small letters, such as es")
]
Tone = Annotated[
    str,
    Field(pattern=r"^[^\W\d_]+([ -][^\W\d_]+)?$", max_length=24),
    worded("one or two words of letters, at most 24 in all"),
]
"""One or two words: nothing that could be read as an order to the assistant."""
Name = Annotated[
    str,
    Field(max_length=30, pattern=r"^[^\W\d_][\w .'-]*$"),
    worded("at most 30 letters, digits, spaces and . ' -, a letter first"),
    AfterValidator(_plain),
]
_ORIGIN: Final = re.compile(
    r"https://(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9](:\d{1,5})?"
)
_OWN_MACHINE: Final = re.compile(r"http://(localhost|127\.0\.0\.1)(:\d{1,5})?")


def _an_origin(text: str) -> str:
    lowered = text.lower()
    if not (_ORIGIN.fullmatch(lowered) or _OWN_MACHINE.fullmatch(lowered)):
        raise ValueError("it must be one origin: https://, a host name, and nothing after it")
    return lowered


Greeting = Annotated[str, Field(min_length=1, max_length=120), AfterValidator(_plain)]


class ThemePolicy(Policy):
    """How the shop's pages look and how its assistant sounds. Colors are refused that words cannot be read on."""

    section: ClassVar[str] = "theme"

    accent: Accent | None = None
    """Buttons, links and the shopper's own words; none: the one the shop was set up with."""
    second: Accent | None = None
    """The shop's mark, where it is to differ from the accent."""
    tint_percent: Annotated[int, Field(ge=0, le=12)] = 0
    """How much of the accent is in the page's ground."""
    logo: Annotated[str, Field(pattern="^[0-9a-f]{16}$"), worded("a picture that was given")] | None = None
    """Which picture is shown, by its digest: set by giving one (POST /v1/staff/theme/logo); none: a letter."""
    corners: Literal["round", "soft", "square"] = "round"
    assistant_name: Name | None = None
    greeting: dict[Language, Greeting] = Field(default_factory=dict, max_length=12)
    """By language, in place of the page's own question."""
    tone: list[Tone] = Field(default_factory=list, max_length=5)
    """Words for how the assistant should sound, such as warm or brief."""

    @model_validator(mode="after")
    def _words_stay_readable(self) -> ThemePolicy:
        if self.accent is None:
            return self
        for ground, quiet in ((LIGHT_GROUND, _LIGHT_QUIET), (DARK_GROUND, _DARK_QUIET)):
            tinted = ground.mixed(Color.of(self.accent), self.tint_percent)
            found = contrast(quiet, tinted)
            if found < READABLE:
                raise ValueError(
                    f"with {self.tint_percent} percent of {self.accent} the ground becomes {tinted}: quiet words on it"
                    f" have a contrast of {found:.1f} to 1 and need {READABLE} to 1"
                )
        return self


class LanguagesPolicy(Policy):
    """The languages that the shop's pages are offered in; none named: all that there are words in."""

    section: ClassVar[str] = "languages"

    offered: list[Language] = Field(default_factory=list, max_length=20)
    home: Language | None = None
    """For who asks for no other; none: the language of the shop's locale."""


Origin = Annotated[str, Field(max_length=270), AfterValidator(_an_origin)]


class EmbedPolicy(Policy):
    """On whose pages the chat may be shown in a frame. None unless named."""

    section: ClassVar[str] = "embed"

    origins: list[Origin] = Field(default_factory=list, max_length=20)
    """``https://`` and a host, with a port where it is not 443; for trying it out also ``http://localhost`` and
    ``http://127.0.0.1``.
    """
