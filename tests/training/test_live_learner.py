"""A Learner in memory, as the course leaves it in a notebook, becomes a bundle with its own split."""

from __future__ import annotations

import shutil
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fastai.vision import all as fv

from fastclf import Predictor
from fastclf.errors import LearnerError, UsageError
from fastclf.evaluation import evaluate
from fastclf.head import refit_head
from fastclf.metrics import compute_softmax
from fastclf.system import hash_file
from fastclf.training import import_learner

from .exported import train_briefly

pytestmark = pytest.mark.slow

FROM_FOLDER = (fv.ImageBlock, fv.CategoryBlock)


def is_red(file: Any) -> bool:
    return Path(file).name[0].isupper()


def _in_notebook(function: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let a function be one of the notebook's own."""
    monkeypatch.setattr(function, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], function.__name__, function, raising=False)
    return function


def _load(photos: Path, get_y: Any, splitter: Any, resize: Any, tfms: Any = None) -> Any:
    block = fv.DataBlock(
        blocks=FROM_FOLDER, get_items=fv.get_image_files, get_y=get_y, splitter=splitter,
        item_tfms=resize, batch_tfms=tfms,
    )  # fmt: skip
    return block.dataloaders(photos, bs=8, num_workers=0)


def _bears(photos: Path) -> Any:
    resize, splitter = fv.RandomResizedCrop(48, min_scale=0.5), fv.RandomSplitter(valid_pct=0.2, seed=42)
    return _load(photos, fv.parent_label, splitter, resize, fv.aug_transforms())


def _is_cat(photos: Path) -> Any:
    return fv.ImageDataLoaders.from_name_func(
        photos, fv.get_image_files(photos), is_red, valid_pct=0.2, seed=42, item_tfms=fv.Resize(48), bs=8,
        num_workers=0,
    )  # fmt: skip


def _normalised(photos: Path) -> Any:
    tfms = [*fv.aug_transforms(size=40), fv.Normalize.from_stats(*fv.imagenet_stats)]
    resize = fv.Resize(64, fv.ResizeMethod.Squish)
    return _load(photos, fv.parent_label, fv.RandomSplitter(seed=1), resize, tfms)


def _table(photos: Path) -> Any:
    rows = [
        {"fname": f.relative_to(photos).as_posix(), "kind": f.parent.name, "is_valid": n % 4 == 0}
        for n, f in enumerate(sorted(fv.get_image_files(photos)))
    ]
    block = fv.DataBlock(
        blocks=FROM_FOLDER, get_x=fv.ColReader("fname", pref=f"{photos}/"), get_y=fv.ColReader("kind"),
        splitter=fv.ColSplitter(), item_tfms=fv.Resize(48, fv.ResizeMethod.Pad, pad_mode="zeros"),
    )  # fmt: skip
    return block.dataloaders(pd.DataFrame(rows), bs=8, num_workers=0)


KINDS = {"bears": _bears, "is_cat": _is_cat, "normalised": _normalised, "table": _table}


def learn_of(dls: Any) -> Any:
    return train_briefly(fv.vision_learner(dls, "test_resnet", pretrained=False, metrics=fv.error_rate))


@pytest.mark.parametrize(
    "kind", [kind if kind == "table" else pytest.param(kind, marks=pytest.mark.thorough) for kind in KINDS]
)
def test_a_live_learner_becomes_a_bundle_that_answers_like_it_and_keeps_its_split(
    kind: str, course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "is_cat":
        _in_notebook(is_red, monkeypatch)
    learn = learn_of(KINDS[kind](course))
    dls, device = learn.dls, next(learn.model.parameters()).device
    said: list[str] = []
    bundle = import_learner(learn, tmp_path / "model", title="Live", say=said.append)
    assert learn.dls is dls
    assert next(learn.model.parameters()).device == device

    splits = {row.sha256: (row.split, row.label) for row in bundle.read_photos()}
    train, valid = (
        {hash_file(_file(course, ds.items, i)): str(ds.vocab[int(ds[i][1])]) for i in range(len(ds))}
        for ds in (dls.train_ds, dls.valid_ds)
    )
    assert splits == {
        **{sha: ("train", label) for sha, label in train.items()},
        **{sha: ("valid", label) for sha, label in valid.items()},
    }
    manifest = bundle.manifest
    assert manifest.metrics.valid
    assert manifest.metrics.valid["n"] == len(valid)
    assert any("Its own split is kept" in words for words in said)
    assert "own DataLoaders" in (bundle.path / "card.md").read_text()
    assert manifest.parity
    assert manifest.parity.largest_difference <= 1e-3
    assert manifest.parity.of == "of its own photos"

    with learn.no_bar(), learn.no_logging():
        expected = learn.get_preds(ds_idx=1)[0].numpy()
    files = [_file(course, dls.valid_ds.items, i) for i in range(len(dls.valid_ds))]
    predictor = Predictor(bundle)
    images = [predictor.preprocess.decode(file).image for file in files]
    ours = compute_softmax(predictor.run(predictor.preprocess.batch(images))[0])
    assert np.abs(ours - expected).max() <= 1e-3


def _file(photos: Path, items: Any, i: int) -> Path:
    return photos / items.iloc[i]["fname"] if isinstance(items, pd.DataFrame) else Path(items[i])


def test_its_validation_photos_are_judged_as_such_and_its_head_can_be_fitted_again(
    course: Path, tmp_path: Path
) -> None:
    photos = shutil.copytree(course, tmp_path / "photos")
    learn = learn_of(_bears(photos))
    bundle = import_learner(learn, tmp_path / "model")
    found = evaluate(bundle, photos)
    assert found.metrics["valid"]["n"] == len(learn.dls.valid_ds)
    assert "new" not in found.metrics
    assert refit_head(bundle.path, photos).after >= 0


@pytest.mark.thorough
def test_a_learner_that_was_opened_from_a_file_has_no_photos(course: Path, tmp_path: Path) -> None:
    learn = learn_of(_bears(course))
    learn.export(tmp_path / "export.pkl")
    bundle = import_learner(fv.load_learner(tmp_path / "export.pkl"), tmp_path / "model")
    assert bundle.read_photos() == []
    assert bundle.manifest.metrics.valid is None


def test_what_cannot_be_imported_is_a_sentence_and_the_learner_stays(course: Path, tmp_path: Path) -> None:
    learn = fv.vision_learner(_bears(course), "test_resnet", pretrained=False)
    dls = learn.dls
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.txt").write_text("x")
    with pytest.raises(UsageError, match="other things than a model"):
        import_learner(learn, tmp_path / "other")

    learn.held = threading.Lock()
    with pytest.raises(LearnerError, match="cannot be exported"):
        import_learner(learn, tmp_path / "model")
    assert learn.dls is dls
    assert len(learn.dls.train_ds)
    assert not (tmp_path / "model").exists()
