"""Who sells, as letters, receipts and invoices must say it."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from engine.kit.policies import Policy
from engine.kit.refusals import worded

Line = Annotated[
    str, Field(max_length=120, pattern=r"^[^\x00-\x1f\x7f]*$"), worded("one line of at most 120 characters")
]


class SellerPolicy(Policy):
    """Without legal name and address no invoice is issued."""

    section: ClassVar[str] = "seller"

    legal_name: Line = ""
    address: Annotated[tuple[Line, ...], Field(max_length=6)] = ()
    """As it is printed, line by line."""
    country: Annotated[str, Field(pattern=r"^([A-Z]{2})?$"), worded("a country in two capital letters, such as DE")] = (
        ""
    )
    vat_id: Line = ""
    registration: Line = ""
    """Court and number of the company register, where the law wants it."""
    invoice_prefix: Annotated[
        str, Field(pattern=r"^[A-Z0-9-]{0,10}$"), worded("at most 10 capital letters, digits and hyphens")
    ] = ""
    """Before the year of every number: ``ACME-2026-000001``."""
    reverse_charge_note: Line = "Reverse charge: the recipient accounts for the tax."
    """Printed when a buyer gave a tax number and nothing was charged."""
    untaxed_note: Line = "No tax was charged for this destination."
    invoice_note: Annotated[str, Field(max_length=500)] = ""
    """Below every invoice."""

    @property
    def known(self) -> bool:
        """Whether a document that the tax office reads may name this seller."""
        return bool(self.legal_name and any(self.address))
