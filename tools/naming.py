"""Arguments that several tools share, described once."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from tools.spec import AgentName, Ref

COMMERCE = frozenset({AgentName.COMMERCE})
SERVICE = frozenset({AgentName.CUSTOMER_SERVICE})
SHOP = COMMERCE | SERVICE
OPERATIONS = frozenset({AgentName.OPERATIONS})
EVERYONE = frozenset(AgentName)

OrderName = Annotated[str, Ref, Field(description="Order number or ord_ id.", min_length=1, max_length=60)]
MethodRef = Annotated[str | None, Ref, Field(description="ref from list_payment_methods.", max_length=60)]
Part = Annotated[str | None, Field(max_length=200)]
Text = Annotated[str, Field(max_length=200)]
Few = Annotated[int, Field(ge=1, le=50)]


class Given(BaseModel):
    """A part of an argument: nothing but what it lists."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class OfOrder(Given):
    """Units of an order, by their line, or by their variant, whichever lines have it."""

    line_id: str | None = None
    variant_id: Annotated[str | None, Field(description="Instead of line_id: of any line that has it.")] = None

    def said(self) -> dict[str, Any]:
        """As the engine reads it; the line counts where both are named."""
        return self.model_dump(exclude_none=True, exclude={"variant_id"} if self.line_id else None)
