"""Which state or province a postal code lies in: whoever asks when something arrives often says no more than that.

US: the ranges of three-digit prefixes of the Postal Service (a few prefixes of one state serve towns of another; taxes
are never worked out from this). Canada: the first letter.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cache
from typing import Final

_ZIP_TEXT: Final = (
    "005 NY|006 PR|008 VI|009 PR|010 MA|028 RI|030 NH|039 ME|050 VT|055 MA|056 VT|060 CT|070 NJ|090 AE|100 NY|150 PA|"
    "197 DE|200 DC|201 VA|202 DC|206 MD|220 VA|247 WV|270 NC|290 SC|300 GA|320 FL|340 AA|341 FL|350 AL|370 TN|386 MS|"
    "398 GA|400 KY|430 OH|460 IN|480 MI|500 IA|530 WI|550 MN|569 DC|570 SD|580 ND|590 MT|600 IL|630 MO|660 KS|680 NE|"
    "700 LA|716 AR|730 OK|733 TX|734 OK|750 TX|800 CO|820 WY|832 ID|834 ID|840 UT|850 AZ|870 NM|885 TX|889 NV|900 CA|"
    "962 AP|967 HI|969 GU|970 OR|980 WA|995 AK"
)
_PROVINCES: Final = {
    "A": "NL", "B": "NS", "C": "PE", "E": "NB", "G": "QC", "H": "QC", "J": "QC", "K": "ON", "L": "ON", "M": "ON",
    "N": "ON", "P": "ON", "R": "MB", "S": "SK", "T": "AB", "V": "BC", "X": "NT", "Y": "YT",
}  # fmt: skip


def region_of(country: str, postal_code: str) -> str:
    """The state or province, as its two letters; empty where it is not known, or the country has none."""
    code = postal_code.strip().upper()
    if country == "CA":
        return _PROVINCES.get(code[:1], "")
    if country != "US" or not code[:3].isdigit() or len(code) < len("00501"):
        return ""
    begins, states = _zip()
    place = bisect_right(begins, int(code[:3])) - 1
    return states[place] if place >= 0 else ""


@cache
def _zip() -> tuple[list[int], list[str]]:
    rows = [row.split() for row in _ZIP_TEXT.split("|")]
    return [int(first) for first, _ in rows], [state for _, state in rows]
