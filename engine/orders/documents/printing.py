"""A paper on paper: HTML that prints well, and PDF. The same paper gives the same bytes."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from engine.kit import fonts
from engine.orders.documents.paper import money, rate_label

_STYLE: Final = Path(__file__).with_name("document.css").read_text(encoding="utf-8").strip()
POLICY: Final = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of the HTML: its own style and nothing else."""
_HEAD: Final = ("Item", "Quantity", "Price", "Net", "Tax rate", "Tax", "Total")
_RATES_HEAD: Final = ("Tax rate", "Net", "Tax", "Total")
Rows = list[list[str]]


def html(paper: Mapping[str, Any]) -> str:
    """A whole page."""
    return _template().render(
        style=_STYLE,
        paper=paper,
        facts=_facts(paper),
        head=_HEAD,
        lines=_lines(paper),
        rates_head=_RATES_HEAD,
        rates=_rates(paper),
        paid=_paid(paper),
        total=money(paper["total"], paper),
    )


def pdf(paper: Mapping[str, Any]) -> bytes:
    """A4, as many pages as it takes."""
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import SimpleDocTemplate

    kept = io.BytesIO()
    title = f"{paper['title']} {paper['number'] or paper['order_number']}"
    fonts.register()
    sheet = SimpleDocTemplate(
        kept, pagesize=A4, title=title, author=paper["seller"]["name"], invariant=1,
        leftMargin=50, rightMargin=50, topMargin=50, bottomMargin=50,
    )  # fmt: skip
    sheet.build(_story(paper))
    return kept.getvalue()


@cache
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent)
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return made.get_template("document.html")


def _facts(paper: Mapping[str, Any]) -> list[tuple[str, str]]:
    said = [
        ("Number", paper["number"]),
        ("Date", paper["issued_on"]),
        ("Corrects", paper["corrects"]),
        ("Order", paper["order_number"]),
        ("Order date", paper["placed_on"]),
    ]
    return [(name, value) for name, value in said if value]


def _lines(paper: Mapping[str, Any]) -> Rows:
    return [
        [
            f"{line['text']} · {line['sku']}" if line["sku"] else line["text"],
            str(line["quantity"]),
            money(line["unit_price"], paper),
            money(line["net"], paper),
            "" if line["rate_ppm"] is None else rate_label(line["rate_ppm"]),
            money(line["tax"], paper),
            money(line["total"], paper),
        ]
        for line in paper["lines"]
    ]


def _rates(paper: Mapping[str, Any]) -> Rows:
    rows = [
        [rate_label(rate["rate_ppm"]), *(money(rate[part], paper) for part in ("net", "tax", "total"))]
        for rate in paper["rates"]
    ]
    return [*rows, ["All", *(money(paper[part], paper) for part in ("net", "tax", "total"))]]


def _paid(paper: Mapping[str, Any]) -> Rows:
    return [[row["on"], row["text"], money(row["amount"], paper)] for row in paper["paid"]]


def _story(paper: Mapping[str, Any]) -> list[Any]:
    from reportlab.platypus import Spacer

    seller, buyer = paper["seller"], paper["buyer"]
    named = [seller["name"], *seller["address"], _named("VAT ID", seller["vat_id"]), seller["registration"]]
    story = [_text(paper["title"], 18, bold=True), Spacer(1, 10)]
    story += [_text(line, 9) for line in [*named, seller["email"]] if line]
    story += [Spacer(1, 12), _text("For", 9, bold=True)]
    story += [_text(line, 10) for line in [buyer["name"], *buyer["address"], _named("VAT ID", buyer["vat_id"])] if line]
    story.append(Spacer(1, 12))
    story += [_text(f"{name}: {value}", 9) for name, value in _facts(paper)]
    story += [Spacer(1, 12), _table([_HEAD, *_lines(paper)], (165, 50, 55, 55, 50, 55, 65)), Spacer(1, 12)]
    story += [_table([_RATES_HEAD, *_rates(paper)], (80, 80, 80, 80)), Spacer(1, 12)]
    story += [_text(f"Total: {money(paper['total'], paper)}", 13, bold=True), Spacer(1, 10)]
    story += [_text(" ".join(row), 9) for row in _paid(paper)]
    story += [_text(note, 9) for note in paper["notes"]]
    return story


def _named(name: str, value: str) -> str:
    return f"{name}: {value}" if value else ""


def _text(words: str, size: int, *, bold: bool = False, right: bool = False) -> Any:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph

    font = fonts.BOLD if bold else fonts.REGULAR
    style = ParagraphStyle("plain", fontName=font, fontSize=size, leading=size + 4, alignment=2 if right else 0)
    return Paragraph(fonts.markup(words, font=font), style)


def _table(rows: Iterable[Sequence[str]], widths: Sequence[int]) -> Any:
    from reportlab.lib.colors import HexColor
    from reportlab.platypus import Table

    cells = [
        [_text(cell, 8, bold=place == 0, right=column > 0) for column, cell in enumerate(row)]
        for place, row in enumerate(rows)
    ]
    ruled = [("LINEBELOW", (0, 0), (-1, 0), 1, HexColor(0x767676)), ("VALIGN", (0, 0), (-1, -1), "TOP")]
    padded = [("LEFTPADDING", (0, 0), (-1, -1), 2), ("RIGHTPADDING", (0, 0), (-1, -1), 2)]
    return Table(cells, colWidths=list(widths), repeatRows=1, style=ruled + padded, hAlign="LEFT")
