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


def test_the_training_notebook_goes_from_photos_to_a_model(tmp_path: Path) -> None:
    done = outputs(run(ROOT / "train.ipynb", tmp_path))
    # the batch, the finder's curve, the losses, the matrix, the top losses
    assert sum("image/png" in o.get("data", {}) for o in done) >= 5
    assert any(
        "fastclf-card" in o.get("data", {}).get("text/html", "")
        or "srcdoc" in o.get("data", {}).get("text/html", "")
        for o in done
    )
    assert not [o for o in done if o.output_type == "stream" and o.name == "stderr"]
    bundle = ModelBundle.load(tmp_path / "model")
    assert bundle.manifest.metrics.valid["accuracy"] >= 0.97
    assert bundle.manifest.sealed_test.openings == []
    assert len(bundle.manifest.training.epochs) >= 5


def test_the_dashboard_notebook_shows_the_app(
    tmp_path: Path, toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTCLF_MODEL", str(toy_model))
    [shown] = outputs(run(ROOT / "dashboard.ipynb", tmp_path))
    assert "application/vnd.jupyter.widget-view+json" in shown.data
