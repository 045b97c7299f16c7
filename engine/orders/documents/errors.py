"""Why a paper cannot be issued."""

from __future__ import annotations

from engine.kit.errors import Conflict


class SellerUnknown(Conflict):
    code = "seller_unknown"


class NotPaidYet(Conflict):
    code = "not_paid_yet"


class NothingToInvoice(Conflict):
    code = "nothing_to_invoice"


class DocumentDoesNotAddUp(Conflict):
    code = "document_does_not_add_up"
