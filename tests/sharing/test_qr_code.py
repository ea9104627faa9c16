"""The QR code of a link: the same on a terminal and as a drawing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import segno

from fastclf.errors import UsageError
from fastclf.sharing import draw_qr, write_qr

LINK = "https://mybinder.org/v2/gh/ann/bears/main?urlpath=voila%2Frender%2Fdashboard.ipynb"
# (upper half lit, lower half lit) of a character
_HALVES = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}


def read_terminal(text: str) -> list[list[int]]:
    """Whether each module is dark, read from the half blocks; a terminal's own colours may be turned round."""
    rows = []
    for line in text.splitlines():
        shown, inverse = [], False
        for code, sign in re.findall(r"\x1b\[(\d+)m|(.)", line):
            if code:
                inverse = code == "7"
            else:
                shown.append(tuple(int(bool(lit) != inverse) for lit in _HALVES[sign]))
        rows += [[1 - pair[0] for pair in shown], [1 - pair[1] for pair in shown]]
    return rows


def test_the_terminal_shows_the_link_with_a_border_and_fits_eighty_columns() -> None:
    rows = read_terminal(draw_qr(LINK))
    dark = [list(row) for row in segno.make(LINK, error="M", micro=False).matrix_iter(border=2)]
    assert rows[: len(dark)] == dark
    assert max(map(len, rows)) < 60


def test_the_drawing_is_plain_svg_with_its_link_as_title(tmp_path: Path) -> None:
    write_qr(LINK, tmp_path / "code.svg")
    text = (tmp_path / "code.svg").read_text()
    assert f"<title>{LINK}</title>" in text
    assert "<script" not in text
    with pytest.raises(UsageError, match=r"ends with \.svg"):
        write_qr(LINK, tmp_path / "code.png")
    with pytest.raises(UsageError, match="cannot be written"):
        write_qr(LINK, tmp_path / "nowhere" / "code.svg")
