"""A toy model that was judged on photos some of which lie in the wrong folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from fastclf import Catalog, ModelBundle
from fastclf.card import save_manifest
from fastclf.evaluation.predict_many import predict_files
from fastclf.evaluation.run import judge
from fastclf.metrics import compute_metrics, compute_softmax
from fastclf.model import Manifest, PhotoRow, Predictor, hash_files
from fastclf.photos import VALID

from ..drawing import draw_photos
from ..toy import VOCAB, write_toy_bundle


def build_judged(folder: Path, *, per_class: int = 30) -> tuple[Path, Path]:
    """Return (photos, model): drawn photos, a fifth of each class in the next one's folder, and a toy bundle.

    The bundle was judged on its own validation photos; the catalog has the same splits on record.
    """
    photos = draw_photos(folder / "photos", per_class=per_class)
    for label, other in zip(VOCAB, [*VOCAB[1:], VOCAB[0]], strict=True):
        for i in range(per_class // 5):
            shutil.move(photos / label / f"{i:03d}.png", photos / other / f"from-{label}-{i}.png")
    with Catalog(photos) as catalog:
        catalog.scan()
        catalog.assign_splits(catalog.photos().photos)
        known = catalog.photos().photos
    model = write_toy_bundle(
        folder / "model", rows=[PhotoRow(p.sha256, p.label, p.sha256, p.split) for p in known]
    )
    valid = [p for p in known if p.split == VALID]
    with Predictor(model) as predictor:
        answers = predict_files(predictor, [p.path for p in valid])
        metrics = judge(predictor.bundle, VALID, valid, answers).metrics
    change_manifest(model, {"metrics": {"train": None, "valid": metrics, "test": None}})
    return photos, model


def read_manifest(model: Path) -> dict[str, Any]:
    """Return the content of a bundle's manifest."""
    return Manifest.read(model).to_dict()


def change_manifest(model: Path, changes: dict[str, Any]) -> ModelBundle:
    """Write other values into a bundle's manifest, the card included; returns it as loaded."""
    save_manifest(model, Manifest.from_dict({**read_manifest(model), **changes}))
    return ModelBundle.load(model, verify=False)


def build_wide(folder: Path, model: Path, names: list[str], *, n: int = 900) -> ModelBundle:
    """Return a bundle of many classes, judged on made-up answers; its graph answers nothing."""
    shutil.copytree(model, folder)
    k, rng = len(names), np.random.default_rng(5)
    width = ModelBundle.load(model, verify=False).head[0].shape[1]
    np.savez(folder / "head.npz", weight=np.zeros((k, width), np.float32), bias=np.zeros(k, np.float32))
    targets = rng.integers(0, k, n)
    logits = rng.normal(0, 1, (n, k))
    logits[np.arange(n), targets] += 3.4
    probs = compute_softmax(logits)
    metrics = {"train": None, "valid": compute_metrics(probs, targets, names, probs), "test": None}
    changes = {"vocab": names, "title": "Many classes", "metrics": metrics, "files": hash_files(folder)}
    return change_manifest(folder, changes)
