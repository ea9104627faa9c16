"""From a trained Learner to a bundle that answers like it, or an error."""

from __future__ import annotations

import json
import logging
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fastai.vision.all import Learner

from ... import __version__
from ...card import write_card
from ...errors import ExportError, UsageProblem
from ...evaluation import Answers, describe_answers, write_examples
from ...metrics import compute_softmax
from ...model import (
    BODY,
    MANIFEST,
    SCHEMA,
    FeatureCache,
    ModelBundle,
    Predictor,
    compute_logits,
    extract_features,
    hash_files,
    python_version,
    write_manifest,
    write_photos,
)
from ...photos import MAX_FOLDER_BYTES, TEST, TRAIN, VALID, decode_photo
from ...system import replaced_folder, utc_now
from ..data import TrainingData
from ..network import read_preprocess, save_body
from .graph import ExportNet, compute_features_id, write_graph

_logger = logging.getLogger(__name__)

PARITY = 1e-3
_PARITY_PHOTOS = 16


def export_bundle(
    learn: Learner,
    data: TrainingData,
    out: str | Path,
    *,
    arch: str,
    title: str = "",
    intro: str = "",
    colour: str = "",
    recipe: str | None = None,
    training: dict[str, Any] | None = None,
    photo_licence: str = "not recorded",
    weight_licence: str = "not recorded",
) -> ModelBundle:
    """Write the bundle of a trained Learner and prove that it answers like the Learner.

    The test photos are listed in the bundle and not looked at.

    Parameters
    ----------
    learn
        From `build_learner`, trained.
    data
        The photos that it was trained on.
    out
        Folder of the bundle; an earlier bundle there is replaced in one step.
    arch
        The architecture's name.
    title
        What the dashboard calls the model.
    intro, colour
        What it says below the title, and its colour; "" leaves the dashboard's own.
    recipe
        The recipe's name, if there was one.
    training
        The record of the training, for the manifest.
    photo_licence
        The licence of the photos that have none on record.
    weight_licence
        The licence of the weights that the training began with.

    Raises
    ------
    ExportError
        If the exported model's probabilities differ from the Learner's by more than 1e-3 on a real photo.
    UsageProblem
        If `out` is a folder with something else in it.
    """
    target = Path(out).resolve()
    check_target(target)
    preprocess = read_preprocess(learn)
    learn.model.eval()
    device = next(learn.model.parameters()).device
    net = ExportNet(learn)
    manifest: dict[str, Any] = {
        "schema": SCHEMA,
        "fastclf": __version__,
        "python": python_version(),
        "created": utc_now(),
        "title": title,
        "intro": intro,
        "colour": colour,
        "recipe": recipe,
        "arch": arch,
        "vocab": list(learn.dls.vocab),
        "features_id": compute_features_id(net, preprocess),
        "preprocess": preprocess.to_dict(),
        "temperature": 1.0,
        "ood": None,
        "metrics": {"train": None, "valid": None, "test": None},
        "sealed_test": {"n": len(data.part(TEST)), "openings": list(data.openings)},
        "split": dict(data.split),
        "training": training or {},
        "licences": {"weights": weight_licence, "photos": _describe_licences(data, photo_licence)},
        "files": {},
    }
    with replaced_folder(target) as staging:
        write_graph(net, preprocess, staging / "model.onnx")
        np.savez(staging / "head.npz", weight=net.head.weight.detach(), bias=net.head.bias.detach())
        learn.model.to(device)
        save_body(learn, staging / BODY)
        write_photos(staging, data.rows())
        valid = data.part(VALID)
        write_examples(list(zip(valid["label"], map(Path, valid["path"]), strict=True)), staging / "examples")
        learn.export(staging / "export.pkl")
        manifest["export_pkl"] = f"fastai Learner; opens on Python {python_version()} only"
        manifest["parity"] = _judge(learn, data, staging, manifest)
        write_card(staging, manifest)
        manifest["files"] = hash_files(staging)
        write_manifest(staging, manifest)
    return ModelBundle.load(target)


def _describe_licences(data: TrainingData, default: str) -> str:
    """Return the photos' licences, the most frequent first, with their numbers where there are several."""
    counts: Counter[str] = Counter()
    for licence, n in data.licences.items():
        counts[licence or default] += n
    if len(counts) < 2:
        return next(iter(counts), default)
    return ", ".join(f"{licence} ({n})" for licence, n in counts.most_common())


