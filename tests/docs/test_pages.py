"""Every command and every line of Python in the documents does what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from .blocks import NOT_RUN, read_blocks
from .pages import PAGES, ROOT
from .playing import play_page

RUN = ("console", "python")
BLOCKS = {page: read_blocks(page) for page in PAGES}
NAMES = {str(page.relative_to(ROOT)): page for page in PAGES}


def has_something_to_run(page: Path) -> bool:
    return any(b.language in RUN and b.note != NOT_RUN for b in BLOCKS[page])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, page in NAMES.items() if has_something_to_run(page)])
def test_a_page_does_what_it_says(name: str, tmp_path: Path) -> None:
    assert "\n\n".join(map(str, play_page(NAMES[name], tmp_path))) == ""


def test_few_blocks_are_not_run_and_each_says_why() -> None:
    left_out = [b for blocks in BLOCKS.values() for b in blocks if b.note == NOT_RUN]
    assert all(len(b.value.split()) > 3 for b in left_out)
    assert len([b for b in left_out if b.language in RUN]) <= 10


def test_what_a_reader_would_type_is_a_console_block() -> None:
    languages = {b.language.split()[0] for blocks in BLOCKS.values() for b in blocks if b.language}
    assert not languages & {"sh", "bash", "shell", "zsh", "py", "python3", "pycon", "{code-block}"}


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 900
