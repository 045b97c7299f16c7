"""Where carriers show a parcel to whoever knows its number."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

_PAGES: Final = {
    "ups": "https://www.ups.com/track?tracknum={}",
    "usps": "https://tools.usps.com/go/TrackConfirmAction?tLabels={}",
    "fedex": "https://www.fedex.com/fedextrack/?trknbr={}",
    "dhl": "https://www.dhl.com/en/express/tracking.html?AWB={}",
}


def carrier_page(carrier: str | None, number: str | None) -> str | None:
    """The address of a parcel's page; ``None`` for a carrier without one."""
    page = _PAGES.get(carrier.lower().split()[0] if carrier else "")
    return page.format(quote(number, safe="")) if page and number else None
