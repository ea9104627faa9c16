"""A model whose head was trained without fastai gets an `export.pkl` afterwards, which answers like it."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastai.vision.all import load_learner

from fastclf import ModelBundle, Predictor
from fastclf.card import save_manifest
from fastclf.errors import ExportError
from fastclf.metrics import compute_softmax
from fastclf.model import hash_files
from fastclf.photos import decode_photo
from fastclf.training import export_learner, train

from ..conftest import call_fastclf
from .tiny import ARCH

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def models(course: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A head of the packaged network, and one of weights from a file, which the model keeps."""
    root, photos = (
        tmp_path_factory.mktemp("models"),
        Path(shutil.copytree(course, tmp_path_factory.mktemp("p") / "p")),
    )
    train(photos, root / "packaged", mode="head", size=64, quiet=True)
    train(
        photos, root / "kept", mode="head", arch=ARCH, size=32, resize="pad", weights=str(weights), quiet=True
    )
    return {"photos": photos, "packaged": root / "packaged", "kept": root / "kept"}


@pytest.mark.parametrize("kind", ["packaged", "kept"])
def test_fastai_opens_it_and_answers_like_the_model(
    models: dict[str, Path], kind: str, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(models[kind], tmp_path / "model"))
    done = call_fastclf("export-pkl", "model", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "export.pkl" in done.stdout + done.stderr
    learn, bundle = load_learner(model / "export.pkl"), ModelBundle.load(model)
    files = sorted(path for path in models["photos"].rglob("*.*") if ".fastclf" not in path.parts)[::3]
    with learn.no_bar(), learn.no_logging():
        expected = learn.get_preds(dl=learn.dls.test_dl(files, bs=4, num_workers=0))[0].numpy()
    predictor = Predictor(bundle)
    logits, _ = predictor.run(predictor.preprocess.batch([decode_photo(path).image for path in files]))
    assert np.abs(compute_softmax(logits) - expected).max() <= 1e-3
    assert np.ptp(expected, axis=0).max() > 0.3
    assert list(learn.dls.vocab) == bundle.vocab
    assert bundle.manifest.export_pkl.startswith("fastai Learner; opens on Python")
    assert bundle.manifest.files == {**ModelBundle.load(models[kind]).manifest.files, **hash_files(model)}
    assert {path.name for path in model.iterdir()} == {path.name for path in models[kind].iterdir()} | {
        "export.pkl"
    }


# the one of fine-tuning is opened so in each run
@pytest.mark.thorough
def test_it_opens_where_fastclf_cannot_be_imported(models: dict[str, Path], tmp_path: Path) -> None:
    model = Path(shutil.copytree(models["packaged"], tmp_path / "model"))
    code = (
        "import sys, json; sys.modules['fastclf'] = None\n"
        "from fastai.vision.all import load_learner\n"
        "learn = load_learner(sys.argv[1])\n"
        "with learn.no_bar(): answer = learn.predict(sys.argv[2])\n"
        "print(json.dumps(answer[0]))\n"
    )
    photo = next((models["photos"] / "green").iterdir())
    command = [sys.executable, "-c", code, export_learner(model), photo]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == Predictor(model).predict(photo).label


@pytest.mark.parametrize("change", ["imported", "another head"])
def test_what_would_not_answer_alike_is_refused(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    model = Path(shutil.copytree(models["packaged"], tmp_path / "model"))
    manifest, words = ModelBundle.load(model).manifest, "was imported"
    if change == "imported":
        training: Any = dataclasses.replace(manifest.training, mode="imported")
        save_manifest(model, dataclasses.replace(manifest, training=training))
    else:
        weight, bias = ModelBundle.load(model).head
        np.savez(model / "head.npz", weight=weight, bias=bias + np.arange(3, dtype=np.float32))
        save_manifest(model, dataclasses.replace(manifest, files=hash_files(model)))
        words = "differ"
    with pytest.raises(ExportError, match=words):
        export_learner(model)
    assert not list(model.glob("*export.pkl*"))
