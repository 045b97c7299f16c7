"""What a merchant may decide about buying through agents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from engine.kit.policies import Policy
from engine.kit.refusals import worded

Url = Annotated[
    str, StringConstraints(pattern=r"^https?://[^\s<>\"]{1,480}$"), worded("an address such as https://example.com")
]
Words = Annotated[str, StringConstraints(min_length=1, max_length=200)]
LinkType = Literal[
    "terms_of_use",
    "privacy_policy",
    "return_policy",
    "shipping_policy",
    "contact_us",
    "about_us",
    "faq",
    "support",
]


Channel = Literal["email", "sms"]
_NEWS: Final[Mapping[Channel, str]] = {"email": "News and offers by e-mail."}
REACHED_BY: Final[Mapping[str, str]] = {"email": "email", "sms": "phone"}
"""Channel → the buyer's contact that it needs."""


class Acquirer(BaseModel):
    """What a 3-D Secure directory wants to know of whom the money goes to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    acquirer_bin: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,11}$"), worded("1 to 11 digits")] = "400000"
    acquirer_merchant_id: Annotated[str, StringConstraints(min_length=1, max_length=35)] = "000000000000000"
    requestor_id: Annotated[str, StringConstraints(min_length=1, max_length=35)] | None = None


class AgenticPolicy(Policy):
    """Buying through agents: what they are shown, and what they have to do."""

    section: ClassVar[str] = "agentic"

    links: dict[LinkType, Url] = Field(default_factory=dict)
    """Pages of the shop that an agent shows its buyer; without them the shop's own page stands for all."""
    marketing: dict[Channel, Words] = Field(default_factory=lambda: dict(_NEWS))
    """Channels that a buyer may ask to hear on, with the words they agree to."""
    three_d_secure: Literal["conditional", "always"] = "conditional"
    """``always``: no purchase without an authentication; else only where the card's bank asks for one."""
    acquirer: Acquirer = Acquirer()
    session_hours: Annotated[int, Field(ge=1, le=72)] = 6
    """How long a checkout stays open."""
    approval_minutes: Annotated[int, Field(ge=5, le=1440)] = 30
    """How long a human has to agree on the hosted page."""
    code_misses_per_hour: Annotated[int, Field(ge=1, le=100_000)] = 500
    """Codes of a platform that do not exist or are not for their buyer; beyond them none of its codes is looked at."""
