"""Pictures that strangers send: told by their bytes, and rid of everything that is not the picture.

Nothing is decoded. A file is cut into its segments and put together again from those that a picture needs, so that
places, cameras, comments, thumbnails and whatever hangs behind the end stay out. Of a JPEG's Exif data only the turn of
the camera is kept.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

JPEG: Final = "image/jpeg"
PNG: Final = "image/png"
WEBP: Final = "image/webp"
_PNG_START: Final = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNKS: Final = frozenset(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP sBIT bKGD pHYs acTL fcTL fdAT cICP".split()
)
_WEBP_CHUNKS: Final = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"))
_FRAME_CHUNKS: Final = frozenset((b"VP8 ", b"VP8L", b"ALPH"))
"""What a frame of an animation is made of: no frame holds another."""
_WEBP_TOLD: Final = 0b1100  # the bits of VP8X that announce Exif and XMP
_FRAME_HEAD: Final = 16
_BARE: Final = frozenset({0x01, *range(0xD0, 0xD8)})  # JPEG markers without a length
_SCAN, _END, _EXIF, _ICC, _ADOBE, _JFIF = 0xDA, 0xD9, 0xE1, 0xE2, 0xEE, 0xE0
_ORIENTATION: Final = 0x0112


class NotAPicture(ValueError):
    """The bytes are not of a picture that is taken, or are broken."""


def kind_of(content: bytes) -> str | None:
    """The media type that the first bytes show; ``None`` for any other than JPEG, PNG and WebP."""
    if content.startswith(b"\xff\xd8\xff"):
        return JPEG
    if content.startswith(_PNG_START):
        return PNG
    return WEBP if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else None


def bare(content: bytes) -> bytes:
    """The picture without anything else. The same again changes nothing. Raises ``NotAPicture``."""
    clean = {JPEG: _jpeg, PNG: _png, WEBP: _webp}.get(kind_of(content) or "")
    if clean is None:
        raise NotAPicture("This is no JPEG, PNG or WebP picture.")
    try:
        return clean(content)
    except (struct.error, IndexError):
        raise NotAPicture("The picture is broken.") from None


def _png(content: bytes) -> bytes:
    kept, place = [_PNG_START], len(_PNG_START)
    names: list[bytes] = []
    while not names or names[-1] != b"IEND":
        size, name = struct.unpack_from(">I4s", content, place)
        chunk = content[place : place + 12 + size]
        if len(chunk) < 12 + size:
            raise NotAPicture("The picture is broken.")
        names.append(name)
        place += len(chunk)
        if name in _PNG_CHUNKS:
            kept.append(chunk)
    if names[0] != b"IHDR" or b"IDAT" not in names:
        raise NotAPicture("The picture is broken.")
    return b"".join(kept)


def _webp(content: bytes) -> bytes:
    size = struct.unpack_from("<I", content, 4)[0]
    if size + 8 > len(content) + 1 or size < 12:
        raise NotAPicture("The picture is broken.")
    chunks = list(_chunks(content[12 : size + 8]))
    if not any(name in {b"VP8 ", b"VP8L", b"ANMF"} for name, _ in chunks):
        raise NotAPicture("The picture is broken.")
    body = b"WEBP" + b"".join(_chunk(name, data) for name, data in chunks if name in _WEBP_CHUNKS)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place < len(content):
        name, size = struct.unpack_from("<4sI", content, place)
        data = content[place + 8 : place + 8 + size]
        if len(data) < size:
            raise NotAPicture("The picture is broken.")
        yield name, data
        place += 8 + size + size % 2


def _chunk(name: bytes, data: bytes) -> bytes:
    if name == b"VP8X":
        data = bytes([data[0] & ~_WEBP_TOLD]) + data[1:]
    if name == b"ANMF":
        parts = (_chunk(*one) for one in _chunks(data[_FRAME_HEAD:]) if one[0] in _FRAME_CHUNKS)
        data = data[:_FRAME_HEAD] + b"".join(parts)
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _jpeg(content: bytes) -> bytes:
    kept, place, seen = [content[:2]], 2, set[int]()
    while True:
        marker, place = _marker(content, place)
        if marker == _END:
            break
        if marker in _BARE:
            continue
        size = struct.unpack_from(">H", content, place)[0]
        segment = content[place : place + size]
        if size < 2 or len(segment) < size:
            raise NotAPicture("The picture is broken.")
        place += size
        seen.add(marker)
        kept.append(_segment(marker, segment))
        if marker == _SCAN:
            end = _scan_end(content, place)
            kept.append(content[place:end])
            place = end
    if _SCAN not in seen:
        raise NotAPicture("The picture is broken.")
    return b"".join([*kept, b"\xff\xd9"])


def _marker(content: bytes, place: int) -> tuple[int, int]:
    """The marker at ``place`` and where it ends; fill bytes before it do not count."""
    if content[place] != 0xFF:
        raise NotAPicture("The picture is broken.")
    while content[place] == 0xFF:
        place += 1
    return content[place], place + 1


def _scan_end(content: bytes, place: int) -> int:
    """Where a scan's data ends: at the first marker that is no restart and no stuffed byte."""
    while True:
        place = content.find(b"\xff", place)
        if place < 0:
            raise NotAPicture("The picture is broken.")
        after = content[place + 1]
        if after and after not in _BARE and after != 0xFF:
            return place
        place += 1 if after == 0xFF else 2


def _segment(marker: int, segment: bytes) -> bytes:
    """A segment as it is kept; nothing for comments and for what programs add."""
    data = segment[2:]
    if marker == _EXIF:
        return _turned(data)
    known = {_JFIF: b"JFIF\0", _ICC: b"ICC_PROFILE\0", _ADOBE: b"Adobe"}.get(marker)
    if known is None and (marker == 0xFE or 0xE0 <= marker <= 0xEF):
        return b""
    if known is not None and not data.startswith(known):
        return b""
    if marker == _JFIF:
        segment = struct.pack(">H12s2x", 16, data)  # without its thumbnail, and whole however short it was
    return bytes([0xFF, marker]) + segment


def _turned(data: bytes) -> bytes:
    """Exif data that say nothing but how the camera was held; nothing where it was held as usual."""
    turn = _orientation(data[6:]) if data.startswith(b"Exif\0\0") else 1
    if not 2 <= turn <= 8:
        return b""
    told = struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, _ORIENTATION, 3, 1, turn, 0, 0)
    return b"\xff\xe1" + struct.pack(">H", 2 + 6 + len(told)) + b"Exif\0\0" + told


def _orientation(tiff: bytes) -> int:
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        start = struct.unpack_from(f"{order}I", tiff, 4)[0]
        for place in range(struct.unpack_from(f"{order}H", tiff, start)[0]):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, start + 2 + 12 * place)
            if (tag, kind) == (_ORIENTATION, 3):
                return int(value)
    except struct.error:
        return 1
    return 1
