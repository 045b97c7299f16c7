"""Names print in the alphabet they are written in."""

from __future__ import annotations

import io

from reportlab.pdfgen.canvas import Canvas

from engine.kit import fonts


def test_a_text_is_split_where_another_font_must_help():
    assert fonts.runs("Łukasz Ωmega Иван") == [("DejaVuSans", "Łukasz Ωmega Иван")]
    assert fonts.runs("Mr 山田 <A>") == [("DejaVuSans", "Mr "), ("STSong-Light", "山田"), ("DejaVuSans", " <A>")]
    assert fonts.markup("한 <b>") == '<font name="HYGothic-Medium">한</font> &lt;b&gt;'


def test_a_line_in_many_alphabets_can_be_drawn_and_measured():
    out = io.BytesIO()
    canvas = Canvas(out)
    fonts.draw(canvas, 10, 10, "Zoë さくら 김", 12)
    canvas.save()
    assert out.getvalue().startswith(b"%PDF-")
    assert fonts.width("Zoë さくら 김", 12) > fonts.width("Zoë ", 12) > 0
    assert fonts.register() == "DejaVuSans"
