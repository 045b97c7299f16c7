"""Pictures are well-formed, harmless, stable, and there is one for every motif of the demo shops."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import engine.demo
from app.media import PALETTES, motifs, product_svg
from engine.catalog.shop_file import read_catalog

SHOPS = sorted(path for path in (Path(engine.demo.__file__).parent / "data").iterdir() if path.is_dir())
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("motif", sorted(motifs()))
def test_every_drawing_is_well_formed_and_stays_on_its_ground(motif: str) -> None:
    root = ET.fromstring(product_svg(motif, "prd_1", "A thing"))  # noqa: S314 (our own picture)
    assert root.get("viewBox") == "0 0 320 240"
    assert root.find(f"{SVG}title").text == "A thing"
    assert len(root.findall(f"{SVG}g/*")) >= 3
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "title", "rect", "circle", "ellipse", "path", "g",
    }  # fmt: skip
    for shape in motifs()[motif]:
        tone, kind, numbers = shape.split(" ", 2)
        assert tone in "mdlawin", shape
        assert kind in "PCER", shape
        assert all(-2 <= float(n) <= 122 for n in re.findall(r"-?\d+(?:\.\d+)?", numbers)), shape


@pytest.mark.parametrize("folder", SHOPS, ids=lambda path: path.name)
def test_every_motif_of_a_demo_shop_has_its_drawing(folder: Path) -> None:
    wanted = {product.motif for product in read_catalog(folder).products}
    assert wanted - set(motifs()) == set()


def test_the_same_product_always_looks_the_same_and_another_may_not() -> None:
    assert product_svg("tent", "prd_1", "Tent") == product_svg("tent", "prd_1", "Tent")
    grounds = {product_svg("tent", f"prd_{n}", "Tent").split('height="240" fill="')[1][:7] for n in range(100)}
    assert grounds == {palette.ground for palette in PALETTES}


def test_an_unknown_motif_is_a_box() -> None:
    assert product_svg("no_such_thing", "prd_1", "X") == product_svg("box", "prd_1", "X")


def test_a_label_cannot_break_out_of_its_title() -> None:
    picture = product_svg("tent", "prd_1", '"><script>alert(1)</script>&')
    assert "<script" not in picture
    assert ET.fromstring(picture).find(f"{SVG}title").text == '"><script>alert(1)</script>&'  # noqa: S314 (our own picture)
