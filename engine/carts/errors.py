"""What a cart can refuse."""

from __future__ import annotations

from engine.kit.errors import Conflict, DomainError, Kind, NotFound


class NotInCart(NotFound):
    code = "not_in_cart"


class CartFull(Conflict):
    code = "cart_full"


class NotAvailable(DomainError):
    code = "out_of_stock"
    kind = Kind.CONFLICT


class CodeNotValid(DomainError):
    code = "coupon_invalid"
    kind = Kind.UNPROCESSABLE


class CodeTaken(Conflict):
    code = "code_taken"


class TooManyAutomatic(Conflict):
    code = "too_many_automatic"


class PromotionOver(Conflict):
    code = "promotion_over"
