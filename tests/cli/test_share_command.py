"""`fastclf share`: a page of a model, and what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ..conftest import run_fastclf
from ..toy import write_toy_bundle


@pytest.mark.slow
def test_a_page_is_written_and_said_where(tmp_path: Path) -> None:
    write_toy_bundle(tmp_path / "model")
    done = run_fastclf("share", "--web", "model", "site", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "The page is in site, " in done.stderr
    assert "open site/index.html" in done.stderr
    told = run_fastclf("share", "--web", "model", "page.html", "--single-file", "--json", cwd=tmp_path)
    assert json.loads(told.stdout) == {
        "path": "page.html",
        "page": "page.html",
        "bytes": (tmp_path / "page.html").stat().st_size,
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "words"),
    [
        (["model", "site"], "--web makes a page without a server"),
        (
            ["--web", "site", "model"],
            "model is the model and site is not. The order is: fastclf share --web MODEL SITE",
        ),
        (["--web", "model", "model"], "holds other things than a page"),
        (["--web", "model", "new", "--precision", "int4"], "int8 or float32"),
        (["--web", "nothing", "new"], "nothing"),
        (["--teach", "new"], "--teach goes with --web"),
        (["--web", "--teach", "model", "new"], "With --teach the page alone is named"),
        (["--web", "--teach", "--model", "site", "new"], "site"),
    ],
)
def test_a_call_that_cannot_be_right_is_refused_in_a_sentence(
    tmp_path: Path, call: list[str], words: str
) -> None:
    write_toy_bundle(tmp_path / "model")
    (tmp_path / "site").mkdir()
    done = run_fastclf("share", *call, cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "new").exists()
