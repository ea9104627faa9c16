"""Every example of a docstring does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ..conftest import Once
from ..received.taught import write_project
from .examples import Docstring, copy_named, find_docstrings, run_examples, write_folder

DOCSTRINGS = {f"{d.module}:{d.name}": d for d in find_docstrings()}
# what trains, asks a child process, or loads fastai
HEAVY = re.compile(
    r"fastclf\.training|refit_head|import_project|read_project|suggest_photos|check_folder|check\.page"
    r"|check_catalog|site\.build|container|score\.|measure_drift|write_drift_page|passwords|collect_photos"
    r"|build_cleaner|build_app"
)
# what other tests do, too, for longer
LONG = re.compile(
    r"begin_training|export_bundle|export_learner|import_learner|fit_layers|record_training|fastclf\.training:$"
    r"|build_teach_site|use_refit|discard_refit|use_earlier"
)
# the web, clusters, and a server that runs until somebody stops it
NOT_RUN = {"search_images", "download_images", "ScoreBatch", "serve"}
HEAVY_ONES = {name for name in DOCSTRINGS if HEAVY.search(name)}
LONG_ONES = {name for name in DOCSTRINGS if LONG.search(name)}


@pytest.fixture(scope="session")
def written(once: Once) -> Path:
    return Path(once("examples", write_folder))


def run(docstring: Docstring, written: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    copy_named(written, folder, docstring.text)
    if "project.zip" in docstring.text:
        write_project(folder / "project.zip")
    monkeypatch.chdir(folder)
    return run_examples(docstring)


@pytest.mark.parametrize("name", sorted(DOCSTRINGS.keys() - HEAVY_ONES - LONG_ONES))
def test_an_example_does_what_it_says(
    name: str, written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(DOCSTRINGS[name], written, tmp_path, monkeypatch) == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(HEAVY_ONES - LONG_ONES))
def test_an_example_that_takes_long_does_what_it_says(
    name: str, written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(DOCSTRINGS[name], written, tmp_path, monkeypatch) == ""


@pytest.mark.thorough
@pytest.mark.parametrize("name", sorted(LONG_ONES))
def test_an_example_that_takes_longer_does_what_it_says(
    name: str, written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(DOCSTRINGS[name], written, tmp_path, monkeypatch) == ""


def test_few_examples_are_not_run() -> None:
    assert {d.name for d in DOCSTRINGS.values() if "+SKIP" in d.text} <= NOT_RUN
    assert len(DOCSTRINGS) > 120


def test_an_example_that_says_otherwise_is_noticed() -> None:
    said = Docstring("fastclf.metrics", "x", ">>> compute_softmax([0.0, 0.0]).tolist()\n[1.0, 0.0]\n", 1)
    assert "[0.5, 0.5]" in run_examples(said)
