"""What a product can be refused for."""

from __future__ import annotations

from engine.kit.errors import Conflict, DomainError, InvalidInput, Kind, Unavailable


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


class CurrencyNotSold(InvalidInput):
    """The shop does not sell in that currency at all; the message names those it sells in."""

    code = "currency_not_sold"


class NotSoldInCurrency(Conflict):
    """The item has no price in that currency. Nothing is ever converted."""

    code = "not_sold_in_currency"


class PriceOver(Conflict):
    code = "price_over"


class SlugTaken(Conflict):
    """A slug, SKU or external id that the shop has already."""

    code = "already_there"


class NotSellable(Conflict):
    code = "not_sellable"
