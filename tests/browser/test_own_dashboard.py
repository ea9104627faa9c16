"""A dashboard of plain ipywidgets, as the documents write it, under Voila's own template: a visitor gets an answer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect

from ..conftest import ROOT
from ..docs.before import sharing as before
from ..docs.blocks import FILE, read_blocks
from ..docs.playing import find_free_port
from .conftest import Visit

pytestmark = [pytest.mark.slow, pytest.mark.thorough]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where Voila shows the notebook of the page."""
    before.photos_of_colours(tmp_path)
    before.model_of_colours(tmp_path)
    page = read_blocks(ROOT / "docs" / "how-to" / "own-dashboard.md")
    cells = [nbformat.v4.new_code_cell(block.text) for block in page if block.note == FILE]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "mine.ipynb")
    port = find_free_port()
    command = [sys.executable, "-m", "voila", "mine.ipynb", "--no-browser", f"--port={port}"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as voila:
        assert voila.stderr is not None
        while line := voila.stderr.readline():
            if f":{port}/" in line:
                break
        yield f"http://127.0.0.1:{port}/"
        voila.terminate()


def test_a_photo_is_chosen_and_answered_below_the_owners_cleaner(
    address: str, visit: Visit, tmp_path: Path
) -> None:
    page = visit(address)
    classify = page.get_by_role("button", name="Classify")
    expect(classify).to_be_disabled(timeout=60_000)
    for name, said in (("b.jpg", "blue, 97%"), ("mine.ipynb", "mine.ipynb is")):
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Upload").click()
        chooser.value.set_files(tmp_path / name)
        expect(classify).to_be_enabled()
        classify.click()
        expect(page.get_by_text(said)).to_be_visible()
    expect(page.get_by_role("option", name="<Delete>").first).to_be_attached()