def check_target(target: Path) -> None:
    """Refuse to write where a file is, or a folder that holds something and no `bundle.json`."""
    if target.is_file():
        raise UsageProblem("{target} is a file. Name a folder for the model with --out.", target=target)
    foreign = _find_foreign(target) if target.is_dir() else None
    if foreign is not None:
        raise UsageProblem(
            "{target} holds other things than a model ({foreign}). Name another folder with --out.",
            target=target,
            foreign=foreign,
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent):
            pass
    except OSError as e:
        raise UsageProblem(
            "The model cannot be written to {target} ({reason}). Name another folder with --out.",
            target=target,
            reason=e.strerror,
        ) from None


def _find_foreign(target: Path) -> str | None:
    """Return the name of a file in `target` that no bundle of ours wrote there, if there is one."""
    try:
        manifest = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
        ours = {MANIFEST, *manifest["files"]} if manifest["schema"] >= 1 else set()
    except (OSError, ValueError, TypeError, KeyError):
        ours = set()
    names = (p.relative_to(target).as_posix() for p in sorted(target.rglob("*")) if not p.is_dir())
    # a kill in the middle of `write_atomic` leaves its temporary file
    return next((name for name in names if name not in ours and not _is_left_over(name, ours)), None)


def _is_left_over(name: str, ours: set[str]) -> bool:
    return any(name.startswith(f".{own}.") for own in ours if "/" not in own)


def check_parity(
    learn: Learner,
    predictor: Predictor,
    photos: pd.DataFrame,
    *,
    act: Any = None,
    items: Sequence[Any] | None = None,
    advice: str = "Try another --arch, and please report this one.",
) -> float:
    """Return the largest difference between the Learner's and the bundle's probabilities, 1e-3 at most.

    Photos go one by one and eight at a time through the whole of both sides, each from its file: ``path`` for
    fastclf, and ``file`` or one of `items` for fastai. `act` makes probabilities of the network's answers; by
    default the Learner's own does.
    """
    worst = 0.0
    images = [decode_photo(path, max_bytes=MAX_FOLDER_BYTES).image for path in photos["path"]]
    for size in (1, 8):
        dl = learn.dls.test_dl(list(photos["file"] if items is None else items), bs=size, num_workers=0)
        with learn.no_bar(), learn.no_logging():
            expected = learn.get_preds(dl=dl, act=act)[0].numpy()
        for start in range(0, len(images), size):
            logits, _ = predictor.run(predictor.preprocess.batch(images[start : start + size]))
            difference = np.abs(compute_softmax(logits) - expected[start : start + size])
            worst = max(worst, float(difference.max()))
    if not worst <= PARITY:
        raise ExportError(
            "The exported model's probabilities differ from the trained one's by up to {worst:.2g} "
            "(allowed: {parity:g}), so it was not written. {advice}",
            worst=worst,
            parity=PARITY,
            advice=advice,
        )
    return worst


def _judge(learn: Learner, data: TrainingData, staging: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """Fill in what the bundle says of its answers, and cache the features; return the measured parity."""
    write_manifest(staging, {**manifest, "files": hash_files(staging)})
    vocab = manifest["vocab"]
    with Predictor(ModelBundle.load(staging, verify=False)) as predictor:
        worst = check_parity(learn, predictor, data.part(VALID).iloc[:_PARITY_PHOTOS])
        answers = {split: _answer(predictor, data, split, vocab) for split in (TRAIN, VALID)}
    describe_answers(manifest, staging, answers[TRAIN], answers[VALID])
    return {
        "photos": min(len(data.part(VALID)), _PARITY_PHOTOS), "largest_difference": worst, "allowed": PARITY,
    }  # fmt: skip


def _answer(predictor: Predictor, data: TrainingData, split: str, vocab: list[str]) -> Answers:
    """Return the answers about a split's photos, whose features stay in the cache of the folder."""
    part = data.part(split)
    known = {photo.name: photo for photo in data.photos.photos}
    photos = [known[name] for name in part["name"]]
    cache = FeatureCache(data.private, str(predictor.bundle.manifest["features_id"]))
    features = extract_features(cache, photos, predictor.bundle, predictor=predictor)
    there = np.isfinite(features).all(1)
    targets = np.array([vocab.index(label) for label in part["label"]])
    features = features[there]
    return Answers(compute_logits(features, predictor.bundle), features, targets[there])
