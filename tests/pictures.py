"""Small pictures that are whole, with what cameras and strangers write into them."""

from __future__ import annotations

import struct
import zlib

SECRET = b"GPS 47.3769 N 8.5417 E"


def png(extra: bytes = SECRET, *, noise: int = 0) -> bytes:
    """One red pixel; ``noise`` bytes more of picture data."""
    header = _png("IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    texts = _png("tEXt", b"Comment\0" + extra) + _png("eXIf", exif(extra=extra)) if extra else b""
    more = _png("IDAT", b"0" * noise) if noise else b""
    pixel = _png("IDAT", zlib.compress(b"\0\xff\0\0"))
    return b"\x89PNG\r\n\x1a\n" + header + texts + pixel + more + _png("IEND", b"") + extra


def _png(name: str, data: bytes) -> bytes:
    body = name.encode() + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def jpeg(extra: bytes = SECRET, *, turn: int = 6) -> bytes:
    """The segments of a baseline picture, with Exif, a comment, and something behind its end."""
    jfif = _jpeg(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0")
    told = _jpeg(0xE1, b"Exif\0\0" + exif(turn, extra)) + _jpeg(0xFE, extra) + _jpeg(0xED, b"Photoshop" + extra)
    tables = _jpeg(0xDB, b"\0" + bytes(64)) + _jpeg(0xC0, b"\x08\0\x01\0\x01\x01\x01\x11\0")
    scan = _jpeg(0xDA, b"\x01\x01\0\0\x3f\0") + b"\x12\xff\0\x34\xff\xd0\x56"
    return b"\xff\xd8" + jfif + told + tables + scan + b"\xff\xd9" + extra


def _jpeg(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def exif(turn: int = 6, extra: bytes = SECRET) -> bytes:
    """How the camera was held, and whatever else it wrote down."""
    return struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 0x0112, 3, 1, turn, 0, 0) + extra


def webp(extra: bytes = SECRET) -> bytes:
    """An extended file that says it has Exif and XMP."""
    picture = webp_chunk(b"VP8 ", b"\x30\x01\0\x9d\x01\x2a\x01\0\x01\0\0")
    told = webp_chunk(b"EXIF", exif(extra=extra)) + webp_chunk(b"XMP ", extra)
    return webp_of(webp_chunk(b"VP8X", b"\x0c\0\0\0" + bytes(6)) + picture + told) + extra


def webp_of(chunks: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def webp_chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
