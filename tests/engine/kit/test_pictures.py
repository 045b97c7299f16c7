"""What strangers send as a picture: the picture stays, everything else goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.kit import pictures
from engine.kit.evidence import LARGEST, PDF, PICTURES, EvidenceRefused, safe_name, taken
from engine.kit.pictures import NotAPicture, bare
from tests.pictures import SECRET, jpeg, png, webp, webp_chunk, webp_of

MADE = {"image/png": png, "image/jpeg": jpeg, "image/webp": webp}


@pytest.mark.parametrize("kind", MADE)
def test_places_comments_and_what_hangs_behind_the_end_are_gone(kind: str) -> None:
    given = MADE[kind]()
    assert given.count(SECRET) > 2
    kept = bare(given)
    assert SECRET not in kept
    assert pictures.kind_of(kept) == kind
    assert bare(kept) == kept


@pytest.mark.parametrize("kind", ["image/png", "image/webp"])
def test_the_picture_itself_stays_to_the_byte(kind: str) -> None:
    plain = MADE[kind](b"")
    assert b"IDAT" in bare(plain) or b"VP8 " in bare(plain)
    assert bare(png()) == png(b"")


def test_a_jpeg_keeps_how_the_camera_was_held_and_its_scan() -> None:
    kept = bare(jpeg(turn=6))
    assert kept.count(b"Exif") == 1
    assert b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06" in kept
    assert b"\x12\xff\x00\x34\xff\xd0\x56\xff\xd9" in kept
    assert b"Exif" not in bare(jpeg(turn=1))


def test_a_jpeg_whose_first_segment_is_short_is_put_together_whole() -> None:
    kept = bare(b"\xff\xd8\xff\xe0\0\x07JFIF\0" + jpeg(b"")[20:])
    assert kept == b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(9) + bare(jpeg(b""))[20:]
    assert bare(kept) == kept


def test_a_webp_announces_no_exif_any_more() -> None:
    kept = bare(webp())
    assert kept[kept.index(b"VP8X") + 8] == 0
    assert int.from_bytes(kept[4:8], "little") == len(kept) - 8


def test_a_frame_of_an_animation_holds_no_other_however_many_are_put_into_each_other() -> None:
    picture, frames = webp_chunk(b"VP8 ", b"abcd"), b""
    for _ in range(3_000):
        frames = webp_chunk(b"ANMF", bytes(16) + picture + frames)
    alone = webp_chunk(b"ANMF", bytes(16) + picture)
    assert bare(webp_of(frames)) == webp_of(alone)
    assert bare(webp_of(alone)) == webp_of(alone)


@pytest.mark.parametrize("kind", MADE)
def test_a_picture_that_is_cut_off_is_refused(kind: str) -> None:
    whole = bare(MADE[kind]())
    for end in range(3, len(whole) - 2):
        with pytest.raises(NotAPicture):
            bare(whole[:end])


@given(st.sampled_from(sorted(MADE)), st.integers(0, 200), st.binary(min_size=1, max_size=12))
def test_any_bytes_are_a_picture_or_refused(kind: str, place: int, odd: bytes) -> None:
    content = MADE[kind]()
    try:
        kept = bare(content[:place] + odd + content[place + len(odd) :])
    except NotAPicture:
        return
    assert pictures.kind_of(kept) is not None


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a" + b"0" * 40, b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\xff\xd8\xff" * (LARGEST)]
)
def test_nothing_else_is_taken(content: bytes) -> None:
    with pytest.raises(EvidenceRefused):
        taken(content, PICTURES)


def test_a_paper_is_taken_only_where_papers_are() -> None:
    assert taken(b"%PDF-1.7", PICTURES | {PDF}) == (PDF, b"%PDF-1.7")
    with pytest.raises(EvidenceRefused):
        taken(b"%PDF-1.7", PICTURES)


def test_a_name_is_plain_and_ends_as_what_it_is() -> None:
    assert safe_name("../../photo of me.html", "image/png") == "photo-of-me.png"
    assert safe_name("\u30ab\u30e1\u30e9", "image/jpeg") == "evidence.jpg"
