"""What a product can be refused for."""

from __future__ import annotations

from engine.kit.errors import DomainError, Kind, Unavailable


class OutOfStock(DomainError):
    """Nothing of what was asked for can be bought now; the message names what can."""

    code = "out_of_stock"
    kind = Kind.CONFLICT


class OptionNotOffered(DomainError):
    """The product is not made like that; the message names how it is."""

    code = "option_not_offered"
    kind = Kind.UNPROCESSABLE


class IndexUnavailable(Unavailable):
    """The vector index does not answer; search goes on by words alone."""

    code = "index_unavailable"
