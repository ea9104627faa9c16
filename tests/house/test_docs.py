"""No text names a command, an option or a variable that is not there; what is there is in the reference."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ..conftest import ROOT
from .named import find_faults

TEXTS = [
    *(ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]


@pytest.mark.parametrize("text", TEXTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_text_names_nothing_that_is_not_there(text: Path) -> None:
    assert list(find_faults(text.read_text(encoding="utf-8"))) == []


def test_the_notebooks_name_nothing_that_is_not_there() -> None:
    for name in ("train.ipynb", "dashboard.ipynb"):
        cells = json.loads((ROOT / name).read_text(encoding="utf-8"))["cells"]
        words = "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
        assert list(find_faults(words)) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Use `fastclf trian photos`.", "the command fastclf trian"),
        ("Use `fastclf train photos --epoch 3`.", "the option --epoch of fastclf train"),
        ("Use `fastclf edits import a.csv --log`.", "the option --log of fastclf edits import"),
        ("| a | `--owners` |\n|---|---|", "the option --owners"),
        ("With `--epoch`, it ends.", "the option --epoch"),
        ("Set FASTCLF_PROT=1.", "the variable FASTCLF_PROT"),
        ("```console\n$ cd a && fastclf serve --prt 1\n```", "the option --prt of fastclf serve"),
        ("```console\n$ fastclf share \\\n>   --webb a b\n```", "the option --webb of fastclf share"),
        ("```sh\nFASTCLF_PORT=80 fastclf serve model --ownr\n```", "the option --ownr of fastclf serve"),
    ],
)
def test_a_wrong_name_is_found(text: str, fault: str) -> None:
    assert list(find_faults(text)) == [fault]


@pytest.mark.parametrize(
    "text",
    [
        "`fastclf COMMAND --help`, `fastclf --version`, `fastclf.collect`, `docker run --rm fastclf`",
        "`pip install --target x`; `fastclf train DIR --mode head`; `--epochs 3`",
        "```console\n$ uv pip install --system fastclf\nfastclf 0.1.0\n```",
    ],
)
def test_what_is_there_and_other_programs_are_no_faults(text: str) -> None:
    assert list(find_faults(text)) == []


def test_a_file_that_a_page_links_to_is_there() -> None:
    for text in TEXTS:
        prose = re.sub(r"^```.*?^```", "", text.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", prose):
            assert (text.parent / target).exists(), (text.name, target)
