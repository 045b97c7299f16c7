"""What an act of the shop's people is: put into words, and done in one transaction. Kinds are in ``acts``."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from engine.kit.identity import Identity
from engine.runtime import Runtime

Ref = Annotated[str, Field(min_length=1, max_length=60)]
Words = Annotated[str, Field(min_length=1, max_length=200)]
Step = Callable[[Runtime], object]


@dataclass(frozen=True, slots=True)
class Doing:
    """Who has it done, and in which conversation."""

    runtime: Runtime
    identity: Identity
    thread_id: str | None

    @property
    def tenant_id(self) -> str:
        return self.identity.tenant_id


@dataclass(frozen=True, slots=True)
class Done:
    """What to say about it, and what asks others once it is committed (when nobody does: jobs, or the inbox has it)."""

    words: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    after: Step | None = None


class StaffAct(BaseModel):
    """One kind: its arguments name things as people do."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    title: ClassVar[str]

    @abstractmethod
    def words(self, session: Session, identity: Identity) -> list[str]:
        """What exactly would happen, a sentence each, from how things stand now. Raises what stands in the way."""

    @abstractmethod
    def run(self, session: Session, doing: Doing) -> Done:
        """Do it, in the caller's transaction."""
