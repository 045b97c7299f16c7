"""What a shop says about its letters: who they come from, in which words, and which it does not write."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from engine.kit.policies import Policy
from engine.mail import wording
from engine.mail.addresses import checked_address


def _one_line(text: str) -> str:
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise ValueError("it must be one line")
    return text


Line = Annotated[str, Field(max_length=200), AfterValidator(_one_line)]
Address = Annotated[str, Field(max_length=254), AfterValidator(lambda text: checked_address(text) if text else text)]


class Words(BaseModel):
    """A letter in the shop's own words; what is not given stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    subject: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    body: Annotated[str, Field(min_length=1, max_length=10_000)] | None = None


class MailPolicy(Policy):
    """Letters are written in ``templates`` where given, else in our words."""

    section: ClassVar[str] = "mail"

    from_name: Line = ""
    """Empty: the shop's name."""
    from_address: Address = ""
    """Empty: the shop's support e-mail."""
    reply_to: Address = ""
    footer: Annotated[str, Field(max_length=1_000)] = ""
    """Below every letter, above the seller's legal name and address."""
    templates: dict[str, Words] = Field(default_factory=dict)
    disabled: tuple[str, ...] = ()
    """Letters that are not written."""

    @model_validator(mode="after")
    def _known_and_sound(self) -> MailPolicy:
        for name in (*self.templates, *self.disabled):
            if name not in wording.NAMES:
                raise ValueError(f"there is no letter {name!r}; there are: {', '.join(wording.NAMES)}")
        if needed := wording.NEEDED & set(self.disabled):
            raise ValueError(f"{', '.join(sorted(needed))} cannot be left out")
        for name, words in self.templates.items():
            wording.check(name, subject=words.subject, body=words.body)
        return self
