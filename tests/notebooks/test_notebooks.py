"""Both notebooks run from top to bottom, as they are."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fastclf import ModelBundle

from ..conftest import ROOT

if TYPE_CHECKING:
    import nbformat

pytestmark = pytest.mark.slow


def run(notebook: Path, folder: Path) -> nbformat.NotebookNode:
    # their validator takes a second to import, which the quick tests need not wait for
    import nbformat
    from nbclient import NotebookClient

    nb = nbformat.read(shutil.copy(notebook, folder), as_version=4)
    return NotebookClient(nb, timeout=400, resources={"metadata": {"path": str(folder)}}).execute()


def outputs(nb: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in nb.cells if cell.cell_type == "code" for output in cell.outputs]


# digits as a folder of one's own, with the settings of the recipe `digits` but fewer photos and epochs
BRIEF = """
name = "brief"
title = "Handwritten digits"
[folder]
path = "given"
licence = "CC BY 4.0"
[train]
arch = "test_resnet"
pretrained = false
size = 32
resize = "squish"
augment = "upright"
epochs = 4
lr = 0.01
"""


def shorten(folder: Path) -> Path:
    """Write the training notebook for 40 photos of each digit."""
    from fastclf.collect.samples import write_digits

    for digit in write_digits(folder / "given").iterdir():
        for photo in sorted(digit.glob("*.png"))[40:]:
            photo.unlink()
    (folder / "brief.toml").write_text(BRIEF, encoding="utf-8")
    text = (ROOT / "train.ipynb").read_text(encoding="utf-8")
    first = 'photos = \\"digits\\"'
    assert text.count(first) == 1
    (folder / "short").mkdir()
    short = folder / "short" / "train.ipynb"
    short.write_text(text.replace(first, 'photos = \\"brief.toml\\"'), encoding="utf-8")
    return short


@pytest.mark.parametrize("is_brief", [True, pytest.param(False, marks=pytest.mark.thorough)])
def test_the_training_notebook_goes_from_photos_to_a_model(tmp_path: Path, is_brief: bool) -> None:
    done = outputs(run(shorten(tmp_path) if is_brief else ROOT / "train.ipynb", tmp_path))
    # the batch, the finder's curve, the losses, the matrix, the top losses
    assert sum("image/png" in o.get("data", {}) for o in done) >= 5
    assert any(
        "fastclf-card" in o.get("data", {}).get("text/html", "")
        or "srcdoc" in o.get("data", {}).get("text/html", "")
        for o in done
    )
    assert not [o for o in done if o.output_type == "stream" and o.name == "stderr"]
    bundle = ModelBundle.load(tmp_path / "model")
    assert bundle.manifest.metrics.valid["accuracy"] >= (0.3 if is_brief else 0.97)
    assert bundle.manifest.sealed_test.openings == []
    assert len(bundle.manifest.training.epochs) >= (4 if is_brief else 5)


def test_the_dashboard_notebook_shows_the_app(
    tmp_path: Path, toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTCLF_MODEL", str(toy_model))
    [shown] = outputs(run(ROOT / "dashboard.ipynb", tmp_path))
    assert "application/vnd.jupyter.widget-view+json" in shown.data
